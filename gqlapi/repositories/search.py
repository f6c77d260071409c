"""Search across posts, users and tags."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gqlapi.database.dialect import bind_ids
from gqlapi.database.pagination import Key, Window, cut_page
from gqlapi.database.search import (
    DOCUMENTS,
    WORDS,
    Indexed,
    SearchQuery,
    from_documents,
    matches,
    matches_title,
    score,
    search_values,
    title_score,
)
from gqlapi.database.search_index import Document, batches, put
from gqlapi.database.types import UtcDateTime
from gqlapi.models import Post, Tag, User
from gqlapi.repositories.base import ReadScope
from gqlapi.repositories.conditions import Condition, Separation
from gqlapi.repositories.pages import Ordering, OrderTerm, RecordPage
from gqlapi.repositories.posts import PostRepository
from gqlapi.repositories.sources import Build, Draft, Selection, Source, reading

MAX_CANDIDATES = 1_000
TIMEOUT_MS = 2_000
BATCH_SIZE = 1_000
_MAX_CANDIDATES = sa.bindparam("max_candidates", type_=sa.Integer())


class Kind(StrEnum):
    """What can be found."""

    POST = "post"
    USER = "user"
    TAG = "tag"


class SearchOrder(StrEnum):
    """What hits can be ordered by: the attribute of a hit."""

    RELEVANCE = "score"
    PUBLISHED_AT = "moment"


ORDER_TYPES: dict[SearchOrder, type] = {SearchOrder.RELEVANCE: float, SearchOrder.PUBLISHED_AT: datetime}


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that a search found; `moment` is when a post was published, and when anything else was created."""

    score: float
    id: UUID
    kind: Kind
    moment: datetime


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search: what to look for, which posts, and a page of an ordering that was made for it."""

    query: SearchQuery
    kinds: frozenset[Kind]
    ordering: Ordering
    window: Window
    condition: Condition | None = None


def ordering_of(query: SearchQuery, kinds: frozenset[Kind], order: SearchOrder, *, descending: bool) -> Ordering:
    """Return the ordering of a search, whose cursors are valid for the same words and kinds."""
    terms = (OrderTerm(order.value, ORDER_TYPES[order], descending), OrderTerm("id", UUID, descending))
    return Ordering(terms, f"search {sorted(kinds)} {query.to_tsquery()}")


class SearchRepository:
    """Ranked search among public rows, and among all posts that the viewer may see where the filter asks for them.

    Every statement passes through the `visible` of the rows' own sources. Deleted posts are never found.
    """

    def __init__(self, scope: ReadScope, posts: PostRepository, users: Source, tags: Source) -> None:
        """Bind the repository to an operation; `users` are the statements about public users."""
        self._scope = scope
        self._posts = posts
        self._sources: dict[Kind, Source] = {Kind.POST: posts.source, Kind.USER: users, Kind.TAG: tags}

    async def page(self, request: SearchRequest) -> RecordPage[Hit]:
        """Read one page; one statement, whose time is linear in the number of hits."""
        form = SearchForm(request.ordering, request.window.form)
        rows = await self._read(request, _page, form, values=request.window.values)
        hits = [Hit(row[0], row[1], Kind(row[2]), row[3]) for row in rows]
        page = cut_page(hits, request.window)
        return RecordPage(page.rows, page.has_next, page.has_previous)

    async def count(self, request: SearchRequest) -> int:
        """Count all hits; one statement."""
        ((count,),) = await self._read(request, _count, values={})
        return int(count)

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

    async def _read(self, request: SearchRequest, build: Build, *form: Any, values: dict[str, Any]) -> Sequence[Any]:
        posts = self._posts.listing(request.condition)
        separation = Separation(request.condition, posts.filterable, self._scope.folded_keys)
        sources = {**self._sources, Kind.POST: posts}
        shape = (tuple((kind, sources[kind]) for kind in sorted(request.kinds)), separation.form, *form)
        dialect_name = self._scope.dialect_name
        values = {**self._scope.values, **separation.values, **search_values(dialect_name, request.query), **values}
        values[_MAX_CANDIDATES.key] = MAX_CANDIDATES
        if separation.is_kept:
            kept, make = reading(dialect_name, build, dialect_name, *shape)
            rows: Sequence[Any] = make(await self._scope.unit.fetch(kept, values, timeout_ms=TIMEOUT_MS))
            return rows
        return await self._scope.unit.rows(build(dialect_name, *shape).statement, values)


class SearchForm(NamedTuple):
    """What of a page of hits decides the text of its statement: slots are in the place of values."""

    ordering: Ordering
    window: Window


KindSources = tuple[tuple[Kind, Source], ...]
POSTS, USERS, TAGS = Post.__table__.c, User.__table__.c, Tag.__table__.c
TITLES = {Kind.POST: POSTS.title, Kind.USER: USERS.display_name, Kind.TAG: TAGS.name}
MOMENTS: dict[Kind, sa.ColumnElement[datetime]] = {
    Kind.POST: sa.func.coalesce(POSTS.published_at, POSTS.created_at),
    Kind.USER: USERS.created_at,
    Kind.TAG: TAGS.created_at,
}


def _page(dialect_name: str, sources: KindSources, condition: Condition | None, form: SearchForm) -> Draft:
    hits = _hits(dialect_name, sources, condition)
    by_score = form.ordering.terms[0].attribute == SearchOrder.RELEVANCE
    rows = _scored(dialect_name, hits) if by_score else hits
    keys = [Key(term.attribute, rows.c[term.attribute], term.descending) for term in form.ordering.terms]
    page = form.window.apply(sa.select(rows), keys)
    if not by_score:
        page = _rescored(dialect_name, page.subquery("page"), form)
    return Draft(page.with_only_columns(*(page.selected_columns[name] for name in ("score", "id", "kind", "moment"))))


def _count(dialect_name: str, sources: KindSources, condition: Condition | None) -> Draft:
    found = _documents(dialect_name).where(matches(dialect_name)).cte("found")
    ids = (_of_kind(found, kind, source, condition).with_only_columns(found.c.node_id) for kind, source in sources)
    return Draft(sa.select(sa.func.count()).select_from(sa.union_all(*ids).subquery("hits")))


def _hits(dialect_name: str, sources: KindSources, condition: Condition | None) -> sa.Subquery:
    """Select all visible hits; `title_score` is NULL for those whose title alone is none.

    Both lookups are made once for all kinds.
    """
    found = _documents(dialect_name).where(matches(dialect_name)).cte("found")
    titled = _documents(dialect_name).where(matches_title(dialect_name)).cte("titled")
    selects = []
    for kind, source in sources:
        score_ = sa.case((titled.c.node_id.is_not(None), title_score(TITLES[kind]))).label("title_score")
        statement = _of_kind(found, kind, source, condition).add_columns(score_)
        selects.append(statement.outerjoin(titled, titled.c.node_id == found.c.node_id))
    return sa.union_all(*selects).subquery("hits")


def _documents(dialect_name: str) -> sa.Select[Any]:
    return sa.select(DOCUMENTS.c.node_id).select_from(from_documents(dialect_name))


def _of_kind(found: sa.CTE, kind: Kind, source: Source, condition: Condition | None) -> sa.Select[Any]:
    """Select the visible hits of one kind; the condition is one for posts."""
    identity = source.columns["id"]
    moment = sa.type_coerce(MOMENTS[kind], UtcDateTime())
    statement = (
        sa.select(identity.label("id"), sa.literal(kind, sa.Text).label("kind"), moment.label("moment"))
        .select_from(found.join(identity.table, identity == found.c.node_id))
        .where(source.visible())
    )
    if kind is not Kind.POST or condition is None:
        return statement
    return statement.where(source.filterable.clause(condition))


def _scored(dialect_name: str, hits: sa.Subquery) -> sa.CTE:
    """Score hits: by their titles, the newest 1,000 others of each kind by their texts, all others 0.

    The cap bounds the reading of texts. Hidden rows are no hits, so they displace no visible ones.
    """
    is_titled = hits.c.title_score.is_not(None)
    place = sa.func.row_number().over(partition_by=(hits.c.kind, is_titled), order_by=hits.c.id.desc())
    placed = sa.select(hits, place.label("place")).subquery("placed")
    by_text = (placed.c.place <= _MAX_CANDIDATES, _text_score(dialect_name, placed))
    score_ = sa.case((placed.c.title_score.is_not(None), placed.c.title_score), by_text, else_=sa.literal_column("0.0"))
    scored = sa.select(placed.c.id, placed.c.kind, placed.c.moment, sa.type_coerce(score_, sa.Double).label("score"))
    # Else a text would be read wherever its score is named.
    return scored.cte("scored").prefix_with("MATERIALIZED")


def _rescored(dialect_name: str, page: sa.Subquery, form: SearchForm) -> sa.Select[Any]:
    """Score the rows of a page that is ordered by something else."""
    score_ = sa.func.coalesce(page.c.title_score, _text_score(dialect_name, page))
    keys = (Key(term.attribute, page.c[term.attribute], term.descending) for term in form.ordering.terms)
    return sa.select(sa.type_coerce(score_, sa.Double).label("score"), page.c.id, page.c.kind, page.c.moment).order_by(
        *(key.order_by(backward=form.window.backward) for key in keys)
    )


def _text_score(dialect_name: str, rows: sa.Subquery) -> sa.ColumnElement[float]:
    documents = from_documents(dialect_name)
    return (
        sa.select(score(dialect_name))
        .select_from(documents)
        .where(DOCUMENTS.c.node_id == rows.c.id)
        .correlate(rows)
        .scalar_subquery()
    )


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
