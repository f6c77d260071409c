"""A signed-in author, and a server's own state."""

import pytest

from gqlapi.http.subscriptions import Subscriptions
from gqlapi.models import User
from tests.api import Api
from tests.factories import make_user, save
from tests.signing_in import sign_in_as


@pytest.fixture
async def user(api: Api) -> User:
    user = make_user(username="ada")
    await save(api.database, [user])
    return user


@pytest.fixture
async def ada(api: Api, user: User) -> Api:
    return await sign_in_as(api, user)


@pytest.fixture
def subscriptions(api: Api) -> Subscriptions:
    subscriptions: Subscriptions = api.app.state.subscriptions
    return subscriptions
