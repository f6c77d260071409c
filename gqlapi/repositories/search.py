"""Search across posts, users and tags."""

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gqlapi.database.dialect import bind_ids
from gqlapi.database.search import (
    DOCUMENTS,
    WORDS,
    Indexed,
    SearchQuery,
    from_documents,
    matches,
    score,
    search_values,
)
from gqlapi.database.search_index import Document, batches, put
from gqlapi.errors import InvalidCursor
from gqlapi.models import Post, Tag, User
from gqlapi.repositories.base import ReadScope
from gqlapi.repositories.pages import DAMAGED, decode_cursor, encode_cursor
from gqlapi.repositories.sources import Draft, Selection, Source, reading

MAX_CANDIDATES = 1_000
TIMEOUT_MS = 2_000
BATCH_SIZE = 1_000
_MAX_CANDIDATES = sa.bindparam("max_candidates", type_=sa.Integer())


class Kind(StrEnum):
    """What can be found."""

    POST = "post"
    USER = "user"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that a search found."""

    score: float
    id: UUID
    kind: Kind


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search; its cursors are valid for the same words and kinds."""

    query: SearchQuery
    kinds: frozenset[Kind]

    @property
    def digest(self) -> str:
        """A short name of the search, which its cursors carry."""
        text = f"search {sorted(self.kinds)} {self.query.to_tsquery()}"
        return hashlib.sha256(text.encode()).hexdigest()[:6]

    def encode_cursor(self, hit: Hit) -> str:
        """Return the opaque cursor of a hit."""
        return encode_cursor(self.digest, [hit.score, hit.id])

    def decode_cursor(self, cursor: str) -> tuple[float, UUID]:
        """Return the score and the id of the hit that the cursor stands for.

        Raises:
            InvalidCursor: it is damaged, or was made by another search.
        """
        match decode_cursor(cursor, self.digest):
            case [float(score_), str(text)]:
                try:
                    id_ = UUID(text)
                except ValueError:
                    raise InvalidCursor(DAMAGED) from None
                if encode_cursor(self.digest, [score_, id_]) == cursor:  # a value is written in one way only
                    return score_, id_
        raise InvalidCursor(DAMAGED)


def after_cursor(hits: Sequence[Hit], cursor: tuple[float, UUID]) -> int:
    """Return the index of the first hit after a cursor: after its row, or where that stood if it is gone.

    A row that has changed has another score, so the row itself is the better mark.
    """
    score_, id_ = cursor
    for index, hit in enumerate(hits):
        if hit.id == id_:
            return index + 1
    return next((index for index, hit in enumerate(hits) if (hit.score, hit.id) < (score_, id_)), len(hits))


