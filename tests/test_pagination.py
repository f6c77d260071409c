"""Pages stay right while rows come and go: nothing that stayed is left out, nothing is shown twice."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import given

from gqlapi.models import Post, Row, Tag, User, new_id
from gqlapi.repositories.pages import encode_cursor
from gqlapi.schema.ordering import OrderDirection, PostOrder, PostOrderField, to_ordering
from tests.api import Api
from tests.examples import examples
from tests.factories import LONG_AGO, make_post, make_tag, make_user, save

DIRECTIONS = {
    "forward": ("first", "after", "hasNextPage", "endCursor"),
    "backward": ("last", "before", "hasPreviousPage", "startCursor"),
}
LISTS = {
    "posts": "posts(orderBy: [{ field: TITLE, direction: %s }], %s) { %s }",
    "users": "users(orderBy: [{ field: USERNAME, direction: %s }], %s) { %s }",
    "tags": "tags(orderBy: [{ field: NAME, direction: %s }], %s) { %s }",
    "posts of a user": "user(by: { id: $parent }) { posts(orderBy: [{ field: TITLE, direction: %s }], %s) { %s } }",
    "posts of a tag": "tag(by: { id: $parent }) { posts(orderBy: { field: PUBLISHED_AT, direction: %s }, %s) { %s } }",
}


@dataclass
class Blog:
    """Rows that change: all posts have one title and one of two times, one author and one tag."""

    api: Api
    author: User = field(default_factory=make_user)
    tag: Tag = field(default_factory=make_tag)
    random: Random = field(default_factory=lambda: Random(3))  # noqa: S311 - test data
    rows: dict[UUID, Row] = field(default_factory=dict)

    def make(self, kind: str) -> Row:
        """Create a row whose place is anywhere among the others."""
        created_at = LONG_AGO + timedelta(milliseconds=self.random.randrange(10**9))
        name = f"{self.random.randrange(10**12)}"
        match kind:
            case "users":
                return make_user(username=name, created_at=created_at)
            case "tags":
                return make_tag(name=name, created_at=created_at)
        published_at = LONG_AGO + timedelta(days=self.random.randrange(2))
        return make_post(self.author, self.tag, title="Equal", created_at=created_at, published_at=published_at)

    async def fill(self, kind: str, count: int) -> None:
        await save(self.api.database, [self.author, self.tag])
        await self.add(kind, count)

    async def add(self, kind: str, count: int) -> None:
        rows = [self.make(kind) for _ in range(count)]
        async with self.api.database.write() as session:
            session.add_all(rows)
            # Users are listed once they have published.
            session.add_all(make_post(row) for row in rows if isinstance(row, User))
        self.rows |= {row.id: row for row in rows}

    async def remove(self, count: int) -> None:
        gone = [self.rows.pop(id_) for id_ in self.random.sample(sorted(self.rows), count)]
        async with self.api.database.write() as session:
            for row in gone:
                await session.execute(sa.delete(Post).where(Post.author_id == row.id))
                await session.execute(sa.delete(type(row)).where(type(row).id == row.id))

    async def walk(
        self, kind: str, sort: str, direction: str, size: int, between: Callable[[], Awaitable[None]]
    ) -> list[str]:
        """Return the ids of all pages, in the order of the list."""
        size_name, side, more, edge = DIRECTIONS[direction]
        page = "nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        body = LISTS[kind] % (sort, f"{size_name}: $size, {side}: $cursor", page)
        parent = self.author if kind == "posts of a user" else self.tag
        declared, variables = ("$parent: ID!, ", {"parent": parent.global_id}) if "$parent" in body else ("", {})
        query, cursor, shown = f"query({declared}$size: Int, $cursor: Cursor) {{ {body} }}", None, list[str]()
        while True:
            data = await self.api.data(query, {**variables, "size": size, "cursor": cursor})
            connection = connection_in(data)
            ids = [node["id"] for node in connection["nodes"]]
            shown = shown + ids if direction == "forward" else ids + shown
            if not connection["pageInfo"][more]:
                return shown
            assert len(ids) == size
            cursor = connection["pageInfo"][edge]
            await between()


def connection_in(data: Any) -> Any:
    while "nodes" not in data:
        (data,) = data.values()
    return data


def global_ids(rows: Iterable[Row]) -> set[str]:
    return {row.global_id for row in rows}


@pytest.fixture
def blog(api: Api) -> Blog:
    return Blog(api)


SORTS = st.sampled_from(["ASC", "DESC"])


@pytest.mark.parametrize("direction", DIRECTIONS)
class TestPages:
    @examples(2)
    @given(sort=SORTS, size=st.integers(20, 100), changes=st.integers(1, 5))
    async def test_of_500_equal_titles_have_no_gap_and_no_duplicate(
        self, blog: Blog, sort: str, direction: str, size: int, changes: int
    ) -> None:
        await self._check(blog, "posts", 500, sort, direction, size, changes)

    @pytest.mark.parametrize("kind", [kind for kind in LISTS if kind != "posts"])
    @examples(2)
    @given(sort=SORTS, size=st.integers(3, 20), changes=st.integers(0, 3))
    async def test_have_no_gap_and_no_duplicate(
        self, blog: Blog, sort: str, direction: str, kind: str, size: int, changes: int
    ) -> None:
        await self._check(blog, kind, 40, sort, direction, size, changes)

    async def _check(
        self, blog: Blog, kind: str, count: int, sort: str, direction: str, size: int, changes: int
    ) -> None:
        if not blog.rows:  # the examples share the rows of the one before
            await blog.fill(kind, count)
        start = set(blog.rows)

        async def change() -> None:
            await blog.remove(min(changes, len(blog.rows)))
            await blog.add(kind, changes)

        shown = await blog.walk(kind, sort, direction, size, change)
        stayed = [row for id_, row in blog.rows.items() if id_ in start]
        assert len(shown) == len(set(shown))
        assert global_ids(stayed) <= set(shown)
        # Rows of one list are in one order, whichever pages they came by.
        in_one_page = await blog.walk(kind, sort, direction, 100, nothing)
        kept = set(shown) & set(in_one_page)
        assert [id_ for id_ in shown if id_ in kept] == [id_ for id_ in in_one_page if id_ in kept]


async def nothing() -> None:
    """Change nothing."""


class TestCursorOfAnotherViewer:
    async def test_of_a_draft_stands_before_all_that_is_public(self, api: Api) -> None:
        author = make_user()
        posts = [make_post(author) for _ in range(3)]
        await save(api.database, [author, *posts])
        ordering = to_ordering([PostOrder(field=PostOrderField.PUBLISHED_AT, direction=OrderDirection.DESC)])
        cursor = encode_cursor(ordering.digest, [None, new_id()])

        data = await api.data("query($after: Cursor) { posts(after: $after) { nodes { id } } }", {"after": cursor})

        assert [node["id"] for node in data["posts"]["nodes"]] == [post.global_id for post in reversed(posts)]
