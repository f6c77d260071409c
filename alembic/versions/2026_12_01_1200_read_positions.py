"""Note how far sessions and API tokens have written, for reads from replicas.

Revision ID: d6f0a9b2b9cb
Revises: 5b8e07f2a94d
Created: 2026-12-01 12:00 UTC
"""

import sqlalchemy as sa
from alembic import op

revision = "d6f0a9b2b9cb"
down_revision = "5b8e07f2a94d"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("sessions", "api_tokens"):
        op.add_column(table, sa.Column("position", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for table in ("api_tokens", "sessions"):
        op.drop_column(table, "position")