class SearchRepository:
    """Ranked search. Every statement passes through the `visible` of the rows' own sources."""

    def __init__(self, scope: ReadScope, sources: dict[Kind, Source]) -> None:
        """Bind the repository to an operation."""
        self._scope = scope
        self._sources = sources

    async def rank(self, request: SearchRequest) -> list[Hit]:
        """Return the 1,000 best of the newest 1,000 hits of each kind, best first, in one statement."""
        sources = tuple((kind, self._sources[kind]) for kind in sorted(request.kinds))
        kept, make = reading(self._scope.dialect_name, _ranked, self._scope.dialect_name, sources)
        values = {**self._scope.values, **search_values(self._scope.dialect_name, request.query)}
        values[_MAX_CANDIDATES.key] = MAX_CANDIDATES
        rows = make(await self._scope.unit.fetch(kept, values, timeout_ms=TIMEOUT_MS))
        return [Hit(row[0], row[1], Kind(row[2])) for row in rows]

    async def texts(self, kind: Kind, ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
        """Read the title and the body that a hit was found by, of each visible row.

        Raises:
            LimitExceeded: the bodies are longer than allowed.
        """
        unit = self._scope.unit
        kept, make = reading(self._scope.dialect_name, _texts, self._sources[kind], kind)
        ids_parameter = bind_ids(self._scope.dialect_name, ids)
        values = {**self._scope.values, **ids_parameter, "body_budget": unit.body_budget}
        rows = make(await unit.fetch(kept, values))
        if kind is Kind.POST:
            unit.count_bodies([row[2] for row in rows])
        return {row[0]: (row[1], row[2] or "") for row in rows}


def _ranked(dialect_name: str, sources: tuple[tuple[Kind, Source], ...]) -> Draft:
    # Looked up once for all kinds.
    found = sa.select(DOCUMENTS.c.node_id).select_from(from_documents(dialect_name)).where(matches(dialect_name)).cte()
    candidates = sa.union_all(*(_candidates(found, kind, source) for kind, source in sources)).subquery()
    return Draft(
        sa.select(candidates.c.score, candidates.c.node_id, candidates.c.kind)
        .order_by(candidates.c.score.desc(), candidates.c.node_id.desc())
        .limit(_MAX_CANDIDATES)
    )


def _candidates(found: sa.CTE, kind: Kind, source: Source) -> sa.Select[Any]:
    """Rank the newest hits of one kind; the cap bounds the time, which is linear in the number of hits.

    Hidden rows are filtered out before the cap, so that they displace no visible ones.
    """
    identity = source.columns["id"]
    newest = (
        sa.select(found.c.node_id)
        .join_from(found, identity.table, identity == found.c.node_id)
        .where(source.visible())
        .order_by(found.c.node_id.desc())
        .limit(_MAX_CANDIDATES)
        .subquery()
    )
    documents = from_documents(source.dialect_name)
    # For each row by itself, so that only the texts of the newest are read.
    scores = sa.select(score(source.dialect_name)).select_from(documents).where(DOCUMENTS.c.node_id == newest.c.node_id)
    return sa.select(scores.scalar_subquery().label("score"), newest.c.node_id, sa.literal(kind, sa.Text).label("kind"))


TEXT_ATTRIBUTES = {
    Kind.POST: ("title", "text"),
    Kind.USER: ("display_name", "bio"),
    Kind.TAG: ("name", "description"),
}


def _texts(source: Source, kind: Kind) -> Draft:
    title, body = TEXT_ATTRIBUTES[kind]
    return Draft(source.by_ids(Selection(("id", title, body)), bounds_bodies=True).statement)


class SearchIndex:
    """Keeps the search in step with the rows, in the transaction that writes them."""

    def __init__(self, connection: AsyncSession | AsyncConnection) -> None:
        """Write through a session or a connection."""
        self._connection = connection
        engine = connection.get_bind() if isinstance(connection, AsyncSession) else connection
        self._is_postgresql = engine.dialect.name == "postgresql"

    async def put(self, nodes: Iterable[User | Post | Tag]) -> None:
        """Index rows, or index them again, in a constant number of statements for each 1,000."""
        async for _ in self.put_all((node.id, _kind_of(node), _prepare(node)) for node in nodes):
            pass

    async def put_all(self, documents: Iterable[Document]) -> AsyncIterator[int]:
        """Index prepared documents, and yield the size of each batch."""
        connection = self._connection
        if isinstance(connection, AsyncSession):
            connection = await connection.connection()
        for batch in batches(documents, BATCH_SIZE):
            await connection.run_sync(put, batch)
            yield len(batch)

    async def remove(self, ids: Collection[UUID]) -> None:
        """Take rows out of the index."""
        if not self._is_postgresql:
            gone = sa.select(DOCUMENTS.c.id).where(DOCUMENTS.c.node_id.in_(ids))
            await self._connection.execute(sa.delete(WORDS).where(WORDS.c.rowid.in_(gone)))
        await self._connection.execute(sa.delete(DOCUMENTS).where(DOCUMENTS.c.node_id.in_(ids)))


def _kind_of(node: User | Post | Tag) -> str:
    return node.typename.lower()


def _prepare(node: User | Post | Tag) -> Indexed:
    match node:
        case Post():
            return Indexed.of(node.title, node.text)
        case User():
            return Indexed.of(f"{node.username} {node.display_name}", node.bio or "")
        case Tag():
            return Indexed.of(node.name, node.description or "")
