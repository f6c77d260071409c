"""Create the registries of slugs, and keep for each post where its slug comes from.

Existing posts keep their slugs as if all had been published: it is unknown which of them were.

Revision ID: f3b81c6e42d9
Revises: a5d0c93e7b14
Created: 2026-12-01 07:00 UTC
"""

import sqlalchemy as sa
from alembic import op

from gqlapi.database.slugs import POST_SLUGS, TAG_SLUGS, Registry, create_triggers, drop_triggers

revision = "f3b81c6e42d9"
down_revision = "a5d0c93e7b14"
branch_labels = None
depends_on = None

SORT_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
RULE = sa.Enum("title", "chosen", "fixed", name="slug_rule", native_enum=False, create_constraint=True, length=16)


def upgrade() -> None:
    with op.batch_alter_table("posts") as batch:
        batch.add_column(sa.Column("slug_rule", RULE, server_default="fixed", nullable=False))
    _create(POST_SLUGS, 200)
    _create(TAG_SLUGS, 100)


def downgrade() -> None:
    for registry in (TAG_SLUGS, POST_SLUGS):
        for statement in drop_triggers(op.get_context().dialect.name, registry):
            op.execute(statement)
        op.drop_table(registry.name)
    with op.batch_alter_table("posts") as batch:
        batch.drop_constraint(op.f("ck_posts_slug_rule"), type_="check")
        batch.drop_column("slug_rule")


def _create(registry: Registry, max_length: int) -> None:
    name, key = registry.name, registry.key
    op.create_table(
        name,
        sa.Column(key, sa.Uuid(), nullable=False),
        sa.Column("slug", SORT_KEY, nullable=False),
        sa.CheckConstraint(f"length(slug) BETWEEN 1 AND {max_length}", name=op.f(f"ck_{name}_slug_length")),
        sa.ForeignKeyConstraint(
            [key], [f"{registry.table}.id"], name=op.f(f"fk_{name}_{key}_{registry.table}"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(key, "slug", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("slug", name=op.f(registry.constraint)),
    )
    # Before the rows are copied: concurrent writes of an earlier version wait, and are registered then.
    for statement in create_triggers(op.get_context().dialect.name, registry):
        op.execute(statement)
    op.execute(f"INSERT INTO {name} (slug, {key}) SELECT slug, id FROM {registry.table}")  # noqa: S608 - our own names
