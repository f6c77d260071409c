"""Row locks on PostgreSQL: which transactions wait, and that none of them deadlock."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.accounts import Client
from gqlapi.accounts.sessions import begin_session
from gqlapi.database.failures import sqlstate_of
from gqlapi.models import Post, Tag, User, UserRole, Viewer
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import AccountWriteRepository
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.tag_writes import TagWriteRepository
from gqlapi.repositories.user_writes import UserWriteRepository
from tests.api import Api, serve, settings_for
from tests.consistency import assert_consistent
from tests.factories import make_draft, make_tag, make_user, save
from tests.signing_in import accounts_of, sign_in_as

DEADLOCK, LOCK_TIMEOUT = "40P01", "55P03"
# The other transaction stays open: each wait for it ends with an error.
LOCK_TIMEOUT_MS = 300
EVERYTHING = Viewer(None, UserRole.EDITOR)
Lock = Callable[[AsyncSession], Awaitable[object]]


class Newsroom:
    """An editor at a server, their tags and posts, and the SQLSTATEs of what has failed."""

    def __init__(self, api: Api, editor: User, client: Api) -> None:
        self.database = api.database
        self.accounts = accounts_of(api)
        self.editor = editor
        self.client = client
        self.failures: list[str] = []

    async def rows(self, *, tags: int, posts: int) -> tuple[list[Tag], list[Post]]:
        made = [make_tag() for _ in range(tags)]
        drafts = [make_draft(self.editor, *made[:2]) for _ in range(posts)]
        await save(self.database, [*made, *drafts])
        return made, drafts

    async def create_post(self, *tags: Tag) -> dict[str, Any]:
        named = [{"id": tag.global_id} for tag in tags]
        query = "mutation($input: CreatePostInput!) { createPost(input: $input) { post { id } errors { code } } }"
        return await self.client.execute(query, {"input": {"title": "x", "markdown": "", "tags": named}})

    @asynccontextmanager
    async def holding(self, lock: Lock) -> AsyncIterator[None]:
        """Hold a lock in a transaction that stays open for the block; others do not wait long."""
        async with self.database.write() as session:
            name = self.database.write_engine.url.database
            await session.execute(sa.text(f'ALTER DATABASE "{name}" SET lock_timeout = {LOCK_TIMEOUT_MS}'))
        await self.database.write_engine.dispose()  # new connections know of it
        async with self.database.write() as session:
            await lock(session)
            yield


@pytest.fixture
async def newsroom(postgresql_url: str) -> AsyncIterator[Newsroom]:
    async with serve(settings_for(postgresql_url, pool_size=8, pool_timeout_seconds=20)) as api:
        editor = make_user(username="ada", role=UserRole.EDITOR)
        await save(api.database, [editor])
        newsroom = Newsroom(api, editor, await sign_in_as(api, editor))

        @sa.event.listens_for(api.database.write_engine.sync_engine, "handle_error")
        def note(context: sa.ExceptionContext) -> None:
            if isinstance(context.sqlalchemy_exception, DBAPIError):
                newsroom.failures.append(sqlstate_of(context.sqlalchemy_exception))

        yield newsroom


def locks_of(editor: User, tag: Tag, post: Post) -> dict[str, Lock]:
    """Return what other mutations lock while they run."""
    return {
        "signIn": lambda session: AccountWriteRepository(WriteScope(session)).lock_live_user(editor.id),
        "updateUser": lambda session: UserWriteRepository(WriteScope(session)).get_for_update(editor.id),
        "upsertTag": lambda session: TagWriteRepository(WriteScope(session)).get_by_slug_for_update(tag.slug),
        "mergeTags into it": lambda session: TagWriteRepository(WriteScope(session)).list_for_update([tag.id]),
        "createPost": lambda session: TagWriteRepository(WriteScope(session)).list_by_any_key(
            ids=[tag.id], slugs=(), name_keys=()
        ),
        "updatePost": lambda session: PostWriteRepository(WriteScope(session, EVERYTHING)).get_for_update(post.id),
    }


class TestCreatePost:
    @pytest.mark.parametrize("other", locks_of(User(), Tag(), Post()))
    async def test_does_not_wait_for_changes_of_what_it_refers_to(self, newsroom: Newsroom, other: str) -> None:
        [tag], [post] = await newsroom.rows(tags=1, posts=1)

        async with newsroom.holding(locks_of(newsroom.editor, tag, post)[other]):
            result = await newsroom.create_post(tag)

        assert result["data"]["createPost"]["errors"] == []
        assert newsroom.failures == []

    async def test_waits_for_the_deletion_of_what_it_refers_to(self, newsroom: Newsroom) -> None:
        [tag], _ = await newsroom.rows(tags=1, posts=0)

        async with newsroom.holding(lambda session: TagWriteRepository(WriteScope(session)).list_for_removal([tag.id])):
            result = await newsroom.create_post(tag)

        assert result["errors"]
        assert {*newsroom.failures} == {LOCK_TIMEOUT}


class TestManyAtOnce:
    @pytest.mark.parametrize("seed", range(3))
    async def test_do_not_deadlock(self, newsroom: Newsroom, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
        tags, posts = await newsroom.rows(tags=24, posts=6)

        payloads = await asyncio.gather(*(change_something(newsroom, chance, tags, posts) for _ in range(150)))

        assert DEADLOCK not in newsroom.failures
        codes = {error["code"] for payload in payloads if payload for error in payload["errors"]}
        # Of tags that are merged already, or into themselves, and of their slugs.
        assert codes <= {"NOT_FOUND", "INVALID", "NOT_UNIQUE"}
        await assert_consistent(newsroom.database)


def change_something(newsroom: Newsroom, chance: random.Random, tags: list[Tag], posts: list[Post]) -> Awaitable[Any]:
    named = [{"id": tag.global_id} for tag in chance.sample(tags, 6)] + [{"name": f"New {chance.randrange(9)}"}]
    chance.shuffle(named)
    tag, post = chance.choice(tags), chance.choice(posts)
    merged = {"from": [tag.global_id for tag in chance.sample(tags, 2)], "into": tag.global_id}
    changes: list[tuple[str, dict[str, Any]]] = [
        ("createPost", {"title": "x", "markdown": "", "tags": named}),
        ("updatePost", {"id": post.global_id, "patch": {"tags": {"set": named}}}),
        ("updatePost", {"id": post.global_id, "patch": {"tags": {"add": named[:2]}, "title": "y"}}),
        ("publishPost", {"id": post.global_id}),
        ("upsertTag", {"slug": tag.slug, "name": f"Renamed {chance.randrange(10**6)}"}),
        ("mergeTags", merged),
        ("deleteTag", {"id": tag.global_id}),
        ("updateUser", {"id": newsroom.editor.global_id, "patch": {"bio": "x"}}),
    ]
    kind = chance.choices(range(9), (6, 4, 4, 2, 4, 2, 1, 2, 4))[0]
    if kind == len(changes):
        return newsroom.database.transact(lambda session: sign_in(newsroom, session))
    return newsroom.client.payload(*changes[kind])


async def sign_in(newsroom: Newsroom, session: AsyncSession) -> None:
    """Sign in without a password, whose hashing takes longer than all the rest."""
    scope = WriteScope(session)
    user = await AccountWriteRepository(scope).lock_live_user(newsroom.editor.id)
    assert user is not None
    await begin_session(scope, newsroom.accounts, Client(), user)
