"""Passwords: how they are hashed, and what happens when they change while somebody signs in."""

import asyncio
import os
import sys
import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from gqlapi.accounts.common_passwords import common_passwords
from gqlapi.accounts.passwords import (
    MAX_AT_ONCE,
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    PARAMETERS,
    Passwords,
    check_password,
    processors,
)
from gqlapi.models import User, UserCredential
from gqlapi.problems import ProblemCode
from tests.api import ERRORS, Api
from tests.factories import make_user, save
from tests.signing_in import accounts_of, sign_in_as

PASSWORD = "correct horse"
WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def cheap_hashes() -> None:
    """Hash as the server does: hashes are the subject."""


async def make_ada(api: Api, password_hash: str | None = None) -> User:
    """Create a user whose password is stored with weaker parameters than today's."""
    ada = make_user(username="ada")
    await save(api.database, [ada])
    await set_hash(api, ada, password_hash or WEAK.hash(PASSWORD))
    return ada


async def set_hash(api: Api, user: User, password_hash: str) -> None:
    async with api.database.write() as session:
        await session.merge(UserCredential(user_id=user.id, password_hash=password_hash))


async def credential_of(api: Api, user: User) -> UserCredential:
    async with api.database.write() as session:
        return await session.get_one(UserCredential, user.id)


async def sign_in(api: Api, password: str = PASSWORD) -> Any:
    return await api.payload("signIn", {"login": "ada", "password": password}, "refreshToken")


class TestCommonPasswords:
    def test_are_thousands_that_are_long_enough_for_us(self) -> None:
        long_enough = [password for password in common_passwords() if len(password) >= MIN_PASSWORD_LENGTH]
        assert len(long_enough) > 10_000
        assert all(password == password.lower() for password in long_enough)

    @pytest.mark.parametrize("password", ["password", "PASSWORD", " Iloveyou ", "1qaz2wsx", "\uff50assword"])
    def test_are_refused_in_every_spelling(self, password: str) -> None:
        [problem] = check_password(password, ("password",))
        assert (problem.code, problem.path) == (ProblemCode.INVALID, ("password",))

    @pytest.mark.parametrize("password", [PASSWORD, "password of mine", "p" * MAX_PASSWORD_LENGTH])
    def test_are_not_all_that_contain_one(self, password: str) -> None:
        assert [*check_password(password, ("password",))] == []

    def test_are_all_that_is_kept_of_the_package(self) -> None:
        """It would take 12 MB."""
        assert "zxcvbn" not in sys.modules


class TestHash:
    async def test_has_the_parameters_that_owasp_recommends(self) -> None:
        hashed = await Passwords().hash(PASSWORD)
        assert extract_parameters(hashed) == PARAMETERS
        assert hashed.startswith("$argon2id$v=19$m=12288,t=3,p=1$")

    async def test_is_another_each_time(self) -> None:
        passwords = Passwords()
        one, other = await passwords.hash(PASSWORD), await passwords.hash(PASSWORD)
        assert one != other
        assert await passwords.verify(one, PASSWORD)
        assert await passwords.verify(other, PASSWORD)

    async def test_of_nobody_is_like_any_other_and_fits_nothing(self) -> None:
        passwords = Passwords()
        assert extract_parameters(passwords._dummy) == PARAMETERS
        with pytest.raises(VerifyMismatchError):  # and not "invalid hash", which takes no time
            PasswordHasher().verify(passwords._dummy, PASSWORD)
        assert not await passwords.verify(None, PASSWORD)

    async def test_that_cannot_be_read_fits_nothing(self) -> None:
        assert not await Passwords().verify("x", PASSWORD)

    async def test_runs_once_for_each_processor_whoever_gives_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        passwords, running, most, lock = Passwords(), 0, 0, threading.Lock()

        def hash_slowly(_password: str) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1
            return "x"

        monkeypatch.setattr(passwords, "_hasher", None)
        monkeypatch.setattr(Passwords, "hash", lambda self, password: self._run(lambda: hash_slowly(password)))
        for _ in range(5):
            tasks = [asyncio.create_task(passwords.hash(PASSWORD)) for _ in range(8)]
            await asyncio.sleep(0.005)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert await passwords.hash(PASSWORD) == "x"
        assert 1 <= most <= min(processors(), MAX_AT_ONCE)

    @pytest.mark.parametrize(("usable", "at_once"), [(1, 1), (3, 3), (64, 4)])
    def test_runs_on_the_processors_that_may_be_used(
        self, monkeypatch: pytest.MonkeyPatch, usable: int, at_once: int
    ) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: 128)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(usable)}, raising=False)
        assert Passwords()._threads._max_workers == at_once

    @pytest.mark.parametrize(("counted", "at_once"), [(None, 1), (2, 2), (64, 4)])
    def test_runs_on_all_processors_where_the_system_does_not_tell(
        self, monkeypatch: pytest.MonkeyPatch, counted: int | None, at_once: int
    ) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: counted)
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        assert Passwords()._threads._max_workers == at_once


