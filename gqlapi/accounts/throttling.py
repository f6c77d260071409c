"""How often one address may try to sign in or up."""

import ipaddress
import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from gqlapi.accounts.tokens import hash_secret
from gqlapi.problems import RateLimitedProblem, Rejected
from gqlapi.words import fold

# What one customer of a provider is given of IPv6.
IPV6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """Limits in words, such as `5/minute`."""

    sign_in: str
    sign_in_address: str
    sign_up: str


class Throttle:
    """Counts attempts in moving windows, in the memory of one process."""

    def __init__(self, limits: AttemptLimits) -> None:
        """Start with no attempts.

        Raises:
            ValueError: a limit cannot be read.
        """
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._sign_in = parse(limits.sign_in)
        self._sign_in_address = parse(limits.sign_in_address)
        self._sign_up = parse(limits.sign_up)

    async def sign_in(self, address: str, login: str) -> None:
        """Count an attempt to sign in, by its address and by address and login.

        Raises:
            Rejected: there were too many.
        """
        await self._hit(self._sign_in_address, "sign-in", _network(address))
        await self._hit(self._sign_in, "sign-in", _network(address), _name(login))

    async def signed_in(self, address: str, login: str) -> None:
        """Forget the attempts of a login that has succeeded."""
        await self._limiter.clear(self._sign_in, "sign-in", _network(address), _name(login))

    async def sign_up(self, address: str) -> None:
        """Count an attempt to sign up, by its address.

        Raises:
            Rejected: there were too many.
        """
        await self._hit(self._sign_up, "sign-up", _network(address))

    async def _hit(self, limit: RateLimitItem, *key: str) -> None:
        if await self._limiter.hit(limit, *key):
            return
        reset_at = (await self._limiter.get_window_stats(limit, *key)).reset_time
        seconds = max(1, math.ceil(reset_at - time.time()))
        message = f"Too many attempts. Try again in {seconds} seconds."
        raise Rejected(RateLimitedProblem(message=message, retry_after_seconds=seconds))


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a socket of the same machine
        return address
    if parsed.version == 4:  # noqa: PLR2004 - of the protocol
        return address
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def _name(login: str) -> str:
    # Of one length, whatever is sent.
    return hash_secret(fold(login))
