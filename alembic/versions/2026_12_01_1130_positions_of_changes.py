"""Give changes of posts their positions after they are committed, and note what the public could see before.

Revision ID: 5b8e07f2a94d
Revises: 3c7fe1908d52
Created: 2026-12-01 11:30 UTC
"""

import sqlalchemy as sa
from alembic import op

from gqlapi.database.types import UtcDateTime

revision = "5b8e07f2a94d"
down_revision = "3c7fe1908d52"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE post_changes RENAME COLUMN position TO id")
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER SEQUENCE post_changes_position_seq RENAME TO post_changes_id_seq")
    op.add_column("post_changes", sa.Column("position", sa.BigInteger(), nullable=True))
    op.add_column("post_changes", sa.Column("was_public", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(op.f("ix_post_changes_position"), "post_changes", ["position"], unique=True)
    op.create_table(
        "feed_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("published_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_state")),
    )
    is_postgresql = op.get_context().dialect.name == "postgresql"
    now = "now()" if is_postgresql else "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    op.execute(f"INSERT INTO feed_state (id, last_position, published_until) VALUES (1, 0, {now})")  # noqa: S608 - no input


def downgrade() -> None:
    op.drop_table("feed_state")
    op.drop_index(op.f("ix_post_changes_position"), "post_changes")
    op.drop_column("post_changes", "was_public")
    op.drop_column("post_changes", "position")
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER SEQUENCE post_changes_id_seq RENAME TO post_changes_position_seq")
    op.execute("ALTER TABLE post_changes RENAME COLUMN id TO position")
