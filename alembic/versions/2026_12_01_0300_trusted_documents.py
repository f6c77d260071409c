"""Create trusted documents.

Revision ID: e82f06b3c1a7
Revises: d41c7be2f083
Created: 2026-12-01 03:00 UTC
"""

import sqlalchemy as sa
from alembic import op

from gqlapi.database.types import UtcDateTime

revision = "e82f06b3c1a7"
down_revision = "d41c7be2f083"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trusted_documents",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("document_id", sa.String(200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("max_cost", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("max_cost > 0", name=op.f("ck_trusted_documents_max_cost")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_trusted_documents")),
        sa.UniqueConstraint("document_id", name=op.f("uq_trusted_documents_document_id")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("trusted_documents")
