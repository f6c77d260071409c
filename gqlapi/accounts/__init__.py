"""Callers: who they are, how they authenticate, and what they may do."""

from dataclasses import dataclass, field
from datetime import timedelta

from gqlapi.accounts.passwords import Passwords
from gqlapi.accounts.registration import ReservedNames
from gqlapi.accounts.throttling import Throttle
from gqlapi.accounts.tokens import AccessTokens
from gqlapi.database.gate import ClientKeys


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, and the keys by which the client gets its share of the server."""

    address: str = ""
    user_agent: str | None = None
    keys: ClientKeys = ()


@dataclass(frozen=True, slots=True)
class Accounts:
    """The account services; one for the process."""

    passwords: Passwords
    access_tokens: AccessTokens
    throttle: Throttle
    refresh_lifetime: timedelta
    session_lifetime: timedelta
    reserved_names: ReservedNames = field(default_factory=ReservedNames)
