"""Create the search objects."""

from alembic import op

from gqlapi.database.search import DDL, DROP_DDL

revision = "8a2e57c91b40"
down_revision = "4d1f6c0b7a25"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in DDL[op.get_context().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for statement in DROP_DDL[op.get_context().dialect.name]:
        op.execute(statement)
