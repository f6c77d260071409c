"""Signing up."""

import asyncio

import pytest
import sqlalchemy as sa

from gqlapi.models import Base, UserCredential
from tests.accounts.person import ADA, PAIR, PASSWORD, VIEWER, codes, refresh, sign_in, sign_up
from tests.api import Api

pytestmark = pytest.mark.usefixtures("cheap_hashes")


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
            ("password", "PassWord1", "INVALID"),
            ("password", "qwertyuiop", "INVALID"),
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
