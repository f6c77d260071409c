"""Statements that write a post with its links, its change and its words at once, for PostgreSQL.

Parts of one WITH see the same state and none of each other's rows, so no two of them write the same row.
https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR, insert

from gqlapi.database.kept import KeptStatement
from gqlapi.database.search import DOCUMENTS
from gqlapi.database.types import UtcDateTime
from gqlapi.models import ChangeKind, Post, PostChange, PostSlug, PostTag
from gqlapi.repositories.post_rows import COLUMNS, NewPostRow, PostChangeRow, values_of, visible_from
from gqlapi.repositories.search import Kind
from gqlapi.repositories.viewers import has_same_rights

POSTS: sa.Table = Post.__table__  # type: ignore[assignment]  # a Table, as of every model that is mapped to one
LINKS: sa.Table = PostTag.__table__  # type: ignore[assignment]  # as above
CHANGES: sa.Table = PostChange.__table__  # type: ignore[assignment]  # as above
CHANGE_COLUMNS = ["kind", "was_public", "post_id", "author_id", "version", "created_at"]
LINK_TYPES: dict[str, Any] = {"post_id": sa.Uuid(), "tag_id": sa.Uuid(), "position": sa.SmallInteger()}
LINK_TYPES["visible_from"] = UtcDateTime()


SQLITE_CREATION = sqlite.insert(POSTS).on_conflict_do_nothing(index_elements=["slug"]).returning(POSTS.c.id)


@cache
def creation() -> KeptStatement:
    """Return the statement that inserts posts, but those whose slug is taken, and returns the keys of the inserted."""
    return _creation(sa.true())


@cache
def creation_at_once(*, has_session: bool, has_token: bool) -> KeptStatement:
    """Return the statement that does what `creation` does, and nothing when the viewer's rights have changed."""
    return _creation(has_same_rights(has_session=has_session, has_token=has_token))


def _creation(may_create: sa.ColumnElement[bool]) -> KeptStatement:
    types = {column.name: _array_type(column.type) for column in POSTS.columns}
    rows = _unnested("new_posts", {**types, "vector": sa.Text()})
    # ON CONFLICT knows the current slugs only.
    is_free = ~sa.exists().where(PostSlug.slug == rows.c.slug)
    created = (
        insert(POSTS)
        .from_select(list(COLUMNS), sa.select(*(rows.c[name] for name in COLUMNS)).where(may_create, is_free))
        .on_conflict_do_nothing(index_elements=["slug"])
        .returning(POSTS.c.id, POSTS.c.author_id, POSTS.c.version, POSTS.c.created_at)
        .cte("created")
    )
    links = _unnested("new_links", LINK_TYPES)
    is_of_created = links.join(created, created.c.id == links.c.post_id)
    linked = insert(LINKS).from_select([*LINK_TYPES], sa.select(*links.c).select_from(is_of_created)).cte("linked")
    documents = sa.select(created.c.id, sa.literal(Kind.POST.value), sa.cast(rows.c.vector, TSVECTOR))
    documents = documents.select_from(created.join(rows, rows.c.id == created.c.id))
    indexed = insert(DOCUMENTS).from_select(["node_id", "kind", "vector"], documents).cte("indexed")
    kind = sa.literal(ChangeKind.CREATED, CHANGES.c.kind.type)
    statement = sa.select(created.c.id).add_cte(linked, indexed, _noted(created, kind, sa.false(), created))
    return KeptStatement(statement, "postgresql")


def creation_parameters(posts: Sequence[NewPostRow]) -> dict[str, Any]:
    """Return the parameters of `creation`: an array for each column."""
    columns = zip(*(values_of(post.row) for post in posts), strict=True)
    parameters = {f"new_posts_{name}": list(values) for name, values in zip(COLUMNS, columns, strict=True)}
    parameters["new_posts_vector"] = [post.indexed.to_tsvector() for post in posts]
    links = [link for post in posts for link in links_of(post)]
    for name in LINK_TYPES:
        parameters[f"new_links_{name}"] = [link[name] for link in links]
    return parameters


def links_of(post: NewPostRow) -> list[dict[str, Any]]:
    """Return the rows that link a new post to its tags."""
    row = post.row
    shared = {"post_id": row.id, "visible_from": visible_from(row.state, row.published_at, row.deleted_at)}
    return [{**shared, "tag_id": id_, "position": position} for position, id_ in enumerate(post.tag_ids)]


