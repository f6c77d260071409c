"""Create the audit trail, and number the generations of refresh tokens.

Revision ID: d41c7be2f083
Revises: c4a7e19d2b58
Created: 2026-11-30 13:00 UTC
"""

import sqlalchemy as sa
from alembic import op

from gqlapi.database.types import UtcDateTime

revision = "d41c7be2f083"
down_revision = "c4a7e19d2b58"
branch_labels = None
depends_on = None

KINDS = (
    "'signed_up', 'signed_in', 'sign_in_failed', 'signed_out', 'session_stolen', 'password_failed', "
    "'password_changed', 'role_changed', 'token_created', 'token_revoked', 'user_deleted'"
)


def upgrade() -> None:
    # Nullable: rows that an older server writes during the upgrade have none.
    op.add_column("refresh_tokens", sa.Column("generation", sa.Integer(), nullable=True))
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_audit_events_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(op.f("ix_audit_events_created_at"), "audit_events", ["created_at"])


def downgrade() -> None:
    op.drop_table("audit_events")
    op.drop_column("refresh_tokens", "generation")