class TestSignIn:
    async def test_hashes_anew_what_was_hashed_otherwise(self, api: Api) -> None:
        ada = await make_ada(api)
        before = await credential_of(api, ada)
        assert (await sign_in(api))["errors"] == []
        after = await credential_of(api, ada)
        assert extract_parameters(after.password_hash) == PARAMETERS
        assert after.updated_at == before.updated_at  # the password is the same
        assert (await sign_in(api))["errors"] == []
        assert (await credential_of(api, ada)).password_hash == after.password_hash

    async def test_verifies_and_renews_hashes_of_earlier_releases(self, api: Api) -> None:
        ada = await make_ada(api, PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY).hash(PASSWORD))
        assert (await sign_in(api, "wrong password"))["errors"]
        assert (await sign_in(api))["errors"] == []
        assert extract_parameters((await credential_of(api, ada)).password_hash) == PARAMETERS

    async def test_keeps_the_hash_when_the_password_is_wrong(self, api: Api) -> None:
        ada = await make_ada(api)
        before = await credential_of(api, ada)
        assert (await sign_in(api, "wrong password"))["errors"]
        assert (await credential_of(api, ada)).password_hash == before.password_hash

    async def test_in_parallel_hashes_anew_and_succeeds(self, api: Api) -> None:
        await make_ada(api)
        payloads = await asyncio.gather(*(sign_in(api) for _ in range(4)))
        assert [payload["errors"] for payload in payloads] == [[]] * 4

    async def test_with_a_password_that_is_just_being_changed_begins_nothing(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada = await make_ada(api)
        renew = Passwords.renew

        async def change_meanwhile(self: Passwords, *args: Any) -> str | None:
            await set_hash(api, ada, WEAK.hash("battery staple"))
            return await renew(self, *args)

        monkeypatch.setattr(Passwords, "renew", change_meanwhile)
        assert [error["code"] for error in (await sign_in(api))["errors"]] == ["UNAUTHENTICATED"]
        monkeypatch.undo()
        assert (await sign_in(api, "battery staple"))["errors"] == []


CHANGE = f"mutation($input: ChangePasswordInput!) {{ changePassword(input: $input) {{ {ERRORS} }} }}"


class TestChangePassword:
    async def test_of_two_at_once_lets_one_win(self, api: Api) -> None:
        ada = await make_ada(api, await accounts_of(api).passwords.hash(PASSWORD))
        clients = [await sign_in_as(api, ada) for _ in range(2)]
        results = await asyncio.gather(
            *(
                client.execute(
                    CHANGE, {"input": {"currentPassword": PASSWORD, "newPassword": f"new password {number}"}}
                )
                for number, client in enumerate(clients)
            )
        )
        # The other one has a wrong password by then, or a session that has ended.
        data = [result.get("data") or {"changePassword": {"errors": result["errors"]}} for result in results]
        assert sorted(len(payloads["changePassword"]["errors"]) for payloads in data) == [0, 1]

    async def test_beside_refreshes_leaves_no_old_session(self, api: Api) -> None:
        await make_ada(api, await accounts_of(api).passwords.hash(PASSWORD))
        password = PASSWORD
        for number in range(5):
            signed_in = await api.payload("signIn", {"login": "ada", "password": password}, "accessToken refreshToken")
            given = {"currentPassword": password, "newPassword": f"new password {number}"}
            token = {"refreshToken": signed_in["refreshToken"]}
            changing = api.bearing(signed_in["accessToken"]).payload("changePassword", given)
            changed, *_ = await asyncio.gather(
                changing, *(self.refresh_after(api, token, 0.02 * pause) for pause in range(8))
            )
            assert changed["errors"] == []
            password = given["newPassword"]
            assert (await api.payload("refreshSession", token))["errors"]
        async with api.database.write() as session:
            count = await session.scalar(sa.text("SELECT count(*) FROM sessions"))
        assert count == 1

    async def refresh_after(self, api: Api, token: dict[str, str], seconds: float) -> Any:
        await asyncio.sleep(seconds)
        return await api.payload("refreshSession", token)
