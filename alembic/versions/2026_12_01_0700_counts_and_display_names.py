"""Order users by their display names, and count the public posts of authors.

Revision ID: 7b1e94d2c60f
Revises: a5d0c93e7b14
Created: 2026-12-01 07:00 UTC
"""

import sqlalchemy as sa
from alembic import op

from gqlapi.words import fold

revision = "7b1e94d2c60f"
down_revision = "a5d0c93e7b14"
branch_labels = None
depends_on = None

SORT_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MAX_KEY_LENGTH = 400
IS_PUBLIC = sa.text("state = 'published' AND deleted_at IS NULL")
AUTHORS, NAMES = "ix_posts_author_id_public", "ix_users_display_name_key_id"


def upgrade() -> None:
    keys: list[dict[str, object]] = []
    users = sa.table("users", sa.column("id", sa.Uuid()), sa.column("display_name"), sa.column("display_name_key"))
    if not op.get_context().as_sql:  # a script is for an empty database
        rows = op.get_bind().execute(sa.select(users.c.id, users.c.display_name))
        keys = [{"user_id": id_, "key": fold(name)[:MAX_KEY_LENGTH]} for id_, name in rows]
    # Table locks are taken only now. A server of the version before writes no key: the default lets it write.
    op.add_column("users", sa.Column("display_name_key", SORT_KEY, nullable=False, server_default=sa.text("''")))
    if keys:
        statement = sa.update(users).where(users.c.id == sa.bindparam("user_id"))
        op.get_bind().execute(statement.values(display_name_key=sa.bindparam("key")), keys)
    op.create_index(NAMES, "users", ["display_name_key", "id"])
    columns = ["author_id", "published_at", "id"]
    op.create_index(AUTHORS, "posts", columns, postgresql_where=IS_PUBLIC, sqlite_where=IS_PUBLIC)


def downgrade() -> None:
    op.drop_index(AUTHORS, table_name="posts")
    op.drop_index(NAMES, table_name="users")
    with op.batch_alter_table("users") as batch:
        batch.drop_column("display_name_key")
