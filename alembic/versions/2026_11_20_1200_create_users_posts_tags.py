"""Create users, posts and tags.

Revision ID: 4d1f6c0b7a25
Revises:
Created: 2026-11-20 12:00 UTC
"""

import sqlalchemy as sa
from alembic import op

from gqlapi.database.types import UtcDateTime

revision = "4d1f6c0b7a25"
down_revision = None
branch_labels = None
depends_on = None

SORT_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
LIVE = "deleted_at IS NULL"


def upgrade() -> None:
    _create_tags()
    _create_users()
    _create_posts()
    _create_post_tags()
    for name, columns, condition in (
        ("ix_posts_public", ["published_at", "id"], f"state = 'published' AND {LIVE}"),
        ("ix_posts_published_at_id", ["published_at", "id"], LIVE),
        ("ix_posts_updated_at_id", ["updated_at", "id"], LIVE),
        ("ix_posts_title_key_id", ["title_key", "id"], LIVE),
        ("ix_posts_author_id_published_at_id", ["author_id", "published_at", "id"], LIVE),
        ("ix_posts_author_id_id", ["author_id", "id"], LIVE),
    ):
        where = sa.text(condition)
        op.create_index(name, "posts", columns, postgresql_where=where, sqlite_where=where)
    op.create_index("ix_post_tags_tag_id_post_id", "post_tags", ["tag_id", "post_id"])
    op.create_index("ix_post_tags_tag_id_visible_from_post_id", "post_tags", ["tag_id", "visible_from", "post_id"])


def downgrade() -> None:
    for table in ("post_tags", "posts", "users", "tags"):
        op.drop_table(table)


def _create_tags() -> None:
    op.create_table(
        "tags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("slug", SORT_KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", SORT_KEY, nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.CheckConstraint("length(slug) BETWEEN 1 AND 100", name=op.f("ck_tags_slug_length")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_tags_name_length")),
        sa.CheckConstraint("length(description) <= 2000", name=op.f("ck_tags_description_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("slug", name=op.f("uq_tags_slug")),
        sa.UniqueConstraint("name_key", name=op.f("uq_tags_name_key")),
    )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("username_key", SORT_KEY, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", SORT_KEY, nullable=True),
        sa.Column("bio", sa.Text(), nullable=True),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("length(username) BETWEEN 1 AND 64", name=op.f("ck_users_username_length")),
        sa.CheckConstraint("length(display_name) BETWEEN 1 AND 100", name=op.f("ck_users_display_name_length")),
        sa.CheckConstraint("length(email) BETWEEN 3 AND 320", name=op.f("ck_users_email_length")),
        sa.CheckConstraint("length(bio) <= 2000", name=op.f("ck_users_bio_length")),
        sa.CheckConstraint("length(avatar_url) <= 2000", name=op.f("ck_users_avatar_url_length")),
        sa.CheckConstraint("(email IS NULL) = (email_key IS NULL)", name=op.f("ck_users_email_and_key")),
        sa.CheckConstraint("role IN ('reader', 'author', 'editor', 'admin')", name=op.f("ck_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username_key", name=op.f("uq_users_username_key")),
        sa.UniqueConstraint("email_key", name=op.f("uq_users_email_key")),
    )


def _create_posts() -> None:
    op.create_table(
        "posts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("slug", SORT_KEY, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_key", SORT_KEY, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("reading_time_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("renderer", sa.SmallInteger(), nullable=False),
        sa.Column("markdown", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 300", name=op.f("ck_posts_title_length")),
        sa.CheckConstraint("length(title_key) BETWEEN 1 AND 600", name=op.f("ck_posts_title_key_length")),
        sa.CheckConstraint("length(slug) BETWEEN 1 AND 200", name=op.f("ck_posts_slug_length")),
        sa.CheckConstraint(
            "state <> 'published' OR published_at IS NOT NULL", name=op.f("ck_posts_published_has_time")
        ),
        sa.CheckConstraint("state IN ('draft', 'published', 'archived')", name=op.f("ck_posts_state")),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_posts_author_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("slug", name=op.f("uq_posts_slug")),
    )


def _create_post_tags() -> None:
    op.create_table(
        "post_tags",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("visible_from", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_post_tags_post_id_posts"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_post_tags_tag_id_tags"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post_id", "tag_id", name=op.f("pk_post_tags")),
    )
