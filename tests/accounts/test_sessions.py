"""Signing up, signing in, and what keeps a session going or ends it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from argon2.profiles import CHEAPEST
from pydantic import ValidationError

from gqlapi.accounts.passwords import Passwords
from gqlapi.database.types import utc_now
from gqlapi.models import ApiToken, Base, RefreshToken, Session, UserCredential
from gqlapi.settings import Settings
from tests.api import Api, serve, settings_for
from tests.factories import make_user, save
from tests.signing_in import accounts_of

TOKENS = "accessToken accessTokenExpiresAt refreshToken user { username email role }"
PAIR = ("accessToken", "refreshToken")
PASSWORD = "correct horse"
ADA = {"username": "Ada", "email": "Ada@Example.com", "password": PASSWORD}
VIEWER = "{ viewer { username sessions { current userAgent } } }"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash for next to nothing: on a busy machine twenty real ones at once take longer than an operation may."""
    monkeypatch.setattr("gqlapi.accounts.passwords.PARAMETERS", CHEAPEST)


async def sign_up(api: Api, **changes: Any) -> Any:
    return await api.payload("signUp", {**ADA, **changes}, TOKENS)


async def sign_in(api: Api, login: str = "ada", password: str = PASSWORD) -> Any:
    return await api.payload("signIn", {"login": login, "password": password}, TOKENS)


async def refresh(api: Api, token: str) -> Any:
    return await api.payload("refreshSession", {"refreshToken": token}, TOKENS)


def codes(payload: Any) -> list[tuple[str, list[str] | None]]:
    return [(error["code"], error["path"]) for error in payload["errors"]]


async def age_used_tokens(api: Api, seconds: int) -> None:
    """Move all exchanges of refresh tokens into the past."""
    async with api.database.write() as session:
        for token in await session.scalars(sa.select(RefreshToken).where(RefreshToken.used_at.is_not(None))):
            assert token.used_at is not None
            token.used_at -= timedelta(seconds=seconds)


class TestSignUp:
    async def test_signs_in_as_a_reader(self, api: Api) -> None:
        payload = await sign_up(api)
        assert payload["errors"] == []
        assert payload["user"] == {"username": "ada", "email": "Ada@example.com", "role": "READER"}
        data = await api.bearing(payload["accessToken"]).data(VIEWER)
        assert data["viewer"]["username"] == "ada"

    async def test_tells_all_that_is_wrong_at_once(self, api: Api) -> None:
        payload = await sign_up(api, username="a b", email="ada", password="short", displayName=" ")
        assert codes(payload) == [
            ("INVALID", ["username"]),
            ("INVALID", ["email"]),
            ("INVALID", ["password"]),
            ("REQUIRED", ["displayName"]),
        ]
        assert payload["accessToken"] is None

    @pytest.mark.parametrize(
        ("field", "value", "code"),
        [
            ("username", "", "REQUIRED"),
            ("username", "x" * 65, "TOO_LONG"),
            ("username", "ada@example.com", "INVALID"),
            ("username", "Deleted-1", "INVALID"),
            ("email", "", "REQUIRED"),
            ("email", "a" * 320 + "@example.com", "TOO_LONG"),
            ("password", "x" * 201, "TOO_LONG"),
            ("displayName", "x" * 101, "TOO_LONG"),
        ],
    )
    async def test_refuses_a_wrong_value(self, api: Api, field: str, value: str, code: str) -> None:
        assert codes(await sign_up(api, **{field: value})) == [(code, [field])]

    @pytest.mark.parametrize("name", ["Ünal-田中", "हिन्दी", "u\u0308nal", "_a.b-c_", "x"])
    async def test_accepts_names_of_every_script(self, api: Api, name: str) -> None:
        assert (await sign_up(api, username=name))["errors"] == []
        assert (await sign_in(api, name))["errors"] == []

    @pytest.mark.parametrize("name", ["-a", "a.", ".", "\u0308a", "a/b", "a\u200bb", "a\u202eb", "😀"])
    async def test_refuses_names_of_other_characters(self, api: Api, name: str) -> None:
        assert codes(await sign_up(api, username=name)) == [("INVALID", ["username"])]

    async def test_shows_the_user_name_when_no_other_is_given(self, api: Api) -> None:
        given = {**ADA, "displayName": None}
        assert (await api.payload("signUp", given, "user { displayName }"))["user"] == {"displayName": "Ada"}

    async def test_tells_both_values_that_are_taken_and_not_by_whom(self, api: Api) -> None:
        await sign_up(api)
        payload = await sign_up(api, username="ADA", email="ada@EXAMPLE.com")
        assert sorted(codes(payload)) == [("NOT_UNIQUE", ["email"]), ("NOT_UNIQUE", ["username"])]
        assert [error["existing"] for error in payload["errors"]] == [None, None]

    async def test_of_twenty_with_one_address_lets_one_win(self, api: Api) -> None:
        payloads = await asyncio.gather(*(sign_up(api, username=f"ada{number}") for number in range(20)))
        assert sum(payload["errors"] == [] for payload in payloads) == 1
        losers = [codes(payload) for payload in payloads if payload["errors"]]
        assert losers == [[("NOT_UNIQUE", ["email"])]] * 19

    async def test_stores_no_password_in_clear(self, api: Api) -> None:
        await sign_up(api)
        async with api.database.write() as session:
            credential = (await session.scalars(sa.select(UserCredential))).one()
        assert credential.password_hash.startswith("$argon2id$")
        assert PASSWORD not in credential.password_hash


