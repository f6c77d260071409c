"""A post that is written in one statement, without BEGIN and COMMIT, keeps what a transaction promises."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.at_once import commit_at_once
from gqlapi.database.kept import KeptStatement
from gqlapi.database.unit import Database
from gqlapi.errors import Unavailable
from gqlapi.models import ApiScope, ApiToken, Post, Session, User, UserRole
from gqlapi.publishing.drafts import prepare
from tests.api import Api
from tests.consistency import assert_consistent, count
from tests.factories import make_user, save
from tests.signing_in import sign_in_as, with_api_token

GIVEN = {"title": "A", "markdown": "*x*", "publish": True}
DEMOTION = sa.update(User).values(role=UserRole.READER)
PROMOTION = sa.update(User).values(role=UserRole.EDITOR)
DELETION = sa.update(User).values(deleted_at=sa.func.now())
Race = Callable[[Any], None]


@pytest.fixture
async def author(api: Api) -> User:
    author = make_user(role=UserRole.AUTHOR)
    await save(api.database, [author])
    return author


@pytest.fixture
def race(api: Api, monkeypatch: pytest.MonkeyPatch) -> Race:
    """Let a statement be committed between the authentication of a request and its write."""

    def race(statement: Any) -> None:
        async def prepare_late(*arguments: Any) -> Any:
            async with api.database.write() as session:
                await session.execute(statement)
            return await prepare(*arguments)

        monkeypatch.setattr("gqlapi.schema.mutations.posts.prepare", prepare_late)

    return race


async def code_of_creation(client: Api) -> str:
    payload = await client.payload("createPost", GIVEN, "errors { code } post { id }")
    return "".join(error["code"] for error in payload["errors"]) or "written"


class TestRights:
    @pytest.mark.parametrize(
        ("change", "code", "posts"),
        [
            (DEMOTION, "FORBIDDEN", 0),
            (DELETION, "UNAUTHENTICATED", 0),
            (sa.delete(ApiToken), "UNAUTHENTICATED", 0),
            (sa.update(ApiToken).values(scopes=frozenset({ApiScope.READ})), "FORBIDDEN", 0),
            (sa.update(ApiToken).values(expires_at=sa.func.now()), "UNAUTHENTICATED", 0),
            (PROMOTION, "written", 1),
        ],
        ids=["demoted", "deleted", "revoked", "fewer scopes", "expired", "promoted"],
    )
    async def test_of_a_token_are_those_of_the_moment(
        self, api: Api, author: User, race: Race, change: Any, code: str, posts: int
    ) -> None:
        client = await with_api_token(api, author, *ApiScope)
        race(change)
        assert await code_of_creation(client) == code
        assert await count(api.database, Post) == posts

    @pytest.mark.parametrize(
        ("change", "code"),
        [(DEMOTION, "FORBIDDEN"), (sa.delete(Session), "UNAUTHENTICATED"), (DELETION, "UNAUTHENTICATED")],
        ids=["demoted", "signed out", "deleted"],
    )
    async def test_of_a_session_are_those_of_the_moment(
        self, api: Api, author: User, race: Race, change: Any, code: str
    ) -> None:
        client = await sign_in_as(api, author)
        race(change)
        assert await code_of_creation(client) == code
        assert await count(api.database, Post) == 0


async def test_a_post_is_whole(api: Api, author: User) -> None:
    client = await with_api_token(api, author, *ApiScope)
    assert [await code_of_creation(client) for _ in range(3)] == ["written"] * 3
    await assert_consistent(api.database)
    assert (await client.data('{ search(query: "x") { nodes { __typename } } }'))["search"]["nodes"]


class TestLostAnswer:
    """Whether a statement that commits itself was committed is unknown when its connection is lost."""

    async def _attempts(self, url: str, run: Callable[[AsyncSession], Awaitable[Any]]) -> int:
        database, attempts = Database(url), 0
        async with database.write() as session:  # a connection that was used lately
            await session.execute(sa.select(1))

        async def body(session: AsyncSession) -> None:
            nonlocal attempts
            attempts += 1
            await run(session)

        with pytest.raises(Unavailable):
            await database.transact(body)
        await database.dispose()
        return attempts

    async def test_is_not_followed_by_another_attempt(self, postgresql_url: str) -> None:
        statement = KeptStatement(sa.select(sa.func.pg_terminate_backend(sa.func.pg_backend_pid())), "postgresql")
        assert await self._attempts(postgresql_url, lambda session: commit_at_once(session, statement, {})) == 1
        assert await self._attempts(postgresql_url, lambda session: statement.rows(session, {})) > 1
