"""How often one address may try to sign in or up."""

import ipaddress
import math
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from limits import parse

from gqlapi.accounts.tokens import hash_secret
from gqlapi.problems import RateLimitedProblem, Rejected

# What one customer of a provider is given of IPv6.
IPV6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """Limits in words, such as `5/minute`."""

    sign_in: str
    sign_in_address: str
    sign_up: str


class MovingWindow:
    """Counts the attempts of each key within the time that a limit names.

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
        # When each attempt is forgotten, oldest first; the keys in the order of their last attempt.
        self._ends: OrderedDict[str, deque[float]] = OrderedDict()

    def attempt(self, key: str) -> float:
        """Count an attempt and return 0, or refuse it and return after how many seconds one is possible."""
        now = time.monotonic()
        self._forget(now)
        ends = self._ends.get(key) or deque()
        while ends and ends[0] <= now:
            ends.popleft()
        if len(ends) >= self._most:
            return ends[0] - now if ends else self._seconds
        ends.append(now + self._seconds)
        self._ends[key] = ends
        self._ends.move_to_end(key)
        return 0

    def clear(self, key: str) -> None:
        """Forget the attempts of a key."""
        self._ends.pop(key, None)

    def _forget(self, now: float) -> None:
        """Give the memory of the keys back whose attempts are all over."""
        while self._ends and next(iter(self._ends.values()))[-1] <= now:
            self._ends.popitem(last=False)


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
    # The key in one length, whatever is sent.
    return f"{network_of(address)} {hash_secret(key)}"