class TestSecrets:
    async def test_are_nowhere_in_the_database(self, api: Api) -> None:
        signed_up = await sign_up(api)
        refreshed = await refresh(api, signed_up["refreshToken"])
        client = api.bearing(refreshed["accessToken"])
        token = await client.payload("createApiToken", {"name": "ci", "scopes": ["READ"]}, "secret")
        texts = await everything_stored(api)
        assert any("ci" in text for text in texts)
        secrets = [PASSWORD, token["secret"], *(pair[name] for pair in (signed_up, refreshed) for name in PAIR)]
        assert [secret for secret in secrets if any(secret in text for text in texts)] == []


async def everything_stored(api: Api) -> list[str]:
    async with api.database.write() as session:
        tables = [(await session.execute(sa.select(table))).all() for table in Base.metadata.sorted_tables]
    return [str(value) for rows in tables for row in rows for value in row]


class TestSignIn:
    @pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.com", " ada "])
    async def test_takes_the_name_or_the_address(self, api: Api, login: str) -> None:
        await sign_up(api)
        payload = await sign_in(api, login)
        assert payload["errors"] == []
        assert payload["user"]["email"] == "Ada@example.com"

    async def test_takes_the_address_as_it_was_typed(self, api: Api) -> None:
        email = "ada@xn--bcher-kva.example"  # stored as its owner reads it
        assert (await sign_up(api, email=email))["user"]["email"] == "ada@bücher.example"
        for login in (email, "ada@BÜCHER.example"):
            assert (await sign_in(api, login))["errors"] == []

    @pytest.mark.parametrize("login", ["", "@", "ada@", "x" * 100_000, "ada@" + "x" * 100_000])
    async def test_refuses_what_is_no_login(self, api: Api, login: str) -> None:
        assert codes(await sign_in(api, login)) == [("UNAUTHENTICATED", None)]

    async def test_cleans_up_what_has_expired(self, api: Api) -> None:
        await sign_up(api)
        first = await sign_in(api)
        client = api.bearing(first["accessToken"])
        await client.payload("createApiToken", {"name": "ci", "scopes": ["READ"]}, "secret")
        async with api.database.write() as session:
            for row in [*(await session.scalars(sa.select(Session))), *(await session.scalars(sa.select(ApiToken)))]:
                row.expires_at = utc_now() - timedelta(seconds=1)
        token = (await sign_in(api))["accessToken"]
        viewer = (await api.bearing(token).data("{ viewer { apiTokens { id } sessions { id } } }"))["viewer"]
        async with api.database.write() as session:
            stored = [(await session.scalars(sa.select(model))).all() for model in (Session, ApiToken, RefreshToken)]
        assert (len(viewer["sessions"]), viewer["apiTokens"]) == (1, [])
        assert [len(rows) for rows in stored] == [1, 0, 1]

    async def test_ends_the_oldest_sessions_beyond_a_hundred(self, api: Api) -> None:
        bela = make_user(username="bela")
        await save(api.database, [bela])
        first = await sign_up(api)
        with api.statements() as few:
            await sign_in(api)
        async with api.database.write() as session:
            (ada_id,) = await session.scalars(sa.select(Session.user_id).distinct())
            end = utc_now() + timedelta(days=1)
            session.add_all(Session(user_id=user_id, expires_at=end) for user_id in [ada_id] * 105 + [bela.id] * 2)
        with api.statements() as many:
            token = (await sign_in(api))["accessToken"]
        sessions = (await api.bearing(token).data("{ viewer { sessions { current } } }"))["viewer"]["sessions"]
        assert sessions == [{"current": True}, *[{"current": False}] * 99]
        assert (await api.bearing(first["accessToken"]).post(VIEWER)).status_code == 401
        async with api.database.write() as session:
            assert len((await session.scalars(sa.select(Session.id))).all()) == 100 + 2
        assert len(many) == len(few)

    async def test_answers_everything_wrong_alike(self, api: Api) -> None:
        await sign_up(api)
        await save(api.database, [make_user(username="no-password")])
        wrong = [await sign_in(api, login, "wrong password") for login in ("ada", "nobody", "no-password")]
        assert wrong[0]["errors"][0]["code"] == "UNAUTHENTICATED"
        assert all(payload == wrong[0] for payload in wrong)

    async def test_runs_only_its_own_payload_as_the_user(self, api: Api) -> None:
        await sign_up(api)
        result = await api.data(
            f"""mutation {{
              signIn(input: {{ login: "ada", password: "{PASSWORD}" }}) {{ user {{ email viewerCanUpdate }} }}
              createPost(input: {{ title: "x", markdown: "" }}) {{ errors {{ code }} }}
            }}"""
        )
        assert result == {
            "signIn": {"user": {"email": "Ada@example.com", "viewerCanUpdate": True}},
            "createPost": {"errors": [{"code": "UNAUTHENTICATED"}]},
        }

    async def test_holds_no_connection_while_hashing(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        await sign_up(api)
        pool: Any = api.database.read_engine.pool
        passwords, seen = accounts_of(api).passwords, []
        verify = passwords.verify

        async def watched(*args: Any) -> bool:
            seen.append(pool.checkedout() - len(api.database.parking))
            return await verify(*args)

        monkeypatch.setattr(Passwords, "verify", lambda _, *args: watched(*args))
        await sign_in(api)
        assert seen == [0]


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


class TestThrottle:
    async def test_lets_five_attempts_a_minute_pass(self, api: Api) -> None:
        wrong = [await sign_in(api, "ada", "wrong password") for _ in range(6)]
        assert [payload["errors"][0]["code"] for payload in wrong] == ["UNAUTHENTICATED"] * 5 + ["RATE_LIMITED"]
        assert 1 <= wrong[-1]["errors"][0]["retryAfterSeconds"] <= 60
        assert codes(await sign_in(api, "bela", "wrong password")) == [("UNAUTHENTICATED", None)]

    async def test_forgets_the_attempts_of_who_succeeds(self, api: Api) -> None:
        await sign_up(api)
        for login in ("ada", " Ada", "ADA "):
            for _ in range(3):
                await sign_in(api, password="wrong password")
            assert (await sign_in(api, login))["errors"] == []

    @pytest.mark.parametrize(
        "logins",
        [
            ("bob", " bob", "BOB\t", "\uff22ob"),
            ("bob@example.com", "BOB@example.com ", "bob@EXAMPLE.com", " bob@example.com"),
            ("bob@b\u00fccher.example", "bob@xn--bcher-kva.example", "Bob@BU\u0308CHER.example"),
        ],
    )
    async def test_counts_all_spellings_of_a_login_together(self, database_url: str, logins: tuple[str, ...]) -> None:
        async with serve(settings_for(database_url, sign_in_limit="1/minute")) as api:
            wrong = [await sign_in(api, login, "wrong password") for login in logins]
        found = [payload["errors"][0]["code"] for payload in wrong]
        assert found == ["UNAUTHENTICATED", *["RATE_LIMITED"] * (len(logins) - 1)]

    async def test_counts_an_address_over_all_logins(self, database_url: str) -> None:
        async with serve(settings_for(database_url, sign_in_address_limit="3/minute", sign_up_limit="1/hour")) as api:
            wrong = [await sign_in(api, f"user{number}", "wrong password") for number in range(4)]
            assert [payload["errors"][0]["code"] for payload in wrong] == ["UNAUTHENTICATED"] * 3 + ["RATE_LIMITED"]
            await sign_up(api)
            assert codes(await sign_up(api, username="bela", email="b@example.com")) == [("RATE_LIMITED", None)]

    async def test_reads_nothing_when_it_refuses(self, api: Api) -> None:
        for _ in range(5):
            await sign_in(api, "ada", "wrong password")
        with api.statements() as statements:
            await sign_in(api, "ada", "wrong password")
        assert statements == []

    @pytest.mark.parametrize(("trusted", "last"), [(["127.0.0.1"], "UNAUTHENTICATED"), ([], "RATE_LIMITED")])
    async def test_believes_the_addresses_of_trusted_proxies(
        self, database_url: str, trusted: list[str], last: str
    ) -> None:
        settings = settings_for(database_url, sign_in_address_limit="2/minute", trusted_proxies=trusted)
        async with serve(settings) as api:
            clients = [api.with_headers(**{"X-Forwarded-For": f"203.0.113.{number}"}) for number in range(3)]
            payloads = [await sign_in(client, "ada", "wrong password") for client in clients]
            assert codes(payloads[-1]) == [(last, None)]
