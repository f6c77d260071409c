"""How often one may try to sign in, sign up and refresh a session."""

import ipaddress
import math
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_hex
from typing import Any
from uuid import UUID

from limits import parse

from gqlapi.problems import RateLimitedProblem, Rejected
from gqlapi.shared import SharedStore

# What one customer of a provider is given of IPv6.
IPV6_PREFIX = 64
# Of each of the five windows: about 7,000 keys. Counting does not stop an attacker with more addresses than that.
MAX_WINDOW_BYTES = 3 * 2**20
# Measured: a key, its array and its entry in the dictionary.
BYTES_PER_KEY = 400
BYTES_PER_ATTEMPT = 8
KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """Limits in words, such as `5/minute`."""

    sign_in: str
    sign_in_address: str
    sign_in_account: str
    sign_up: str
    refresh: str


class MovingWindow:
    """Counts the attempts of each key within the time that a limit names, in at most `MAX_WINDOW_BYTES`.

    Beyond that, the keys with the oldest last attempts are evicted.

    Not the in-memory storage of `limits`: with each attempt it walks all keys, in a thread each (measured 90 µs for
    one), and it fails when a key is cleared in the meantime.
    """

    def __init__(self, limit: str) -> None:
        """Start with no attempts.

        Raises:
            ValueError: the limit cannot be read.
        """
        parsed = parse(limit)
        self._most, self._seconds = parsed.amount, parsed.get_expiry()
        # When each attempt is forgotten, oldest first; the keys, hashed to one length, in the order of their last
        # attempt.
        self._ends: OrderedDict[bytes, array[float]] = OrderedDict()
        self._bytes = 0

    def attempt(self, key: str) -> float:
        """Count an attempt and return 0, or refuse it and return after how many seconds one is possible."""
        now, hashed = time.monotonic(), _hash(key)
        self._forget(now)
        ends = self._ends.get(hashed, array("d"))
        ends = ends[bisect_right(ends, now) :]
        if len(ends) >= self._most:
            return ends[0] - now if ends else self._seconds
        ends.append(now + self._seconds)
        self._remove(hashed)
        self._ends[hashed] = ends
        self._bytes += _size(ends)
        while self._bytes > MAX_WINDOW_BYTES and len(self._ends) > 1:
            self._remove(next(iter(self._ends)))
        return 0

    def clear(self, key: str) -> None:
        """Forget the attempts of a key."""
        self._remove(_hash(key))

    def _forget(self, now: float) -> None:
        """Give the memory of the keys back whose attempts are all over."""
        while self._ends and next(iter(self._ends.values()))[-1] <= now:
            self._remove(next(iter(self._ends)))

    def _remove(self, hashed: bytes) -> None:
        ends = self._ends.pop(hashed, None)
        self._bytes -= 0 if ends is None else _size(ends)


