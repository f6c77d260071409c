"""Refresh tokens: families, of which two parties cannot both hold a token for long."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import example, given
from pydantic import ValidationError

from gqlapi.accounts import sessions
from gqlapi.accounts.tokens import hash_secret, new_secret
from gqlapi.database.types import utc_now
from gqlapi.models import RefreshToken, Session, User
from gqlapi.settings import Settings
from tests.accounts.person import ADA, PAIR, PASSWORD, VIEWER, codes, refresh, sign_up
from tests.api import Api, serve, settings_for
from tests.consistency import count
from tests.examples import examples
from tests.factories import make_user, save

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

    async def test_with_any_one_sibling_succeeds(self, api: Api) -> None:
        token = (await sign_up(api))["refreshToken"]
        siblings = [(await refresh(api, token))["refreshToken"] for _ in range(3)]
        for _ in range(2):  # its answer may be lost as well
            assert (await refresh(api, siblings[1]))["errors"] == []

    async def test_with_two_siblings_ends_the_session(self, api: Api) -> None:
        token = (await sign_up(api))["refreshToken"]
        one, other = [await refresh(api, token) for _ in range(2)]
        newest = await refresh(api, one["refreshToken"])
        for late in (other, newest, one):
            assert codes(await refresh(api, late["refreshToken"])) == [("UNAUTHENTICATED", ["refreshToken"])]
        assert (await api.bearing(newest["accessToken"]).post(VIEWER)).status_code == 401

    async def test_with_two_siblings_at_once_ends_the_session(self, api: Api) -> None:
        token = (await sign_up(api))["refreshToken"]
        siblings = [(await refresh(api, token))["refreshToken"] for _ in range(2)]
        payloads = await asyncio.gather(*(refresh(api, sibling) for sibling in siblings))
        assert sorted(len(payload["errors"]) for payload in payloads) == [0, 1]
        [winner] = [payload["refreshToken"] for payload in payloads if payload["refreshToken"]]
        assert codes(await refresh(api, winner)) == [("UNAUTHENTICATED", ["refreshToken"])]

    async def test_again_and_again_is_refused(self, api: Api) -> None:
        token = (await sign_up(api))["refreshToken"]
        found = [await refresh(api, token) for _ in range(sessions.MAX_SIBLINGS + 1)]
        assert [payload["errors"] for payload in found[:-1]] == [[]] * sessions.MAX_SIBLINGS
        assert codes(found[-1]) == [("RATE_LIMITED", None)]
        assert await count(api.database, RefreshToken) == 1 + sessions.MAX_SIBLINGS

    async def test_of_a_token_without_a_generation_goes_on(self, api: Api) -> None:
        """Servers of an older version write none, also while a newer one runs beside them."""
        first = await sign_up(api)
        second = await refresh(api, first["refreshToken"])
        async with api.database.write() as session:
            await session.execute(sa.update(RefreshToken).values(generation=None))
        third = await refresh(api, second["refreshToken"])
        fourth = await refresh(api, third["refreshToken"])
        assert [payload["errors"] for payload in (third, fourth)] == [[], []]
        await age_used_tokens(api, 11)
        assert codes(await refresh(api, first["refreshToken"])) == [("UNAUTHENTICATED", ["refreshToken"])]

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
        given = {"id": first["user"]["id"], "currentPassword": PASSWORD}
        await api.bearing(first["accessToken"]).payload("deleteUser", given)
        assert codes(await refresh(api, first["refreshToken"])) == [("UNAUTHENTICATED", ["refreshToken"])]

    @pytest.mark.parametrize("token", ["", "x", "gqlapi_x", "\u00e9"])
    async def test_refuses_what_is_no_token(self, api: Api, token: str) -> None:
        assert codes(await refresh(api, token)) == [("UNAUTHENTICATED", ["refreshToken"])]

    @pytest.mark.parametrize("token", ["", "x", "gqlapi_x", "\u00e9"])
    async def test_of_what_is_no_token_writes_nothing(self, api: Api, token: str) -> None:
        with api.statements() as statements:
            await refresh(api, token)
        assert len(statements) == 1
        assert statements[0].startswith("SELECT")

    async def test_is_counted_for_each_address(self, database_url: str) -> None:
        async with serve(settings_for(database_url, refresh_limit="3/minute")) as api:
            token = (await sign_up(api))["refreshToken"]
            found = [codes(await refresh(api, each)) for each in (token, "x", token)]
            assert found == [[], [("UNAUTHENTICATED", ["refreshToken"])], []]
            with api.statements() as statements:
                assert codes(await refresh(api, token)) == [("RATE_LIMITED", None)]
            assert statements == []

    async def test_ends_with_the_lifetime_of_the_session(self, database_url: str) -> None:
        """However often it is refreshed."""
        async with serve(settings_for(database_url, refresh_token_days=2, session_days=3)) as api:
            token = (await sign_up(api))["refreshToken"]
            access_token = ""
            for _ in range(2):
                await grow_older(api, timedelta(days=1, hours=8))
                payload = await refresh(api, token)
                assert payload["errors"] == []
                access_token, token = (payload[name] for name in PAIR)
            async with api.database.write() as session:
                row = (await session.scalars(sa.select(Session))).one()
            assert row.expires_at == row.created_at + timedelta(days=3)
            await grow_older(api, timedelta(hours=9))
            assert codes(await refresh(api, token)) == [("UNAUTHENTICATED", ["refreshToken"])]
            assert (await api.bearing(access_token).post(VIEWER)).status_code == 401

    async def test_follows_a_lifetime_that_was_made_shorter(self, database_url: str) -> None:
        async with serve(settings_for(database_url)) as api:
            token = (await sign_up(api))["refreshToken"]
            await grow_older(api, timedelta(days=20))
        async with serve(settings_for(database_url, session_days=20)) as api:
            assert codes(await refresh(api, token)) == [("UNAUTHENTICATED", ["refreshToken"])]

    @pytest.mark.parametrize("setting", ["refresh_token_days", "session_days", "access_token_minutes"])
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


async def grow_older(api: Api, age: timedelta, user: User | None = None) -> None:
    """Move all sessions and refresh tokens, or those of a user, into the past."""
    async with api.database.write() as session:
        own = sa.true() if user is None else Session.user_id == user.id
        for row in (await session.scalars(sa.select(Session).where(own))).all():
            row.created_at, row.last_used_at, row.expires_at = (
                moment - age for moment in (row.created_at, row.last_used_at, row.expires_at)
            )
            for token in await session.scalars(sa.select(RefreshToken).where(RefreshToken.session_id == row.id)):
                token.expires_at -= age
                token.used_at = token.used_at and token.used_at - age


GRACE, IDLE, LIFETIME = timedelta(seconds=10), timedelta(days=30), timedelta(days=90)
START = datetime(2026, 1, 1)  # noqa: DTZ001 - only differences matter


@dataclass
class Token:
    """A refresh token as the oracle sees it."""

    generation: int
    expires_at: datetime
    first_used_at: datetime | None = None


@dataclass
class Family:
    """What RFC 9700, section 4.14, asks of a family of refresh tokens, with a grace for lost answers.

    Each generation may be exchanged by one party. A token that comes again after the grace, or another one of its
    generation, shows that there are two: the family ends.
    """

    now: datetime = START
    tokens: list[Token] = field(default_factory=lambda: [Token(0, START + IDLE)])
    has_ended: bool = False

    def exchange(self, token: Token) -> bool:
        """Use a token; a success adds one to `tokens`."""
        end = max(other.expires_at for other in self.tokens)
        if self.has_ended or self.now >= min(end, START + LIFETIME):
            return False
        others = (other for other in self.tokens if other is not token and other.generation == token.generation)
        if token.first_used_at is None:
            is_stolen = any(other.first_used_at for other in others)
        else:
            is_stolen = self.now - token.first_used_at > GRACE
        if is_stolen and self.now < token.expires_at:
            self.has_ended = True
        if is_stolen or self.now >= token.expires_at:
            return False
        token.first_used_at = token.first_used_at or self.now
        self.tokens.append(Token(token.generation + 1, min(self.now + IDLE, START + LIFETIME)))
        return True


NOW, LATER = timedelta(), timedelta(minutes=15)
PAUSES = st.sampled_from([NOW, timedelta(seconds=6), LATER, timedelta(days=12)])
# From the newest token backwards; mostly one of the newest.
CHOICES = st.one_of(st.integers(0, 2), st.integers(0, 12))
HISTORIES = st.lists(st.tuples(PAUSES, CHOICES), min_size=1, max_size=14)


async def begin_family(api: Api, user: User) -> str:
    now, secret = utc_now(), new_secret()
    session = Session(user_id=user.id, created_at=now, expires_at=now + IDLE)
    async with api.database.write() as transaction:
        transaction.add(session)
        await transaction.flush()
        transaction.add(
            RefreshToken(hash=hash_secret(secret), session_id=session.id, expires_at=now + IDLE, generation=0)
        )
    return secret


@pytest.fixture
async def patient_api(database_url: str) -> AsyncIterator[Api]:
    """A server that lets a client refresh as often as it likes."""
    async with serve(settings_for(database_url, refresh_limit="1000000/minute")) as api:
        yield api


class TestFamily:
    # A token twice, and then both that it was exchanged for; a token once, and again after the grace.
    @example(history=[(NOW, 0), (NOW, 1), (NOW, 0), (LATER, 2)])
    @example(history=[(NOW, 0), (LATER, 1), (NOW, 0)])
    @given(history=HISTORIES)
    @examples(10)
    async def test_ends_as_rfc_9700_asks(self, patient_api: Api, history: list[tuple[timedelta, int]]) -> None:
        api, user = patient_api, make_user()
        await save(api.database, [user])
        family, secrets = Family(), [await begin_family(api, user)]
        for pause, choice in history:
            family.now += pause
            await grow_older(api, pause, user)
            index = len(secrets) - 1 - min(choice, len(secrets) - 1)
            payload = await refresh(api, secrets[index])
            assert (payload["errors"] == []) is family.exchange(family.tokens[index])
            if payload["refreshToken"]:
                secrets.append(payload["refreshToken"])
        async with api.database.write() as session:
            is_there = (await session.scalars(sa.select(Session.id).where(Session.user_id == user.id))).all() != []
        assert is_there is not family.has_ended
