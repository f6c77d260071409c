"""Clients that are signed in, without the cost of a password's hash."""

from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from gqlapi.accounts import Accounts
from gqlapi.accounts.tokens import API_TOKEN_PREFIX, Claims, hash_secret, new_secret
from gqlapi.database.types import utc_now
from gqlapi.models import ApiScope, ApiToken, Session, User, UserCredential, new_id
from tests.api import Api

PASSWORD = "correct horse"


def accounts_of(api: Api) -> Accounts:
    accounts: Accounts = api.app.state.accounts
    return accounts


async def sign_in_as(api: Api, user: User) -> Api:
    """Return a client with the access token of a session of the user's."""
    now = utc_now()
    session = Session(id=new_id(), user_id=user.id, expires_at=now + timedelta(days=1))
    async with api.database.write() as transaction:
        transaction.add(session)
    token, _ = accounts_of(api).access_tokens.issue(Claims(user.id, session.id), now)
    return api.bearing(token)


async def with_api_token(api: Api, user: User, *scopes: ApiScope, **values: Any) -> Api:
    """Return a client with an API token of the user's."""
    secret = new_secret(API_TOKEN_PREFIX)
    token = ApiToken(user_id=user.id, hash=hash_secret(secret), name="test", scopes=frozenset(scopes), **values)
    async with api.database.write() as transaction:
        transaction.add(token)
    return api.bearing(secret)


async def give_password(api: Api, *users: User, password: str = PASSWORD) -> None:
    """Give users a password, whose hash costs next to nothing."""
    password_hash = PasswordHasher.from_parameters(CHEAPEST).hash(password)
    async with api.database.write() as transaction:
        transaction.add_all(UserCredential(user_id=user.id, password_hash=password_hash) for user in users)