# Returns the milliseconds after which an attempt is possible; the time is that of Redis.
ATTEMPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= most then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) - now or window
end
redis.call('ZADD', KEYS[1], now + window, ARGV[3])
redis.call('PEXPIRE', KEYS[1], window)
return 0
"""


class SharedWindow:
    """Counts the attempts of each key for all processes; while Redis is down, for this one."""

    def __init__(self, limit: str, store: SharedStore, name: str) -> None:
        """Start with the attempts that Redis has; `name` is part of its keys.

        Raises:
            ValueError: the limit cannot be read.
        """
        parsed = parse(limit)
        self._limits = [parsed.amount, 1000 * parsed.get_expiry()]
        self._store = store
        self._name = name
        self._own = MovingWindow(limit)
        self._script = store.script(ATTEMPT)

    async def attempt(self, key: str) -> float:
        """Count an attempt and return 0, or refuse it and return after how many seconds one is possible."""

        async def attempt(redis: Any) -> float:
            milliseconds: int = await self._script(redis, [self._key(key)], [*self._limits, token_hex(8)])
            return milliseconds / 1000

        return await self._store.use(attempt, lambda: self._own.attempt(key))

    async def clear(self, key: str) -> None:
        """Forget the attempts of a key."""
        self._own.clear(key)
        await self._store.use(lambda redis: redis.delete(self._key(key)), lambda: 0)

    def _key(self, key: str) -> str:
        return f"gqlapi:attempts:{self._name}:{_hash(key).hex()}"


def _size(ends: "array[float]") -> int:
    return BYTES_PER_KEY + BYTES_PER_ATTEMPT * len(ends)


def _hash(key: str) -> bytes:
    return blake2b(key.encode(errors="surrogatepass"), digest_size=KEY_BYTES).digest()


Window = MovingWindow | SharedWindow


class Throttle:
    """Counts attempts, in Redis if there is a store, else in the memory of one process.

    Passwords have three budgets: of an address, of an account from one address, and of an account from all addresses.
    An account is counted under the login that was typed, which a refusal may reveal, and under its id, which ties its
    names together and must not reveal that they belong to each other.
    """

    def __init__(self, limits: AttemptLimits, store: SharedStore | None = None) -> None:
        """Start with the attempts that the store has, or with none.

        Raises:
            ValueError: a limit cannot be read.
        """

        def window(limit: str, name: str) -> Window:
            return MovingWindow(limit) if store is None else SharedWindow(limit, store, name)

        self._address = window(limits.sign_in_address, "address")
        self._pair = window(limits.sign_in, "pair")
        self._account = window(limits.sign_in_account, "account")
        self._sign_up = window(limits.sign_up, "sign-up")
        self._refresh = window(limits.refresh, "refresh")

    async def sign_in(self, address: str, key: str) -> None:
        """Count an attempt to sign in, by its address and by the key that the user is looked up by.

        Raises:
            Rejected: there were too many.
        """
        await _attempt(self._address, network_of(address))
        await self._attempt_account(address, key)

    async def password(self, address: str, user_id: UUID) -> None:
        """Count a check of the password of a user who is signed in, among the attempts to sign in.

        Raises:
            Rejected: there were too many.
        """
        await _attempt(self._address, network_of(address))
        await self._attempt_account(address, _account(user_id))

    async def is_exhausted(self, address: str, user_id: UUID) -> bool:
        """Count an attempt to sign in by the user whom the key led to; whether there were too many, under any name.

        The answer to the client must be that to a wrong password: else it shows that two names are one account.
        """
        try:
            await self._attempt_account(address, _account(user_id))
        except Rejected:
            return True
        return False

    async def succeeded(self, address: str, user_id: UUID, key: str | None = None) -> None:
        """Forget the attempts for somebody who has given the right password."""
        for account in (_account(user_id), key):
            if account is not None:
                await _clear(self._pair, _pair(address, account))
                await _clear(self._account, account)

    async def sign_up(self, address: str) -> None:
        """Count a valid attempt to sign up, by its address.

        Raises:
            Rejected: there were too many.
        """
        await _attempt(self._sign_up, network_of(address))

    async def refresh(self, address: str) -> None:
        """Count an attempt to refresh a session, by its address.

        Raises:
            Rejected: there were too many.
        """
        await _attempt(self._refresh, network_of(address))

    async def _attempt_account(self, address: str, account: str) -> None:
        await _attempt(self._pair, _pair(address, account))
        await _attempt(self._account, account)


async def _attempt(window: Window, key: str) -> None:
    wait = await window.attempt(key) if isinstance(window, SharedWindow) else window.attempt(key)
    seconds = math.ceil(wait)
    if seconds > 0:
        message = f"Too many attempts. Try again in {seconds} seconds."
        raise Rejected(RateLimitedProblem(message=message, retry_after_seconds=seconds))


async def _clear(window: Window, key: str) -> None:
    if isinstance(window, SharedWindow):
        await window.clear(key)
    else:
        window.clear(key)


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 address.

    All text that is no address counts as one client: a socket of the same machine, and what a proxy passes on
    unchecked.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:  # a socket of both protocols; in one network they would all be one address
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def _account(user_id: UUID) -> str:
    # No login has a NUL.
    return f"\0{user_id}"


def _pair(address: str, account: str) -> str:
    # No address has a NUL: no two pairs are one text.
    return f"{network_of(address)}\0{account}"
