"""Index deleted posts by the time of their deletion, for their removal.

Revision ID: 6d40b7f1e8a3
Revises: d6f0a9b2b9cb
Created: 2026-12-01 12:10 UTC
"""

from gqlapi.database import online

revision = "6d40b7f1e8a3"
down_revision = "d6f0a9b2b9cb"
branch_labels = None
depends_on = None

NAME = "ix_posts_deleted_at_id"


def upgrade() -> None:
    online.create_index(NAME, "posts", ["deleted_at", "id"], where="deleted_at IS NOT NULL")


def downgrade() -> None:
    online.drop_index(NAME, "posts")
