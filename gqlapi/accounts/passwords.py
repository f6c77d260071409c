"""Passwords: checked, hashed with argon2id, and verified in the same time whether or not there is one.

The parameters are among those that the OWASP Password Storage Cheat Sheet lists as equal minimums for Argon2id: 12 MiB,
three passes, one lane (https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html). Section 4 of
RFC 9106 recommends 64 MiB and more, and leaves the choice to the deployment: here any client can cause a hash.
"""

import asyncio
import base64
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import Parameters, PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from gqlapi.accounts.common_passwords import is_common
from gqlapi.checks import invalid, too_long
from gqlapi.names import normalize_password
from gqlapi.problems import Path, Problem

MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 200
PARAMETERS = Parameters(
    type=Type.ID,
    version=ARGON2_VERSION,
    salt_len=16,
    hash_len=32,
    time_cost=3,
    memory_cost=12_288,  # KiB
    parallelism=1,
)
# Of one worker process: as much as 48 MiB.
MAX_AT_ONCE = 4
T = TypeVar("T")


def check_password(password: str, path: Path) -> Iterator[Problem]:
    """Check a new password: long enough, possible to type again, and not common (NIST SP 800-63B, section 3.1.1)."""
    if len(password) > MAX_PASSWORD_LENGTH:
        yield too_long(path, MAX_PASSWORD_LENGTH)
        return
    normalized = normalize_password(password) if password else ""
    if normalized is None:
        yield invalid(path, "A password cannot have control characters and other characters that cannot be typed.")
    elif len(normalized) < MIN_PASSWORD_LENGTH:
        yield invalid(path, f"A password has at least {MIN_PASSWORD_LENGTH} characters.")
    elif is_common(normalized):
        yield invalid(path, "Many people use this password, so it is guessed first. Choose another one.")


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Passwords:
    """Hashes in threads, as many at once as the process may use processors, but at most four.

    Each hash takes 12 MiB and some 25 ms of one processor. The threads here are the bound, not a lock that is held
    while one is awaited: a client who goes away gives up a lock while the thread still runs.
    """

    def __init__(self) -> None:
        """Prepare the hash that replaces a user who is not there."""
        self._hasher = PasswordHasher.from_parameters(PARAMETERS)
        self._threads = ThreadPoolExecutor(min(processors(), MAX_AT_ONCE), thread_name_prefix="passwords")
        self._dummy = _hash_of_nobody(PARAMETERS)

    async def hash(self, password: str) -> str:
        """Hash a password that was checked; it is the same one however it is typed."""
        return await self._run(lambda: self._hasher.hash(_prepared(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Compare a password with a hash; without one it takes as long, and fails.

        A hash with other parameters than today's takes another time, until its user has signed in once.
        """
        is_right = await self._run(lambda: self._compare(password_hash or self._dummy, password))
        return is_right and password_hash is not None

    async def renew(self, password_hash: str, password: str) -> str | None:
        """Hash a verified password anew when its hash was made with other parameters than today's, else None."""
        return await self.hash(password) if self._hasher.check_needs_rehash(password_hash) else None

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _compare(self, password_hash: str, password: str) -> bool:
        # A longer one was never set; it is cut, so that it costs no more than others.
        try:
            return self._hasher.verify(password_hash, _prepared(password[: MAX_PASSWORD_LENGTH + 1]))
        except (VerificationError, InvalidHashError):
            return False


def _prepared(password: str) -> str:
    # What is refused today may be the password of a hash from before.
    return normalize_password(password) or password


def _hash_of_nobody(parameters: Parameters) -> str:
    """Return a hash that no password is known for, made without the work of hashing one."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (parameters.salt_len, parameters.hash_len)
    )
    costs = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v={parameters.version}${costs}${salt}${digest}"
