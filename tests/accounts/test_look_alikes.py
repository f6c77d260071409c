"""User names that look the same are never both taken, on both databases."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from gqlapi.accounts.passwords import Passwords
from gqlapi.accounts.registration import Registration, register
from gqlapi.names import normalize_username
from gqlapi.problems import Rejected
from gqlapi.repositories import WriteScope
from tests.api import Api, serve, settings_for
from tests.factories import make_user, save
from tests.signing_in import give_password, sign_in_as
from tests.test_names import similar_letters

PASSWORD = "correct horse"
SIGNED_UP = "accessToken user { username displayName }"


async def sign_up(api: Api, username: str, number: int = 0, **given: str) -> dict[str, object]:
    person = {"username": username, "email": f"{number}@example.com", "password": PASSWORD, **given}
    payload: dict[str, object] = await api.payload("signUp", person, SIGNED_UP)
    return payload


def outcome(payload: dict[str, object]) -> list[tuple[str, list[str]]]:
    errors: object = payload["errors"]
    assert isinstance(errors, list)
    return [(error["code"], error["path"]) for error in errors]


def disguises(name: str, count: int) -> Iterator[str]:
    """Yield spellings that look like a name: other letters that look the same, other cases and widths."""
    chance = random.Random(name)  # noqa: S311 - a test that can be repeated
    for _ in range(count):
        yield "".join(chance.choice([letter, *similar_letters(letter)]) for letter in name)
    yield from (name.upper(), "".join(chr(ord(letter) + 0xFEE0) for letter in name))


class TestSignUp:
    async def test_refuses_a_name_that_looks_like_a_taken_one(self, api: Api) -> None:
        await save(api.database, [make_user(username="root1")])
        for number, name in enumerate(("r\u043e\u043et1", "rootl", "ROOT1", "r00t1")):
            assert outcome(await sign_up(api, name, number)) == [("NOT_UNIQUE", ["username"])], name
        assert outcome(await sign_up(api, "root2")) == []

    async def test_tells_a_look_alike_from_a_taken_name(self, api: Api) -> None:
        await save(api.database, [make_user(username="ada")])
        payloads = [await sign_up(api, name) for name in ("Ada", "\u0430da")]
        messages = [payload["errors"][0]["message"] for payload in payloads]  # type: ignore[index] # a list of errors
        assert messages == ["This user name is taken.", "A user has a name that looks like this one."]

    async def test_takes_one_of_two_at_once(self, api: Api) -> None:
        names = ("paypal", "p\u0430ypal")
        payloads = await asyncio.gather(*(sign_up(api, name, number) for number, name in enumerate(names)))
        assert sorted(map(outcome, payloads)) == [[], [("NOT_UNIQUE", ["username"])]]

    async def test_takes_the_name_of_a_deleted_user(self, api: Api) -> None:
        ada = make_user(username="ada")
        await save(api.database, [ada])
        await give_password(api, ada)
        given = {"id": ada.global_id, "currentPassword": PASSWORD}
        await (await sign_in_as(api, ada)).payload("deleteUser", given)
        assert outcome(await sign_up(api, "\u0430da")) == []

    @pytest.mark.parametrize("name", ["admin\ufe0f", "\u3164", "a\u200bb", "ad\u202emin", "\u05d0da", "-a", "a b"])
    async def test_refuses_what_no_name_can_have(self, api: Api, name: str) -> None:
        assert outcome(await sign_up(api, name)) == [("INVALID", ["username"])]

    async def test_normalizes_names(self, api: Api) -> None:
        payload = await sign_up(api, "\uff21da.L", displayName="  Ada \u00a0 \uff2c ")
        assert payload["user"] == {"username": "ada.l", "displayName": "Ada L"}
        client = api.bearing(str(payload["accessToken"]))
        found = await client.data('{ user(by: {username: "ADA.L"}) { displayName } }')
        assert found["user"] == {"displayName": "Ada L"}

    @pytest.mark.parametrize("name", ["admin", "Editorial", "\u0430dmin", "R00T"])
    async def test_refuses_reserved_names(self, api: Api, name: str) -> None:
        payload = await sign_up(api, name)
        assert outcome(payload) == [("INVALID", ["username"])]
        assert payload["errors"][0]["message"] == "This user name is reserved."  # type: ignore[index] # a list of errors

    @pytest.mark.parametrize("name", ["Deleted-x", "d\u0435leted-x", "de1eted-0"])
    async def test_refuses_what_looks_like_a_deleted_user(self, api: Api, name: str) -> None:
        assert outcome(await sign_up(api, name)) == [("INVALID", ["username"])]

    async def test_reserves_what_the_operator_wants(self, database_url: str) -> None:
        async with serve(settings_for(database_url, reserved_usernames=["ceo"])) as api:
            assert outcome(await sign_up(api, "ce\u043e")) == [("INVALID", ["username"])]
            assert outcome(await sign_up(api, "admin")) == []


class TestRegister:
    async def test_never_takes_two_names_that_look_the_same(self, api: Api) -> None:
        groups = {name: [*disguises(name, 12)] for name in ("coco1", "mirror", "paulsen", "0oops")}
        taken: dict[str, list[str]] = {name: [] for name in groups}
        for number, (group, name) in enumerate((group, name) for group, names in groups.items() for name in names):
            registration = Registration(name, f"{number}@example.com", PASSWORD)
            try:
                registration.check()
                async with api.database.write() as session:
                    await register(WriteScope(session), registration.to_user(), "")
            except Rejected as rejected:
                assert {problem.code for problem in rejected.problems} <= {"NOT_UNIQUE", "INVALID"}  # noqa: PT017
            else:
                taken[group].append(name)
        assert {group: len(names) for group, names in taken.items()} == dict.fromkeys(groups, 1)
        assert sum(len({normalize_username(name) for name in names}) for names in groups.values()) > 40


class TestPassword:
    @pytest.mark.parametrize("login", ["pa\u0308sswo\u0308rd-e\u0301", "p\u00e4ssw\u00f6rd-\u00e9"])
    async def test_may_be_typed_on_another_machine(self, api: Api, login: str) -> None:
        assert outcome(await sign_up(api, "ada", password="p\u00e4ssw\u00f6rd-\u00e9")) == []
        payload = await api.payload("signIn", {"login": "ADA", "password": login}, "accessToken")
        assert payload["errors"] == []

    async def test_of_other_letters_is_wrong(self, api: Api) -> None:
        assert outcome(await sign_up(api, "ada", password="passw\u00f6rd-\u00e9")) == []
        payload = await api.payload("signIn", {"login": "ada", "password": "passwo\u00a8rd-\u00e9"}, "accessToken")
        assert [code for code, _ in outcome(payload)] == ["UNAUTHENTICATED"]

    @pytest.mark.parametrize("password", ["".join(map(chr, range(0x20, 0x7F))), "p\u00e4ssw\u00f6rd", "tab\tpassword"])
    async def test_is_right_by_a_hash_from_before(self, password: str) -> None:
        """Those that are refused today among them: what PRECIS leaves as it is, is compared as it is."""
        password_hash = PasswordHasher().hash(password)
        assert await Passwords().verify(password_hash, password)
        assert not await Passwords().verify(password_hash, f"{password}!")

    async def test_that_cannot_be_typed_is_refused(self, api: Api) -> None:
        assert outcome(await sign_up(api, "ada", password="pass\x07word")) == [("INVALID", ["password"])]
