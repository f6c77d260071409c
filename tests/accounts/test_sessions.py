"""Signing out, and changing the password."""

from typing import Any

import pytest

from gqlapi.models import ApiScope
from tests.accounts.person import PASSWORD, TOKENS, VIEWER, codes, refresh, sign_in, sign_up
from tests.api import Api
from tests.factories import make_user, save
from tests.signing_in import with_api_token

pytestmark = pytest.mark.usefixtures("cheap_hashes")


class TestSignOut:
    async def test_ends_this_session_only(self, api: Api) -> None:
        one, other = await sign_up(api), await sign_in(api)
        payload = await api.bearing(one["accessToken"]).payload("signOut", {}, "signedOut")
        assert payload == {"signedOut": True, "errors": []}
        assert (await api.bearing(one["accessToken"]).post(VIEWER)).status_code == 401
        assert codes(await refresh(api, one["refreshToken"])) == [("UNAUTHENTICATED", ["refreshToken"])]
        assert (await api.bearing(other["accessToken"]).data(VIEWER))["viewer"]

    async def test_everywhere_ends_all(self, api: Api) -> None:
        one, other = await sign_up(api), await sign_in(api)
        await api.bearing(one["accessToken"]).payload("signOut", {"everywhere": True}, "signedOut")
        assert (await api.bearing(other["accessToken"]).post(VIEWER)).status_code == 401

    async def test_leaves_api_tokens(self, api: Api) -> None:
        client = api.bearing((await sign_up(api))["accessToken"])
        secret = (await client.payload("createApiToken", {"name": "ci", "scopes": ["ADMIN"]}, "secret"))["secret"]
        program = api.bearing(secret)
        assert (await program.payload("signOut", {}, "signedOut"))["signedOut"] is False  # it is no session
        assert (await program.payload("signOut", {"everywhere": True}, "signedOut"))["signedOut"] is True
        assert (await client.post(VIEWER)).status_code == 401
        assert (await program.data(VIEWER))["viewer"]

    async def test_without_a_session_is_refused(self, api: Api) -> None:
        assert codes(await api.payload("signOut", {}, "signedOut")) == [("UNAUTHENTICATED", None)]


class TestChangePassword:
    async def change(self, api: Api, token: str, current: str = PASSWORD, new: str = "battery staple") -> Any:
        given = {"currentPassword": current, "newPassword": new}
        return await api.bearing(token).payload("changePassword", given, TOKENS)

    async def test_ends_all_other_sessions(self, api: Api) -> None:
        one, other = await sign_up(api), await sign_in(api)
        payload = await self.change(api, one["accessToken"])
        assert payload["errors"] == []
        assert (await api.bearing(other["accessToken"]).post(VIEWER)).status_code == 401
        assert (await api.bearing(payload["accessToken"]).data(VIEWER))["viewer"]
        assert codes(await sign_in(api)) == [("UNAUTHENTICATED", None)]
        assert (await sign_in(api, password="battery staple"))["errors"] == []

    @pytest.mark.parametrize(("given", "status"), [({}, 200), ({"revokeApiTokens": True}, 401)])
    async def test_revokes_api_tokens_if_asked_to(self, api: Api, given: dict[str, Any], status: int) -> None:
        token = (await sign_up(api))["accessToken"]
        bela = make_user(username="bela")
        await save(api.database, [bela])
        other = await with_api_token(api, bela, ApiScope.READ)
        client = api.bearing(token)
        secret = (await client.payload("createApiToken", {"name": "ci", "scopes": ["READ"]}, "secret"))["secret"]
        change = {"currentPassword": PASSWORD, "newPassword": "battery staple", **given}
        assert (await client.payload("changePassword", change))["errors"] == []
        assert (await api.bearing(secret).post(VIEWER)).status_code == status
        assert (await other.post(VIEWER)).status_code == 200

    async def test_is_for_nobody_without_a_session(self, api: Api) -> None:
        given = {"currentPassword": PASSWORD, "newPassword": "battery staple"}
        assert codes(await api.payload("changePassword", given)) == [("UNAUTHENTICATED", None)]

    async def test_needs_the_current_one(self, api: Api) -> None:
        token = (await sign_up(api))["accessToken"]
        assert codes(await self.change(api, token, current="wrong")) == [("INVALID", ["currentPassword"])]
        for new in ("short", "Password1"):
            assert codes(await self.change(api, token, new=new)) == [("INVALID", ["newPassword"])]
        assert (await sign_in(api))["errors"] == []
