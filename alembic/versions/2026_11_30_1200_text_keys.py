"""Keep a key of how user names look, and make the keys of texts anew, which ignore invisible characters now.

No name, title or slug is changed. Where several rows would get one key, only one of them has it; `gqlapi check-texts`
lists the others.

Revision ID: c4a7e19d2b58
Revises: b3d90f5a6e17
Created: 2026-11-30 12:00 UTC
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from gqlapi.names import skeleton
from gqlapi.words import fold

revision = "c4a7e19d2b58"
down_revision = "b3d90f5a6e17"
branch_labels = None
depends_on = None

SORT_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROWS_AT_ONCE = 2_000
# Table, text, key, whether the key is unique.
KEYS = (
    ("posts", "title", "title_key", False),
    ("tags", "name", "name_key", True),
    ("users", "username", "username_key", True),
    ("users", "email", "email_key", True),
)


def upgrade() -> None:
    skeletons: list[dict[str, Any]] = []
    if not op.get_context().as_sql:  # a script is for an empty database
        for table, text, key, is_unique in KEYS:
            _renew_keys(table, text, key, is_unique=is_unique)
        skeletons = _skeletons()
    # Table locks are taken only now.
    op.add_column("users", sa.Column("username_skeleton", SORT_KEY, nullable=True))
    if skeletons:
        users = sa.table("users", sa.column("id", sa.Uuid()), sa.column("username_skeleton", sa.Text()))
        statement = sa.update(users).where(users.c.id == sa.bindparam("user_id"))
        op.get_bind().execute(statement.values(username_skeleton=sa.bindparam("skeleton")), skeletons)
    with op.batch_alter_table("users") as batch:
        batch.create_unique_constraint(op.f("uq_users_username_skeleton"), ["username_skeleton"])


def downgrade() -> None:
    # The keys stay: those of older versions differ only for texts with invisible characters.
    with op.batch_alter_table("users") as batch:
        batch.drop_constraint(op.f("uq_users_username_skeleton"), type_="unique")
        batch.drop_column("username_skeleton")


def _rows(table: str, *columns: str) -> Iterator[Any]:
    """Read a table in the order of its ids, which is that of creation."""
    source = sa.table(table, sa.column("id", sa.Uuid()), *(sa.column(name) for name in columns))
    statement = sa.select(*source.c).order_by(source.c.id).limit(ROWS_AT_ONCE)
    last = None
    while True:
        page = statement if last is None else statement.where(source.c.id > last)
        rows = op.get_bind().execute(page).all()
        yield from rows
        if len(rows) < ROWS_AT_ONCE:
            return
        last = rows[-1].id


def _renew_keys(name: str, text: str, key: str, *, is_unique: bool) -> None:
    table = sa.table(name, sa.column("id", sa.Uuid()), sa.column(key, sa.Text()))
    column = table.c[key]
    for id_, written, old in _rows(name, text, key):
        if written is None or written.isascii() or (new := fold(written)) == old or not new:
            continue
        is_taken = is_unique and op.get_bind().execute(sa.select(table.c.id).where(column == new)).first()
        if not is_taken:
            op.get_bind().execute(sa.update(table).where(table.c.id == id_).values({key: new}))


def _skeletons() -> list[dict[str, Any]]:
    found: dict[str, Any] = {}
    for id_, username, deleted_at in _rows("users", "username", "deleted_at"):
        if deleted_at is None:
            found.setdefault(skeleton(username), id_)
    return [{"user_id": id_, "skeleton": key} for key, id_ in found.items()]
