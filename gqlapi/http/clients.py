"""Who sends a request, as far as its connection and its headers say."""

import hashlib

from starlette.requests import HTTPConnection

from gqlapi.accounts import Client
from gqlapi.accounts.throttling import network_of


def client_of(request: HTTPConnection) -> Client:
    """Return the client of a request.

    Its keys are its network, and its token if it has one, valid or not. Both are bounded: many made-up tokens of one
    network get no more than the network, and one token in many networks no more than a client.
    """
    address = request.client.host if request.client else ""
    token = request.headers.get("authorization")
    token_keys = () if token is None else (hashlib.sha256(token.encode()).digest(),)
    return Client(address, request.headers.get("user-agent"), (network_of(address), *token_keys))