@cache
def change(names: tuple[str, ...], *, moves_links: bool, indexes: bool) -> KeptStatement:
    """Return the statement that writes some columns of posts as their next versions, and returns ids and versions."""
    types = {f"new_{name}": _array_type(POSTS.c[name].type) for name in names}
    rows = _unnested("changed", {**CHANGE_TYPES, **types, **({"vector": sa.Text()} if indexes else {})})
    values = {name: rows.c[f"new_{name}"] for name in names}
    update = _next_version(POSTS.c.id == rows.c.changed_id, values)
    updated = update.returning(POSTS.c.id, POSTS.c.author_id, POSTS.c.version).cte("updated")
    noted = sa.join(updated, rows, rows.c.changed_id == updated.c.id)
    parts = [_noted(updated, rows.c.change_kind, rows.c.was_public, noted)]
    if moves_links:
        parts.append(_move_links(rows.c.changed_id, rows.c.visible_from).cte("moved"))
    if indexes:
        documents = sa.select(rows.c.changed_id, sa.literal(Kind.POST.value), sa.cast(rows.c.vector, TSVECTOR))
        put = insert(DOCUMENTS).from_select(["node_id", "kind", "vector"], documents)
        on_conflict = put.on_conflict_do_update(index_elements=["node_id"], set_={"vector": put.excluded.vector})
        parts.append(on_conflict.cte("indexed"))
    return KeptStatement(sa.select(updated.c.id, updated.c.version).add_cte(*parts), "postgresql")


def change_parameters(changes: Sequence[PostChangeRow], now: datetime) -> dict[str, Any]:
    """Return the parameters of `change`: an array for each column."""
    rows = [row_parameters(change, now) for change in changes]
    return {"now": now, **{f"changed_{name}": [row[name] for row in rows] for name in rows[0]}}


def row_parameters(change: PostChangeRow, now: datetime) -> dict[str, Any]:
    """Return the parameters of `sqlite_update` and `sqlite_move`, but for the time."""
    return {
        "changed_id": change.post.id,
        "change_kind": change.kind,
        "was_public": change.was_public(now),
        "visible_from": change.visible_from,
        **{f"new_{name}": value for name, value in change.values.items()},
    }


@cache
def sqlite_update(names: tuple[str, ...]) -> sa.Update:
    """Build the statement that writes some columns of a post as its next version; it knows its parameters only."""
    values = {name: sa.bindparam(f"new_{name}", type_=POSTS.c[name].type) for name in names}
    return _next_version(POSTS.c.id == _POST_ID, values)


@cache
def sqlite_move() -> sa.Update:
    """Build the statement that repeats in the links of a post when it became public."""
    return _move_links(_POST_ID, sa.bindparam("visible_from", type_=UtcDateTime))


def _next_version(is_changed: sa.ColumnElement[bool], values: Mapping[str, Any]) -> sa.Update:
    version = POSTS.c.version + 1
    return sa.update(POSTS).where(is_changed).values(**values, version=version, updated_at=_NOW)


def _move_links(post_id: sa.ColumnElement[Any], moment: sa.ColumnElement[Any]) -> sa.Update:
    """Write only those that change.

    PostgreSQL checks the foreign keys of a row that one transaction writes twice, and would lock its tag after the
    post.
    """
    is_stale = (LINKS.c.post_id == post_id) & LINKS.c.visible_from.is_distinct_from(moment)
    return sa.update(LINKS).where(is_stale).values(visible_from=moment)


CHANGE_TYPES: dict[str, Any] = {"changed_id": sa.Uuid(), "change_kind": sa.Text(), "was_public": sa.Boolean()}
CHANGE_TYPES["visible_from"] = UtcDateTime()
_POST_ID = sa.bindparam("changed_id", type_=sa.Uuid)
_NOW = sa.bindparam("now", type_=UtcDateTime)


def _noted(
    source: sa.CTE, kind: sa.ColumnElement[Any], was_public: sa.ColumnElement[bool], joined: sa.FromClause
) -> sa.CTE:
    """Write the change feed; the changes get their positions when they are committed."""
    columns = (kind, was_public, source.c.id, source.c.author_id, source.c.version, _NOW)
    rows = sa.select(*columns).select_from(joined).order_by(source.c.id)
    return insert(CHANGES).from_select(CHANGE_COLUMNS, rows).cte("noted")


def _unnested(name: str, types: Mapping[str, Any]) -> sa.CTE:
    """Return rows of any number, whose columns are arrays: one statement text for all numbers."""
    arrays = [sa.bindparam(f"{name}_{column}", type_=ARRAY(type_)) for column, type_ in types.items()]
    columns = [sa.column(column, type_) for column, type_ in types.items()]
    rows = sa.func.unnest(*arrays).table_valued(*columns, name=f"{name}_arrays").render_derived()
    return sa.select(*rows.c).cte(name)


def _array_type(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """Return what an array of a column holds: a text's collation and an enum's names are matters of the column."""
    return sa.Text() if isinstance(type_, sa.String) else type_
