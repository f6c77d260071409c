"""How often one address may try to sign in or up."""

import ipaddress
import math
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

from limits import parse

from gqlapi.problems import RateLimitedProblem, Rejected

# What one customer of a provider is given of IPv6.
IPV6_PREFIX = 64
# Per window: about 12,000 keys. Counting does not stop an attacker with more addresses than that.
MAX_WINDOW_BYTES = 5 * 2**20
# Measured: a key, its array and its entry in the dictionary.
BYTES_PER_KEY = 400
BYTES_PER_ATTEMPT = 8
KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """Limits in words, such as `5/minute`."""

    sign_in: str
    sign_in_address: str
    sign_up: str


class MovingWindow:
    """Counts the attempts of each key within the time that a limit names, in at most `MAX_WINDOW_BYTES`.

    Beyond that, the keys with the oldest last attempts are evicted.

    Not the in-memory storage of `limits`: with each attempt it walks all keys, in a thread each (measured 90 µs for
    one), and it fails when a key is cleared meanwhile.
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


def _size(ends: "array[float]") -> int:
    return BYTES_PER_KEY + BYTES_PER_ATTEMPT * len(ends)


def _hash(key: str) -> bytes:
    return blake2b(key.encode(errors="surrogatepass"), digest_size=KEY_BYTES).digest()


class Throttle:
    """Counts attempts in the memory of one process; its methods are asynchronous because a shared store's would be."""

    def __init__(self, limits: AttemptLimits) -> None:
        """Start with no attempts.

        Raises:
            ValueError: a limit cannot be read.
        """
        self._sign_in = MovingWindow(limits.sign_in)
        self._sign_in_address = MovingWindow(limits.sign_in_address)
        self._sign_up = MovingWindow(limits.sign_up)

    async def sign_in(self, address: str, key: str) -> None:
        """Count an attempt to sign in, by its address, and by its address and the key of whom it is for.

        The key is the one that the user is looked up by: else another spelling of a login is another five attempts.

        Raises:
            Rejected: there were too many.
        """
        _attempt(self._sign_in_address, network_of(address))
        _attempt(self._sign_in, _pair(address, key))

    async def signed_in(self, address: str, key: str) -> None:
        """Forget the attempts for somebody who has succeeded."""
        self._sign_in.clear(_pair(address, key))

    async def sign_up(self, address: str) -> None:
        """Count an attempt to sign up, by its address.

        Raises:
            Rejected: there were too many.
        """
        _attempt(self._sign_up, network_of(address))


def _attempt(window: MovingWindow, key: str) -> None:
    seconds = math.ceil(window.attempt(key))
    if seconds > 0:
        message = f"Too many attempts. Try again in {seconds} seconds."
        raise Rejected(RateLimitedProblem(message=message, retry_after_seconds=seconds))


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a socket of the same machine
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:  # a socket of both protocols; in one network they would all be one address
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def _pair(address: str, key: str) -> str:
    # No address has a NUL: no two pairs are one text.
    return f"{network_of(address)}\0{key}"
