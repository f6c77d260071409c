"""For any reads, writes, schedules and purges, a shared cache shows what the server would answer now."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gqlapi.database.types import utc_now
from gqlapi.documents.ids import sha256_id
from gqlapi.models import Post, PostTag, User, UserRole
from gqlapi.models.global_id import encode_global_id
from tests.api import Api, serve, settings_for
from tests.factories import make_draft, make_post, make_scheduled_post, make_tag, make_user, save
from tests.shared_cache import SharedCache
from tests.signing_in import sign_in_as

DOCUMENTS = (
    "{ posts { nodes { title author { displayName } } } }",
    "{ posts(filter: { status: [DRAFT, SCHEDULED, PUBLISHED] }) { nodes { title } } }",
    '{ posts(filter: { author: { username: { contains: "user" } } }) { totalCount } }',
    "{ users { nodes { displayName postCount } } }",
    "{ tags { nodes { name posts(first: 2) { nodes { title } } } } }",
    "{ tags(orderBy: [{ field: POST_COUNT }]) { nodes { name } } }",
    "query($post: ID!) { post(by: { id: $post }) { previous { title } next { title } related { title } } }",
    '{ search(query: "title") { nodes { __typename ... on Post { title } } } }',
    "query($post: ID!) { post(by: { id: $post }) { title status tags { name } } }",
    "query($post: ID!) { nodes(ids: [$post]) { ... on Post { title } } }",
    "query($author: ID!) { user(by: { id: $author }) { displayName } }",
    "query($post: ID!) { post(by: { id: $post }) { title viewerCanUpdate } viewer { username } }",
)
ASKS = st.tuples(st.just("ask"), st.sampled_from(["", *UserRole]), st.sampled_from(DOCUMENTS), st.integers(0, 3))
WRITES = st.tuples(
    st.sampled_from(["publishPost", "archivePost", "unpublishPost", "updatePost", "updateUser", "schedule"]),
    st.integers(0, 3),
    st.integers(3, 40),
)
PASSES = st.tuples(st.just("pass"), st.integers(1, 30))
STEPS = st.lists(st.one_of(ASKS, ASKS, ASKS, WRITES, PASSES), min_size=8, max_size=25)


class Readers:
    """Callers with different rights, who ask a server through one shared cache."""

    def __init__(self, api: Api, callers: dict[str, Api], posts: list[Post]) -> None:
        self.api = api
        self.callers = callers
        self.posts = posts
        self.cache = SharedCache()
        self.now = 0.0
        self._titles = 0

    async def run(self, steps: list[tuple[Any, ...]]) -> int:
        """Take steps, compare each hit with the server's answer, and return how many there were."""
        self.cache, hits = SharedCache(), 0
        for kind, *arguments in steps:
            if kind == "ask":
                hits += await self._ask(*arguments)
            elif kind == "pass":
                await self._pass(*arguments)
            else:
                await self._write(kind, *arguments)
        return hits

    async def _ask(self, caller: str, text: str, number: int) -> bool:
        post = self.posts[number]
        values = {"post": post.global_id, "author": encode_global_id("User", post.author_id)}
        variables = {name: value for name, value in values.items() if f"${name}" in text}
        path = f"/graphql/documents/{sha256_id(text)}"
        client = self.api.http
        request = client.build_request(
            "GET", path, params={"variables": str(variables).replace("'", '"')}, headers=self.callers[caller].headers
        )
        kept = self.cache.find(str(request.url), request.headers, self.now)
        answer = await client.send(request)
        assert answer.status_code in (200, 294), answer.text
        if kept is None:
            self.cache.put(str(request.url), request.headers, answer, self.now)
            return False
        assert kept.json() == answer.json()
        return True

    async def _pass(self, seconds: int) -> None:
        """Let time pass: the cache's clock goes forward, and what is scheduled comes closer."""
        self.now += seconds
        later = timedelta(seconds=seconds)
        async with self.api.database.write() as session:
            for table, column in ((Post, Post.published_at), (PostTag, PostTag.visible_from)):
                rows = (await session.execute(sa.select(table).where(column > utc_now()))).scalars().all()
                for row in rows:
                    setattr(row, column.key, getattr(row, column.key) - later)

    async def _write(self, kind: str, number: int, seconds: int) -> None:
        """Write as an editor, and purge as the documents say."""
        post, self._titles = self.posts[number], self._titles + 1
        author = encode_global_id("User", post.author_id)
        mutation = kind
        given: dict[str, Any] = {"id": post.global_id}
        tags = [post.global_id, "Post", author]
        if kind == "updateUser":
            given = {"id": author, "patch": {"displayName": f"A name {self._titles}"}}
            tags = [author, "User"]
        elif kind == "updatePost":
            given["patch"] = {"title": f"A title {self._titles}"}
        elif kind == "schedule":
            mutation = "publishPost"
            given["at"] = (utc_now() + timedelta(seconds=seconds + 0.9)).isoformat()
        await self.callers[UserRole.ADMIN].payload(mutation, given)
        self.cache.purge(*tags)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def readers(sqlite_template: Path, tmp_path_factory: Any) -> AsyncIterator[Readers]:
    path = tmp_path_factory.mktemp("cache") / "gqlapi.db"
    path.write_bytes(sqlite_template.read_bytes())
    async with serve(settings_for(f"sqlite:///{path}", report_costs=False, cache_max_age_seconds=3_600)) as api:
        users: dict[str, User] = {role: make_user(role=role, display_name=f"A name of {role}") for role in UserRole}
        author, tag = users[UserRole.AUTHOR], make_tag()
        posts = [
            make_post(author, tag, title="A title"),
            make_draft(author, tag, title="A draft title"),
            make_scheduled_post(users[UserRole.EDITOR], tag, title="A scheduled title"),
            make_draft(users[UserRole.READER], tag, title="Another title"),
        ]
        await save(api.database, [tag, *users.values(), *posts])
        callers = {"": api, **{role: await sign_in_as(api, user) for role, user in users.items()}}
        for text in DOCUMENTS:
            extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256_id(text).removeprefix("sha256:")}}
            variables = {"post": posts[0].global_id, "author": author.global_id}
            result = await api.execute(
                text, {name: variables[name] for name in variables if f"${name}" in text}, extensions=extensions
            )
            assert "errors" not in result or "DRAFT" in text, result
        yield Readers(api, callers, posts)


class TestSharedCache:
    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps=STEPS)
    async def test_shows_what_the_server_would_answer(self, readers: Readers, steps: list[tuple[Any, ...]]) -> None:
        await readers.run(steps)

    async def test_hits_for_anonymous_callers_only(self, readers: Readers) -> None:
        for caller in ("", *UserRole):
            public = [("ask", caller, DOCUMENTS[0], 0)] * 3
            assert await readers.run(public) == (0 if caller else 2)

    async def test_shows_a_viewer_no_answer_of_the_public(self, readers: Readers) -> None:
        hidden: list[tuple[Any, ...]] = [("unpublishPost", 1, 0), ("ask", "", DOCUMENTS[6], 1)]
        assert await readers.run([*hidden, *(("ask", role, DOCUMENTS[6], 1) for role in UserRole)]) == 0

    async def test_forgets_in_time_for_what_is_scheduled(self, readers: Readers) -> None:
        steps: list[tuple[Any, ...]] = [("schedule", 3, 10)]
        for _ in range(15):
            steps += [("ask", "", text, 3) for text in DOCUMENTS] + [("pass", 1)]
        assert await readers.run(steps) > 50
