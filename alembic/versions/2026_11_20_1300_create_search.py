"""Create the search objects, and index the rows that are there."""

from alembic import op

from gqlapi.database.search import DDL, DROP_DDL
from gqlapi.database.search_index import index_all

revision = "8a2e57c91b40"
down_revision = "4d1f6c0b7a25"
branch_labels = None
depends_on = None


def upgrade() -> None:
    context = op.get_context()
    for statement in DDL[context.dialect.name]:
        op.execute(statement)
    if not context.as_sql:  # a script is for an empty database; `gqlapi search reindex` indexes what another one has
        index_all(op.get_bind())


def downgrade() -> None:
    for statement in DROP_DDL[op.get_context().dialect.name]:
        op.execute(statement)
