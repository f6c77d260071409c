"""Index the words of titles by themselves, so that a search ranks all titles that it finds.

Revision ID: 3c7fe1908d52
Revises: 7b1e94d2c60f
Created: 2026-12-01 07:20 UTC
"""

from alembic import op

revision = "3c7fe1908d52"
down_revision = "7b1e94d2c60f"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # FTS5 looks a word up in one column.
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE INDEX search_documents_title ON search_documents USING gin (ts_filter(vector, '{a}'))")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP INDEX search_documents_title")
