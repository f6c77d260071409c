"""Users whom an admin creates."""

from typing import Any

import pytest

from gqlapi.models import ApiScope, AuditKind, User, UserRole
from tests.accounts.person import ADA, codes, sign_in
from tests.accounts.test_audit import events_of
from tests.api import Api, serve, settings_for
from tests.factories import make_user, save
from tests.signing_in import sign_in_as, with_api_token


@pytest.fixture
async def admin(api: Api) -> User:
    admin = make_user(role=UserRole.ADMIN)
    await save(api.database, [admin])
    return admin


async def create(client: Api, **changes: Any) -> Any:
    return await client.payload("createUser", {**ADA, **changes}, "user { username email role }")


class TestCreateUser:
    async def test_creates_somebody_who_can_sign_in(self, api: Api, admin: User) -> None:
        payload = await create(await sign_in_as(api, admin), role="EDITOR")
        assert payload == {"user": {"username": "ada", "email": "Ada@example.com", "role": "EDITOR"}, "errors": []}
        assert (await sign_in(api))["user"]["role"] == "EDITOR"
        event = (await events_of(api))[0]
        assert (event.kind, event.actor_id, event.detail) == (AuditKind.SIGNED_UP, admin.id, {"role": "editor"})

    async def test_makes_a_reader_by_default(self, api: Api, admin: User) -> None:
        assert (await create(await sign_in_as(api, admin)))["user"]["role"] == "READER"

    async def test_is_for_admins_who_have_signed_in(self, api: Api, admin: User) -> None:
        editor = make_user(role=UserRole.EDITOR)
        await save(api.database, [editor])
        assert codes(await create(api)) == [("UNAUTHENTICATED", None)]
        assert codes(await create(await sign_in_as(api, editor))) == [("FORBIDDEN", None)]
        assert codes(await create(await with_api_token(api, admin, *ApiScope))) == [("FORBIDDEN", None)]

    async def test_reports_all_that_is_wrong(self, api: Api, admin: User) -> None:
        client = await sign_in_as(api, admin)
        payload = await create(client, username="a b", email="x", password="x", displayName="")
        assert [path for _, path in codes(payload)] == [["username"], ["email"], ["password"], ["displayName"]]
        await create(client)
        assert codes(await create(client)) == [("NOT_UNIQUE", ["username"]), ("NOT_UNIQUE", ["email"])]

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    async def test_refuses_reserved_names(self, database_url: str) -> None:
        async with serve(settings_for(database_url, reserved_usernames=["ada"])) as api:
            admin = make_user(role=UserRole.ADMIN)
            await save(api.database, [admin])
            assert codes(await create(await sign_in_as(api, admin))) == [("INVALID", ["username"])]
