"""The headers of a request, and its client as far as the connection and the headers show it."""

import hashlib
from functools import lru_cache

from starlette.types import Scope

from gqlapi.accounts import Client
from gqlapi.accounts.throttling import network_of

Headers = dict[bytes, bytes]
# Parsing an address takes longer than the rest of `client_of`.
_network_of = lru_cache(maxsize=4_096)(network_of)


def headers_of(scope: Scope) -> Headers:
    """Return the headers of a request by their names in lower case; of repeated ones the first."""
    return dict(reversed(scope["headers"]))


def client_of(scope: Scope, headers: Headers) -> Client:
    """Return the client of a request.

    Its keys are its network, and its token if it has one, valid or not. Both are bounded: many made-up tokens of one
    network get no more than the network, and one token in many networks no more than a client.
    """
    address = scope["client"][0] if scope.get("client") else ""
    token, agent = headers.get(b"authorization"), headers.get(b"user-agent")
    token_keys = () if token is None else (hashlib.sha256(token).digest(),)
    user_agent = None if agent is None else agent.decode("latin-1")
    return Client(address, user_agent, (_network_of(address), *token_keys))
