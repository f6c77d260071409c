"""Deleting users, and the last admin, who stays."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.models import ApiScope, IdempotencyKey, Session, User, UserCredential, UserRole
from tests.accounts.person import codes
from tests.api import Api
from tests.factories import make_post, make_user, save
from tests.signing_in import PASSWORD, give_password, sign_in_as, with_api_token


async def make_users(api: Api) -> tuple[User, User, User]:
    ada, bela = make_user(username="ada"), make_user(username="bela")
    admin = make_user(username="root", role=UserRole.ADMIN)
    await save(api.database, [ada, bela, admin])
    await give_password(api, ada, admin)
    return ada, bela, admin


async def delete_oneself(client: Api, user: User, **given: Any) -> Any:
    given = {"id": user.global_id, "currentPassword": PASSWORD, **given}
    return await client.payload("deleteUser", given, "deletedId")


async def count_admins(api: Api) -> int:
    async with api.database.write() as session:
        is_admin = (User.role == UserRole.ADMIN) & User.deleted_at.is_(None)
        return (await session.execute(sa.select(sa.func.count()).where(is_admin))).scalar_one()


class TestDeleteUser:
    async def test_leaves_the_posts_under_a_placeholder(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        post = make_post(ada)
        await save(api.database, [post])
        client = await sign_in_as(api, ada)
        assert await delete_oneself(client, ada) == {
            "deletedId": ada.global_id, "errors": []
        }  # fmt: skip
        author = "author { username displayName bio avatarUrl email role viewerCanUpdate viewerCanDelete }"
        [found] = (await api.data(f"{{ posts {{ nodes {{ {author} }} }} }}"))["posts"]["nodes"]
        assert found["author"] == {
            "username": f"deleted-{ada.id.hex}", "displayName": "Deleted user", "bio": None, "avatarUrl": None,
            "email": None, "role": None, "viewerCanUpdate": False, "viewerCanDelete": False,
        }  # fmt: skip

    async def test_ends_everything_that_was_theirs(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        client = await sign_in_as(api, ada)
        await delete_oneself(client, ada, idempotencyKey="k")
        assert (await client.post("{ viewer { id } }")).status_code == 401
        async with api.database.write() as session:
            for model in (Session, UserCredential):
                assert (await session.scalars(sa.select(model).where(model.user_id == ada.id))).all() == []
        data = await api.data('{ user(by: { username: "ada" }) { id } search(query: "ada") { totalCount } }')
        assert data == {"user": None, "search": {"totalCount": 0}}

    async def test_frees_the_name_and_the_address(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        await delete_oneself(await sign_in_as(api, ada), ada)
        given = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
        assert codes(await api.payload("signUp", given, "user { id }")) == []

    async def test_twice_is_not_found(self, api: Api) -> None:
        ada, _, admin = await make_users(api)
        client = await sign_in_as(api, admin)
        given = {"id": ada.global_id}
        payloads = [await client.payload("deleteUser", given, "deletedId") for _ in range(2)]
        assert [codes(payload) for payload in payloads] == [[], [("NOT_FOUND", ["id"])]]

    async def test_frees_what_the_password_was_for(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        await delete_oneself(await sign_in_as(api, ada), ada)
        payload = await api.payload("signIn", {"login": "ada", "password": PASSWORD}, "user { id }")
        assert codes(payload) == [("UNAUTHENTICATED", None)]


class TestPassword:
    @pytest.mark.parametrize(
        ("password", "code"), [(None, "REQUIRED"), ("", "REQUIRED"), ("wrong password", "INVALID")]
    )
    async def test_is_asked_of_who_deletes_themselves(self, api: Api, password: str | None, code: str) -> None:
        ada, *_ = await make_users(api)
        clients = await sign_in_as(api, ada), await with_api_token(api, ada, *ApiScope)
        for client in clients:
            payload = await delete_oneself(client, ada, currentPassword=password)
            assert (payload["deletedId"], codes(payload)) == (None, [(code, ["currentPassword"])])
        assert (await clients[0].data("{ viewer { username } }"))["viewer"] == {"username": "ada"}

    async def test_that_was_never_set_cannot_be_given(self, api: Api) -> None:
        _, bela, _ = await make_users(api)
        payload = await delete_oneself(await sign_in_as(api, bela), bela)
        assert codes(payload) == [("INVALID", ["currentPassword"])]

    async def test_is_not_asked_of_an_admin_who_deletes_others(self, api: Api) -> None:
        ada, _, admin = await make_users(api)
        payload = await (await sign_in_as(api, admin)).payload("deleteUser", {"id": ada.global_id}, "deletedId")
        assert payload == {"deletedId": ada.global_id, "errors": []}

    async def test_attempts_are_counted(self, api: Api) -> None:
        ada, *_ = await make_users(api)
        client = await sign_in_as(api, ada)
        wrong = [await delete_oneself(client, ada, currentPassword="wrong") for _ in range(6)]
        assert [payload["errors"][0]["code"] for payload in wrong] == ["INVALID"] * 5 + ["RATE_LIMITED"]

    async def test_leaves_no_trace_in_the_key_of_the_mutation(self, api: Api) -> None:
        """A fast hash of an input with a password in it would give the password away."""
        ada, bela, admin = await make_users(api)
        client = await sign_in_as(api, admin)
        for user, password in ((ada, "one password"), (bela, "another password")):
            await delete_oneself(client, user, currentPassword=password, idempotencyKey=str(user.id))
        again = await delete_oneself(client, ada, currentPassword="a third", idempotencyKey=str(ada.id))
        assert again == {"deletedId": ada.global_id, "errors": []}
        async with api.database.write() as session:
            assert len((await session.scalars(sa.select(IdempotencyKey))).all()) == 2


LOSSES: dict[str, dict[str, Any]] = {
    "setUserRole": {"role": "EDITOR"},
    "deleteUser": {"currentPassword": PASSWORD},
}


@pytest.mark.parametrize("mutation", LOSSES)
class TestLastAdmin:
    async def test_stays(self, api: Api, mutation: str) -> None:
        _, _, admin = await make_users(api)
        gone = make_user(username="gone", role=UserRole.ADMIN)
        await save(api.database, [gone])
        client = await sign_in_as(api, admin)
        assert codes(await client.payload("deleteUser", {"id": gone.global_id})) == []
        payload = await client.payload(mutation, {"id": admin.global_id, **LOSSES[mutation]})
        assert codes(payload) == [("FORBIDDEN", None)]
        assert payload["errors"][0]["message"] == "This is the only admin. Make another user an admin first."
        assert (await client.data("{ viewer { role } }"))["viewer"] == {"role": "ADMIN"}

    async def test_of_two_may_go(self, api: Api, mutation: str) -> None:
        ada, _, admin = await make_users(api)
        client = await sign_in_as(api, admin)
        assert codes(await client.payload("setUserRole", {"id": ada.global_id, "role": "ADMIN"})) == []
        assert codes(await client.payload(mutation, {"id": admin.global_id, **LOSSES[mutation]})) == []
        assert await count_admins(api) == 1

    async def test_stays_when_admins_remove_each_other_at_once(self, api: Api, mutation: str) -> None:
        input_type = f"{mutation[0].upper()}{mutation[1:]}Input"
        removal = f"mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ errors {{ code }} }} }}"
        for _ in range(5):
            admins = [make_user(role=UserRole.ADMIN) for _ in range(4)]
            await save(api.database, admins)
            clients = [await sign_in_as(api, admin) for admin in admins]
            victims = [*admins[1:], admins[0]]
            given = [{"id": victim.global_id, **LOSSES[mutation]} for victim in victims]
            results = await asyncio.gather(
                *(client.execute(removal, {"input": each}) for client, each in zip(clients, given, strict=True))
            )
            # One who was removed before the request was authenticated gets no payload.
            errors = [
                error for result in results for error in result.get("errors") or result["data"][mutation]["errors"]
            ]
            refused = {error.get("code") or error["extensions"]["code"] for error in errors}
            assert refused <= {"FORBIDDEN", "UNAUTHENTICATED"}
            assert await count_admins(api) >= 1
            async with api.database.write() as session:
                await session.execute(sa.update(User).values(role=UserRole.READER))
