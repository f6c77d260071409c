"""What keeps a session going, and what ends it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from gqlapi.database.types import utc_now
from gqlapi.models import RefreshToken
from gqlapi.settings import Settings
from tests.accounts.person import ADA, PASSWORD, TOKENS, VIEWER, codes, refresh, sign_in, sign_up
from tests.api import Api

pytestmark = pytest.mark.usefixtures("cheap_hashes")


async def age_used_tokens(api: Api, seconds: int) -> None:
    """Move all exchanges of refresh tokens into the past."""
    async with api.database.write() as session:
        for token in await session.scalars(sa.select(RefreshToken).where(RefreshToken.used_at.is_not(None))):
            assert token.used_at is not None
            token.used_at -= timedelta(seconds=seconds)


class TestRefresh:
    async def test_hands_out_a_new_pair(self, api: Api) -> None:
        first = await sign_up(api)
        second = await refresh(api, first["refreshToken"])
        assert second["errors"] == []
        assert second["refreshToken"] != first["refreshToken"]
        data = await api.bearing(second["accessToken"]).data(VIEWER)
        assert [session["current"] for session in data["viewer"]["sessions"]] == [True]

    async def test_in_parallel_gives_siblings_of_one_session(self, api: Api) -> None:
        token = (await sign_up(api))["refreshToken"]
        payloads = await asyncio.gather(*(refresh(api, token) for _ in range(10)))
        assert [payload["errors"] for payload in payloads] == [[]] * 10
        assert len({payload["refreshToken"] for payload in payloads}) == 10
        data = await api.bearing(payloads[0]["accessToken"]).data(VIEWER)
        assert len(data["viewer"]["sessions"]) == 1
        for payload in payloads:
            assert (await refresh(api, payload["refreshToken"]))["errors"] == []

    async def test_with_a_token_of_before_ends_the_session(self, api: Api) -> None:
        first = await sign_up(api)
        second = await refresh(api, first["refreshToken"])
        await age_used_tokens(api, 11)
        assert codes(await refresh(api, first["refreshToken"])) == [("UNAUTHENTICATED", ["refreshToken"])]
        assert codes(await refresh(api, second["refreshToken"])) == [("UNAUTHENTICATED", ["refreshToken"])]
        assert (await api.bearing(second["accessToken"]).post(VIEWER)).status_code == 401

    async def test_with_a_token_of_just_now_succeeds(self, api: Api) -> None:
        first = await sign_up(api)
        await refresh(api, first["refreshToken"])
        await age_used_tokens(api, 8)
        assert (await refresh(api, first["refreshToken"]))["errors"] == []

    async def test_deletes_the_tokens_of_before_once_they_expire(self, api: Api) -> None:
        token = (await sign_up(api))["refreshToken"]
        for _ in range(3):
            token = (await refresh(api, token))["refreshToken"]
        async with api.database.write() as session:
            await session.execute(
                sa.update(RefreshToken).where(RefreshToken.used_at.is_not(None)).values(expires_at=utc_now())
            )
        await refresh(api, token)
        async with api.database.write() as session:
            assert len((await session.scalars(sa.select(RefreshToken))).all()) == 2

    async def test_needs_no_access_token(self, api: Api) -> None:
        first = await sign_up(api)
        assert (await api.bearing(first["accessToken"] + "x").post(VIEWER)).status_code == 401
        assert (await refresh(api, first["refreshToken"]))["user"]["email"] == "Ada@example.com"

    async def test_of_a_deleted_user_is_refused(self, api: Api) -> None:
        first = await api.payload("signUp", ADA, "accessToken refreshToken user { id }")
        await api.bearing(first["accessToken"]).payload("deleteUser", {"id": first["user"]["id"]})
        assert codes(await refresh(api, first["refreshToken"])) == [("UNAUTHENTICATED", ["refreshToken"])]

    @pytest.mark.parametrize("token", ["", "x", "gqlapi_x", "é"])
    async def test_refuses_what_is_no_token(self, api: Api, token: str) -> None:
        assert codes(await refresh(api, token)) == [("UNAUTHENTICATED", ["refreshToken"])]

    @pytest.mark.parametrize("setting", ["refresh_token_days", "access_token_minutes"])
    @pytest.mark.parametrize("number", [0, 4_000, 10**12])
    def test_lasts_for_a_sane_time(self, setting: str, number: int) -> None:
        with pytest.raises(ValidationError):
            Settings.model_validate({setting: number})

    async def test_after_the_lifetime_is_refused(self, api: Api) -> None:
        token = (await sign_up(api))["refreshToken"]
        async with api.database.write() as session:
            (row,) = await session.scalars(sa.select(RefreshToken))
            row.expires_at -= timedelta(days=31)
        assert codes(await refresh(api, token)) == [("UNAUTHENTICATED", ["refreshToken"])]


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

    async def test_leaves_api_tokens(self, api: Api) -> None:
        token = (await sign_up(api))["accessToken"]
        given = {"name": "ci", "scopes": ["READ"]}
        secret = (await api.bearing(token).payload("createApiToken", given, "secret"))["secret"]
        await self.change(api, token)
        assert (await api.bearing(secret).data(VIEWER))["viewer"]

    async def test_is_for_nobody_without_a_session(self, api: Api) -> None:
        given = {"currentPassword": PASSWORD, "newPassword": "battery staple"}
        assert codes(await api.payload("changePassword", given)) == [("UNAUTHENTICATED", None)]

    async def test_needs_the_current_one(self, api: Api) -> None:
        token = (await sign_up(api))["accessToken"]
        assert codes(await self.change(api, token, current="wrong")) == [("INVALID", ["currentPassword"])]
        assert codes(await self.change(api, token, new="short")) == [("INVALID", ["newPassword"])]
        assert (await sign_in(api))["errors"] == []
