"""What the workloads ask for: ids and cursors, read through gqlapi's own API."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from gqlapi.models.global_id import GlobalId

PAGE, PAGES = 100, 50
USERS_PAGE = 50
POSTS_OF_USER = 5
POSTS = "query($after: Cursor) { list: posts(first: 100, after: $after) { nodes { id } pageInfo { endCursor } } }"
USERS = "query($after: Cursor) { list: users(first: 50, after: $after) { nodes { id } pageInfo { endCursor } } }"
PRODUCTIVE_AUTHORS = """
    SELECT author_id FROM posts WHERE state = 'published' AND deleted_at IS NULL AND published_at <= now()
    GROUP BY author_id HAVING count(*) >= $1
"""


class NoTargets(Exception):
    """The database does not hold what a workload needs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list: its cursor, and the id of the object before it."""

    cursor: str
    id: str


@dataclass(frozen=True, slots=True)
class Targets:
    """Ids of the newest posts in random order, the places of W4's pages, the place of a page of users, an author."""

    post_ids: tuple[str, ...]
    feed: tuple[Place, ...]
    users: Place
    author_id: str


async def find_targets(url: str, database_url: str, author_id: str) -> Targets:
    """Read pages of posts and users from a gqlapi."""
    productive = await _productive_authors(database_url)
    with httpx.Client(base_url=url, timeout=30) as http:
        pages = [page for page, _ in zip(_pages(http, POSTS), range(PAGES), strict=False)]
        users = _page_of_authors(_pages(http, USERS), productive)
    ids = [id_ for page, _ in pages for id_ in page]
    random.Random(7).shuffle(ids)  # noqa: S311 - no secret
    feed = tuple(Place(cursor, page[-1]) for page, cursor in pages[:4])
    return Targets(tuple(ids), feed, users, author_id)


def _pages(http: httpx.Client, query: str) -> Iterator[tuple[list[str], str]]:
    """Yield the ids of one page after the other, and the cursor behind them."""
    cursor: str | None = None
    while True:
        response = http.post("/graphql", json={"query": query, "variables": {"after": cursor}})
        page: Any = response.json()["data"]["list"]
        if not page["nodes"]:
            return
        cursor = page["pageInfo"]["endCursor"]
        yield [node["id"] for node in page["nodes"]], str(cursor)


def _page_of_authors(pages: Iterator[tuple[list[str], str]], productive: frozenset[str]) -> Place:
    """Return the place before the first page of users who all have enough posts.

    Raises:
        NoTargets: there is none.
    """
    place: Place | None = None
    for ids, cursor in pages:
        if place is not None and len(ids) == USERS_PAGE and productive.issuperset(ids):
            return place
        place = Place(cursor, ids[-1])
    raise NoTargets(f"there is no page of {USERS_PAGE} users with {POSTS_OF_USER} posts each")


async def _productive_authors(database_url: str) -> frozenset[str]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(PRODUCTIVE_AUTHORS, POSTS_OF_USER)
    finally:
        await connection.close()
    return frozenset(GlobalId("User", row[0]).encode() for row in rows)
