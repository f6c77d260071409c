"""The search index: the rows that belong into it, and how they are written. Migrations use it as well."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from gqlapi.database.dialect import AnySelect, bind_ids, is_one_of
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.search import DOCUMENTS, WORDS, Indexed

# Bounds what is in memory at once: a text has at most 200,000 characters that are indexed.
ROWS_AT_ONCE = 50

Document = tuple[UUID, str, Indexed]


class SearchRow(NamedTuple):
    """A row as it is found: by words of its title and of its body."""

    id: UUID
    title: str
    body: str


class SearchSource(NamedTuple):
    """The rows of one kind that belong into the index."""

    table: sa.TableClause
    title: sa.ColumnElement[str]
    body: sa.ColumnElement[str]
    is_indexed: sa.ColumnElement[bool]


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, sa.column("id", sa.Uuid()), *(sa.column(column, sa.Text()) for column in columns))


# Not the models': a migration reads tables as they were.
_POSTS = _table("posts", "title", "text")
_USERS = _table("users", "username", "display_name", "bio", "deleted_at")
_TAGS = _table("tags", "name", "description")
SOURCES = {
    # Deleted posts can be restored.
    "post": SearchSource(_POSTS, _POSTS.c.title, _POSTS.c.text, sa.true()),
    "user": SearchSource(
        _USERS,
        _USERS.c.username + " " + _USERS.c.display_name,
        sa.func.coalesce(_USERS.c.bio, ""),
        _USERS.c.deleted_at.is_(None),
    ),
    "tag": SearchSource(_TAGS, _TAGS.c.name, sa.func.coalesce(_TAGS.c.description, ""), sa.true()),
}


def rows_after(kind: str, after: UUID | None, limit: int = ROWS_AT_ONCE) -> AnySelect:
    """Select the next rows of one kind in the order of their ids."""
    source = SOURCES[kind]
    follows = sa.true() if after is None else source.table.c.id > after
    return _rows(source).where(follows).order_by(source.table.c.id).limit(limit)


def rows_by_ids(kind: str, ids: Sequence[UUID]) -> AnySelect:
    """Select rows of one kind and lock them, so that they stay as they are until they are indexed."""
    source = SOURCES[kind]
    rows = _rows(source).where(source.table.c.id.in_(ids)).order_by(source.table.c.id)
    return rows.with_for_update(key_share=True)


def count_rows(kind: str) -> AnySelect:
    """Select the number of rows of one kind that belong into the index."""
    source = SOURCES[kind]
    return sa.select(sa.func.count()).select_from(source.table).where(source.is_indexed)


def count_missing(kind: str) -> AnySelect:
    """Select the number of rows of one kind that are not in the index."""
    source = SOURCES[kind]
    return count_rows(kind).where(~sa.exists().where(DOCUMENTS.c.node_id == source.table.c.id))


async def count_differences(unit: ReadUnit) -> dict[str, tuple[int, int]]:
    """Count, by kind, the rows that are not in the index and the documents that have no row; one statement."""
    missing = [count_missing(kind).scalar_subquery() for kind in SOURCES]
    superfluous = [_count(orphans(kind)).scalar_subquery() for kind in SOURCES]
    (row,) = await unit.rows(sa.select(*missing, *superfluous))
    counts = [int(count) for count in row]
    return dict(zip(SOURCES, zip(counts[: len(SOURCES)], counts[len(SOURCES) :], strict=True), strict=True))


def _count(statement: AnySelect) -> AnySelect:
    return sa.select(sa.func.count()).select_from(statement.subquery())


def orphans(kind: str) -> AnySelect:
    """Select the ids of documents of one kind whose rows do not belong into the index."""
    source = SOURCES[kind]
    has_row = sa.exists().where(source.table.c.id == DOCUMENTS.c.node_id, source.is_indexed)
    return sa.select(DOCUMENTS.c.node_id).where(DOCUMENTS.c.kind == kind, ~has_row)


def _rows(source: SearchSource) -> sa.Select[Any]:
    return sa.select(source.table.c.id, source.title, source.body).where(source.is_indexed)


def index_all(connection: sa.Connection) -> None:
    """Index all rows in the transaction of a migration."""
    for kind in SOURCES:
        last = None
        while rows := [SearchRow(*row) for row in connection.execute(rows_after(kind, last))]:
            put(connection, [(row.id, kind, Indexed.of(row.title, row.body)) for row in rows])
            last = rows[-1].id


def put(connection: sa.Connection, documents: Sequence[Document]) -> None:
    """Write documents, new ones or known ones, in a constant number of statements."""
    if connection.dialect.name == "postgresql":
        _put_postgresql(connection, documents)
    else:
        _put_sqlite(connection, documents)


def batches(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    """Cut documents into batches."""
    iterator = iter(documents)
    while batch := list(islice(iterator, size)):
        yield batch


def _put_postgresql(connection: sa.Connection, documents: Sequence[Document]) -> None:
    insert = postgresql_insert(DOCUMENTS)
    upsert = insert.on_conflict_do_update(index_elements=["node_id"], set_={"vector": insert.excluded.vector})
    rows = [{"node_id": id_, "kind": kind, "vector": indexed.to_tsvector()} for id_, kind, indexed in documents]
    connection.execute(upsert, rows)


# Made once: SQLAlchemy takes as long to make one as to execute it.
_NUMBERED = sa.select(DOCUMENTS.c.node_id, DOCUMENTS.c.id).where(is_one_of("sqlite", DOCUMENTS.c.node_id))
_ADDITION = sa.insert(DOCUMENTS).prefix_with("OR IGNORE")
# Also replaces words that lost their document, as after a partial restore: its number is given to another one.
_INSERTION = sa.insert(WORDS).prefix_with("OR REPLACE")


def _put_sqlite(connection: sa.Connection, documents: Sequence[Document]) -> None:
    ids = bind_ids("sqlite", [id_ for id_, _, _ in documents])
    connection.execute(_ADDITION, [{"node_id": id_, "kind": kind} for id_, kind, _ in documents])
    rowids = {row[0]: row[1] for row in connection.execute(_NUMBERED, ids)}
    connection.execute(
        _INSERTION,
        [
            {"rowid": rowids[id_], "title": " ".join(indexed.title.words), "body": " ".join(indexed.body.words)}
            for id_, _, indexed in documents
        ],
    )
