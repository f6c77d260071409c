"""A mutation runs with the rights that its viewer has then, not with those that the request began with."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.models import ApiScope, ApiToken, GlobalId, Post, Session, User, UserRole
from tests.api import Api
from tests.consistency import count
from tests.factories import make_user, save
from tests.signing_in import give_password, sign_in_as, with_api_token

CREATE = 'createPost(input: {title: "A", markdown: "", publish: true, idempotencyKey: "k"}) { errors { code } }'


@pytest.fixture
async def root(api: Api) -> User:
    """An admin."""
    root = make_user(role=UserRole.ADMIN)
    await save(api.database, [root, make_user(role=UserRole.ADMIN)])
    await give_password(api, root)
    return root


async def create_after(client: Api, mutation: str) -> tuple[Any, Any]:
    """Run a mutation, and one that writes a post, in one operation; return the errors of both."""
    data = await client.data(f"mutation {{ first: {mutation} {{ errors {{ code }} }} {CREATE} }}")
    return data["first"]["errors"], data["createPost"]["errors"]


@pytest.mark.parametrize(
    ("mutation", "code"),
    [
        ('deleteUser(input: {{id: "{id}", currentPassword: "correct horse"}})', "UNAUTHENTICATED"),
        ("signOut(input: {{everywhere: true}})", "UNAUTHENTICATED"),
        ("signOut(input: {{}})", "UNAUTHENTICATED"),
        ('setUserRole(input: {{id: "{id}", role: READER}})', "FORBIDDEN"),
    ],
)
async def test_end_with_the_mutation_before(api: Api, root: User, mutation: str, code: str) -> None:
    first, second = await create_after(await sign_in_as(api, root), mutation.format(id=root.global_id))
    assert (first, second) == ([], [{"code": code}])
    assert await count(api.database, Post) == 0


async def test_end_with_the_token(api: Api, root: User) -> None:
    client = await with_api_token(api, root, *ApiScope)
    async with api.database.write() as session:
        token = (await session.scalars(sa.select(ApiToken))).one()
    token_id = GlobalId("ApiToken", token.id).encode()
    first, second = await create_after(client, f'revokeApiToken(input: {{id: "{token_id}"}})')
    assert (first, second) == ([], [{"code": "UNAUTHENTICATED"}])
    assert await count(api.database, Post) == 0


async def test_end_while_a_token_is_being_made(api: Api, root: User) -> None:
    """A change of the password ends all sessions; a thief's must leave no token behind."""
    client = await sign_in_as(api, root)
    async with api.database.write() as session:
        await session.execute(sa.select(User.id).where(User.id == root.id).with_for_update())
        creating = asyncio.create_task(client.payload("createApiToken", {"name": "x", "scopes": ["ADMIN"]}))
        await asyncio.sleep(0.5)
        assert not creating.done()
        await session.execute(sa.delete(Session))
    assert [error["code"] for error in (await creating)["errors"]] == ["UNAUTHENTICATED"]
    assert await count(api.database, ApiToken) == 0


async def test_are_kept_by_a_session_that_goes_on(api: Api, root: User) -> None:
    for client in (await sign_in_as(api, root), await with_api_token(api, root, *ApiScope)):
        mutation = f'updateUser(input: {{id: "{root.global_id}", patch: {{bio: "x"}}}})'
        assert await create_after(client, mutation) == ([], [])
    assert await count(api.database, Post) == 1  # the second sent the key of the first
