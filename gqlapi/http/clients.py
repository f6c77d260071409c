"""The headers of a request, and its client as far as the connection and the headers show it."""

import hashlib
from functools import lru_cache

import structlog
from starlette.types import Scope

from gqlapi.accounts import Client
from gqlapi.accounts.throttling import network_of
from gqlapi.lines import printable

Headers = dict[bytes, bytes]
FORWARDED_FOR = b"x-forwarded-for"

logger = structlog.get_logger()


def headers_of(scope: Scope) -> Headers:
    """Return the headers of a request by their names in lower case; of repeated ones the first."""
    return dict(reversed(scope["headers"]))


@lru_cache(maxsize=4_096)
def _read_address(text: str) -> tuple[str, str]:
    """Return an address and its network; parsing it takes longer than the rest of `client_of`.

    A proxy may pass on any text as the address, which goes to the log and to terminals.
    """
    address = printable(text)
    return address, network_of(address)


class Clients:
    """Finds the clients of requests; warns once when a proxy names them that is not trusted."""

    def __init__(self) -> None:
        """Start without a warning."""
        self._has_warned = False

    def client_of(self, scope: Scope, headers: Headers) -> Client:
        """Return the client of a request.

        Its keys are its network, and its token if it has one, valid or not. Both are bounded: many made-up tokens of
        one network get no more than the network, and one token in many networks no more than a client.
        """
        peer = scope.get("client")
        address, network = _read_address(peer[0]) if peer else _read_address("")
        if FORWARDED_FOR in headers and not self._has_warned:
            self._check_forwarded(scope, address)
        token, agent = headers.get(b"authorization"), headers.get(b"user-agent")
        token_keys = () if token is None else (hashlib.sha256(token).digest(),)
        user_agent = None if agent is None else agent.decode("latin-1")
        return Client(address, user_agent, (network, *token_keys))

    def _check_forwarded(self, scope: Scope, address: str) -> None:
        """Warn if the client is the peer although a header names another: who is trusted has replaced it."""
        forwarded = b",".join(value for name, value in scope["headers"] if name == FORWARDED_FOR)
        if address.encode() in forwarded:
            return
        self._has_warned = True
        logger.warning(
            "X-Forwarded-For comes from a peer that is not trusted, and is ignored: if it is your proxy, name it in "
            "GQLAPI_TRUSTED_PROXIES; all its visitors share one address until then",
            peer=address,
        )
