"""Signing in, and how often one may try."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.accounts.passwords import Passwords
from gqlapi.database.types import utc_now
from gqlapi.models import ApiToken, RefreshToken, Session
from tests.accounts.person import PASSWORD, VIEWER, codes, sign_in, sign_up
from tests.api import Api, serve, settings_for
from tests.factories import make_user, save
from tests.signing_in import accounts_of

pytestmark = pytest.mark.usefixtures("cheap_hashes")


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

    async def test_counts_the_names_of_an_account_together_and_does_not_show_it(self, api: Api) -> None:
        """Else who asked for a user name five times would learn which e-mail address belongs to it."""
        await sign_up(api)
        await sign_up(api, username="bela", email="bela@example.com")
        for _ in range(5):
            await sign_in(api, "ada", "wrong password")
        refused, wrong = await sign_in(api, "ada@example.com"), await sign_in(api, "bela@example.com", "wrong password")
        assert refused == wrong
        assert codes(refused) == [("UNAUTHENTICATED", None)]
        assert codes(await sign_in(api, "ada")) == [("RATE_LIMITED", None)]
        assert codes(await sign_in(api, "bela")) == []

    async def test_of_an_exhausted_account_verifies_as_for_nobody(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await sign_up(api)
        for _ in range(5):
            await sign_in(api, "ada", "wrong password")
        verify, seen = Passwords.verify, []

        async def watched(passwords: Passwords, password_hash: str | None, password: str) -> bool:
            seen.append(password_hash)
            return await verify(passwords, password_hash, password)

        monkeypatch.setattr(Passwords, "verify", watched)
        await sign_in(api, "ada@example.com")
        assert seen == [None]

    async def test_counts_the_checks_of_the_current_password_as_well(self, api: Api) -> None:
        token = (await sign_up(api))["accessToken"]
        given = {"currentPassword": "wrong password", "newPassword": "battery staple"}
        for _ in range(3):
            await sign_in(api, "ada", "wrong password")
        found = [codes(await api.bearing(token).payload("changePassword", given)) for _ in range(3)]
        assert found == [*[[("INVALID", ["currentPassword"])]] * 2, [("RATE_LIMITED", None)]]

    async def test_counts_an_account_over_all_addresses(self, database_url: str) -> None:
        settings = settings_for(database_url, sign_in_account_limit="6/hour", trusted_proxies=["127.0.0.1"])
        async with serve(settings) as api:
            await sign_up(api)
            clients = [api.with_headers(**{"X-Forwarded-For": f"2001:db8:0:{number}::1"}) for number in range(14)]
            for login, last in (("ada", "RATE_LIMITED"), ("nobody", "RATE_LIMITED")):
                wrong = [await sign_in(client, login, "wrong password") for client in clients[:7]]
                assert [payload["errors"][0]["code"] for payload in wrong] == ["UNAUTHENTICATED"] * 6 + [last]
            assert codes(await sign_in(clients[7], "ada@example.com")) == [("UNAUTHENTICATED", None)]

    async def test_forgets_the_attempts_of_other_addresses_when_somebody_succeeds(self, database_url: str) -> None:
        settings = settings_for(database_url, sign_in_account_limit="6/hour", trusted_proxies=["127.0.0.1"])
        async with serve(settings) as api:
            await sign_up(api)
            for number in range(12):
                client = api.with_headers(**{"X-Forwarded-For": f"203.0.113.{number}"})
                assert codes(await sign_in(client, "ada", "wrong password")) == [("UNAUTHENTICATED", None)]
                if number % 3 == 2:
                    assert codes(await sign_in(client)) == []

    async def test_of_sign_ups_counts_only_valid_ones(self, database_url: str) -> None:
        async with serve(settings_for(database_url, sign_up_limit="2/hour")) as api:
            for _ in range(5):
                assert codes(await sign_up(api, password="short")) == [("INVALID", ["password"])]
            found = [codes(await sign_up(api)) for _ in range(3)]
            taken = sorted(found[1])
            assert (found[0], taken, found[2]) == (
                [], [("NOT_UNIQUE", ["email"]), ("NOT_UNIQUE", ["username"])], [("RATE_LIMITED", None)]
            )  # fmt: skip

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
