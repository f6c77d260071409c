"""Changing users."""

from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.models import ApiScope, User, UserRole
from tests.api import Api
from tests.factories import make_post, make_user, save
from tests.signing_in import sign_in_as, with_api_token

PROFILE = "user { username displayName bio avatarUrl role version email }"


async def make_users(api: Api) -> tuple[User, User, User]:
    ada, bela = make_user(username="ada"), make_user(username="bela")
    admin = make_user(username="root", role=UserRole.ADMIN)
    await save(api.database, [ada, bela, admin])
    return ada, bela, admin


def codes(payload: Any) -> list[tuple[str, list[str] | None]]:
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def update(api: Api, user: User, patch: dict[str, Any], **given: Any) -> Any:
    return await api.payload("updateUser", {"id": user.global_id, "patch": patch, **given}, PROFILE)


class TestUpdateUser:
    async def test_changes_what_is_given(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        client = await sign_in_as(api, ada)
        first = await update(
            client, ada, {"displayName": " Ada L. ", "bio": "Writes.", "avatarUrl": "https://a.example/x.png"}
        )
        second = await update(client, ada, {"bio": None})
        assert first["user"].items() >= {"displayName": "Ada L.", "bio": "Writes.", "version": 2}.items()
        assert second["user"].items() >= {"displayName": "Ada L.", "bio": None, "version": 3}.items()
        assert second["user"]["avatarUrl"] == "https://a.example/x.png"

    async def test_to_the_same_values_is_a_version_all_the_same(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        client = await sign_in_as(api, ada)
        patches: list[dict[str, Any]] = [{"displayName": "Ada"}, {"avatarUrl": None}]
        for version, patch in enumerate(patches, start=2):
            payload = await update(client, ada, patch)
            assert payload["user"].items() >= {"displayName": "Ada", "avatarUrl": None, "version": version}.items()

    async def test_writes_nothing_for_an_empty_patch(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        client = await sign_in_as(api, ada)
        before = await update(client, ada, {"bio": "Writes."})
        assert await update(client, ada, {}, expectedVersion=2) == before
        assert [code for code, _ in codes(await update(client, ada, {}, expectedVersion=1))] == ["VERSION_CONFLICT"]
        async with api.database.write() as session:
            assert (await session.get_one(User, ada.id)).version == before["user"]["version"] == 2

    async def test_with_the_same_key_happens_once(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        client = await sign_in_as(api, ada)
        payloads = [await update(client, ada, {"bio": "x"}, idempotencyKey="k") for _ in range(2)]
        other = await update(client, ada, {"bio": "y"}, idempotencyKey="k")
        assert [payload["user"]["version"] for payload in payloads] == [2, 2]
        assert codes(other) == [("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])]

    @pytest.mark.parametrize("mutation", ["updateUser", "deleteUser"])
    async def test_needs_the_scope_of_a_token_for_any_change(self, api: Api, mutation: str) -> None:
        ada, _, admin = await make_users(api)
        writer = await with_api_token(api, admin, ApiScope.READ, ApiScope.WRITE_POSTS, ApiScope.WRITE_TAGS)
        given = {"id": ada.global_id, **({"patch": {}} if mutation == "updateUser" else {})}
        payload = await writer.payload(mutation, given)
        assert [(error["code"], error["requiredScope"]) for error in payload["errors"]] == [("FORBIDDEN", "ADMIN")]
        assert codes(await (await with_api_token(api, admin, ApiScope.ADMIN)).payload(mutation, given)) == []

    @pytest.mark.parametrize("id_", ["x", "", "VXNlcg"])
    async def test_of_what_is_no_id_is_refused(self, api: Api, id_: str) -> None:
        ada, *_ = await make_users(api)
        payload = await (await sign_in_as(api, ada)).payload("updateUser", {"id": id_, "patch": {}}, PROFILE)
        assert codes(payload) == [("INVALID", ["id"])]

    async def test_is_found_by_the_new_name(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        await save(api.database, [make_post(ada)])
        await update(await sign_in_as(api, ada), ada, {"displayName": "Lovelace"})
        data = await api.data('{ search(query: "lovelace") { nodes { ... on User { username } } } }')
        assert data["search"]["nodes"] == [{"username": "ada"}]

    @pytest.mark.parametrize(
        ("patch", "code"),
        [
            ({"displayName": None}, "REQUIRED"),
            ({"displayName": "x" * 101}, "TOO_LONG"),
            ({"bio": "x" * 2001}, "TOO_LONG"),
            ({"avatarUrl": "javascript:alert(1)"}, "INVALID"),
            ({"avatarUrl": "https://a.example/x y"}, "INVALID"),
            ({"avatarUrl": "https://["}, "INVALID"),
            ({"avatarUrl": "\x01http://a.example/"}, "INVALID"),
            ({"avatarUrl": "http://a.example/\x1b[31m"}, "INVALID"),
            ({"avatarUrl": "http://a.example/\u202egnp.x"}, "INVALID"),
            ({"avatarUrl": "https://a.example/" + "x" * 2000}, "TOO_LONG"),
        ],
    )
    async def test_refuses_a_wrong_value(self, api: Api, patch: dict[str, Any], code: str) -> None:
        ada, *_ = await make_users(api)
        payload = await update(await sign_in_as(api, ada), ada, patch)
        assert codes(payload) == [(code, ["patch", *patch])]

    async def test_of_another_version_writes_nothing(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        client = await sign_in_as(api, ada)
        await update(client, ada, {"bio": "one"}, expectedVersion=1)
        payload = await update(client, ada, {"bio": "two"}, expectedVersion=1)
        [error] = payload["errors"]
        assert error["code"] == "VERSION_CONFLICT"
        assert (error["expectedVersion"], error["currentVersion"], error["current"]) == (1, 2, {"id": ada.global_id})
        assert (await client.data("{ viewer { bio version } }"))["viewer"] == {"bio": "one", "version": 2}

    async def test_is_for_the_user_and_admins(self, api: Api) -> None:
        ada, bela, admin = await make_users(api)
        assert codes(await update(api, ada, {"bio": "x"})) == [("UNAUTHENTICATED", None)]
        assert codes(await update(await sign_in_as(api, bela), ada, {"bio": "x"})) == [("FORBIDDEN", None)]
        assert codes(await update(await sign_in_as(api, admin), ada, {"bio": "x"})) == []


# Each is wrong in more than one way.
WRONG: dict[str, dict[str, Any]] = {
    "updateUser": {"id": "x", "patch": {"displayName": ""}, "idempotencyKey": ""},
    "setUserRole": {"id": "x", "role": "ADMIN", "idempotencyKey": ""},
    "deleteUser": {"id": "x", "idempotencyKey": ""},
}


@pytest.mark.parametrize("mutation", WRONG)
class TestPermission:
    async def test_is_asked_for_before_the_input_is_read(self, api: Api, mutation: str) -> None:
        _, _, admin = await make_users(api)
        reader = await with_api_token(api, admin, ApiScope.READ)
        for id_ in ("x", admin.global_id):
            given = {**WRONG[mutation], "id": id_}
            assert codes(await api.payload(mutation, given)) == [("UNAUTHENTICATED", None)]
            [error] = (await reader.payload(mutation, given))["errors"]
            assert (error["code"], error["path"]) == ("FORBIDDEN", None)
            assert error["requiredScope"] == (None if mutation == "setUserRole" else "ADMIN")

    async def test_of_another_user_is_asked_for_as_well(self, api: Api, mutation: str) -> None:
        ada, bela, _ = await make_users(api)
        client = await sign_in_as(api, bela)
        assert codes(await client.payload(mutation, {**WRONG[mutation], "id": ada.global_id})) == [("FORBIDDEN", None)]

    async def test_is_asked_for_before_an_earlier_answer_is_given(self, api: Api, mutation: str) -> None:
        ada, _, admin = await make_users(api)
        others: dict[str, dict[str, Any]] = {"updateUser": {"patch": {}}, "setUserRole": {"role": "EDITOR"}}
        given = {"id": ada.global_id, "idempotencyKey": "k", **others.get(mutation, {})}
        client, reader = await sign_in_as(api, admin), await with_api_token(api, admin, ApiScope.READ)
        for _ in range(2):
            assert codes(await client.payload(mutation, given)) == []
        [error] = (await reader.payload(mutation, given))["errors"]
        assert error["code"] == "FORBIDDEN"
        async with api.database.write() as session:
            await session.execute(sa.update(User).where(User.id == admin.id).values(role=UserRole.READER))
        assert codes(await client.payload(mutation, given)) == [("FORBIDDEN", None)]


class TestSetUserRole:
    async def test_is_for_no_token_which_could_raise_a_role_that_outlives_it(self, api: Api) -> None:
        ada, _, admin = await make_users(api)
        program = await with_api_token(api, admin, *ApiScope)
        payload = await program.payload("setUserRole", {"id": ada.global_id, "role": "ADMIN"}, PROFILE)
        [error] = payload["errors"]
        assert (error["code"], error["requiredScope"]) == ("FORBIDDEN", None)
        assert error["message"] == "Sign in: no token may set the role of a user."

    async def test_is_for_admins(self, api: Api) -> None:
        ada, bela, admin = await make_users(api)
        given = {"id": ada.global_id, "role": "EDITOR"}
        assert codes(await (await sign_in_as(api, bela)).payload("setUserRole", given, PROFILE)) == [
            ("FORBIDDEN", None)
        ]
        payload = await (await sign_in_as(api, admin)).payload("setUserRole", given, PROFILE)
        assert payload["user"].items() >= {"role": "EDITOR", "version": 2}.items()

    async def test_of_nobody_is_not_found(self, api: Api) -> None:
        _, _, admin = await make_users(api)
        given = {"id": make_user().global_id, "role": "EDITOR"}
        payload = await (await sign_in_as(api, admin)).payload("setUserRole", given, PROFILE)
        assert codes(payload) == [("NOT_FOUND", ["id"])]
