"""Create the counts of how clients use the schema.

Revision ID: a5d0c93e7b14
Revises: e82f06b3c1a7
Created: 2026-12-01 03:10 UTC
"""

import sqlalchemy as sa
from alembic import op

from gqlapi.database.types import UtcDateTime

revision = "a5d0c93e7b14"
down_revision = "e82f06b3c1a7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "field_usage",
        sa.Column("coordinate", sa.String(200), nullable=False),
        sa.Column("client", sa.String(100), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("first_used_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("coordinate", "client", name=op.f("pk_field_usage")),
    )


def downgrade() -> None:
    op.drop_table("field_usage")
