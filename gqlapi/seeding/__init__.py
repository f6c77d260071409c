"""A blog that is the same at every run: small for a first hour with the server, large for measuring it."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from gqlapi.database.bulk import BulkLoader, bulk_load
from gqlapi.database.search import Indexed, PreparedText
from gqlapi.database.unit import Database
from gqlapi.models import Post, PostTag, Tag, User
from gqlapi.repositories import ReadScope, Repositories
from gqlapi.repositories.search import Kind, SearchIndex
from gqlapi.seeding.rows import (
    LinkRow,
    PostRow,
    TagRow,
    UserRow,
    make_links,
    make_posts,
    make_tags,
    make_users,
)
from gqlapi.seeding.texts import make_pool

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class SeedSize:
    """How much to make."""

    users: int = 20
    posts: int = 500
    tags: int = 25


async def seed(
    database: Database, size: SeedSize | None = None, *, key: int = 1, progress: Progress | None = None
) -> bool:
    """Fill an empty database in one transaction; return False, and change nothing, when it has users.

    The same size and key make the same rows, ids included; only the times of scheduled posts depend on the clock.
    `progress` gets the step, how many rows of it are done, and how many it has.
    """
    if await has_users(database):
        return False
    tables = [model.__table__ for model in (User, Tag, Post, PostTag)]
    async with bulk_load(database.write_engine, tables) as loader:  # type: ignore[arg-type] # a mapped class has a Table
        await _Seeding(loader, size or SeedSize(), key, progress or (lambda *_: None)).run()
    return True


async def has_users(database: Database) -> bool:
    """Return whether anybody has signed up, or a seed ran."""
    unit = database.read()
    try:
        return await Repositories(ReadScope(unit, database.dialect_name)).users.exist()
    finally:
        await unit.close()


class _Seeding:
    """One run: rows are made as they are loaded, and what later steps need of them is kept."""

    def __init__(self, loader: BulkLoader, size: SeedSize, key: int, progress: Progress) -> None:
        self._loader = loader
        self._size = size
        self._progress = progress
        self._random = Random(key)  # noqa: S311 - texts to look at, not secrets
        self._ids: dict[str, list[UUID]] = {"users": [], "tags": []}
        self._visible_from: list[tuple[UUID, datetime | None]] = []
        self._documents: list[tuple[UUID, Kind, str, str]] = []

    async def run(self) -> None:
        size, random = self._size, self._random
        pool = make_pool(random)
        await self._load(
            "users", User, UserRow._fields, map(self._keep_user, make_users(random, size.users)), size.users
        )
        await self._load("tags", Tag, TagRow._fields, map(self._keep_tag, make_tags(random, size.tags)), size.tags)
        posts = make_posts(random, size.posts, self._ids["users"], pool)
        await self._load("posts", Post, PostRow._fields, map(self._keep_post, posts), size.posts)
        links = list(make_links(random, self._visible_from, self._ids["tags"]))
        await self._load("links", PostTag, LinkRow._fields, links, len(links))
        await self._index()

    async def _load(
        self, step: str, model: Any, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], total: int
    ) -> None:
        self._progress(step, 0, total)
        async for done in self._loader.load(model.__table__, columns, rows):
            self._progress(step, done, total)

    def _keep_user(self, row: UserRow) -> UserRow:
        self._ids["users"].append(row.id)
        self._documents.append((row.id, Kind.USER, f"{row.username} {row.display_name}", row.bio))
        return row

    def _keep_tag(self, row: TagRow) -> TagRow:
        self._ids["tags"].append(row.id)
        self._documents.append((row.id, Kind.TAG, row.name, ""))
        return row

    def _keep_post(self, row: PostRow) -> PostRow:
        self._visible_from.append((row.id, row.visible_from))
        self._documents.append((row.id, Kind.POST, row.title, row.text))
        return row

    async def _index(self) -> None:
        total = len(self._documents)
        self._progress("search", 0, total)
        index = SearchIndex(self._loader.connection)
        async for done in _counted(index.put_all(self._indexed())):
            self._progress("search", done, total)

    def _indexed(self) -> Iterable[tuple[UUID, Kind, Indexed]]:
        prepared: dict[str, PreparedText] = {}
        for id_, kind, title, body in self._documents:
            if body not in prepared:  # the pool's texts come again and again
                prepared[body] = PreparedText(body)
            yield id_, kind, Indexed(PreparedText(title), prepared[body])


async def _counted(batches: AsyncIterator[int]) -> AsyncIterator[int]:
    done = 0
    async for size in batches:
        done += size
        yield done
