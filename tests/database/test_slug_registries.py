"""The migration that registers slugs, over rows that are there, and beside servers of the version before."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.migrations import connect
from gqlapi.database.url import normalize_url
from gqlapi.models import Post, PostSlug, SlugRule, TagSlug
from tests.api import serve, settings_for
from tests.database.test_text_keys import execute, migrate
from tests.factories import make_draft, make_post, make_tag, make_user, save

BEFORE = "a5d0c93e7b14"
# What a server of the version before writes: it knows neither the registry nor the new column.
COPY = """
INSERT INTO posts (id, version, created_at, updated_at, author_id, slug, title, title_key, state, published_at,
  reading_time_minutes, renderer, markdown, html, text)
SELECT {id}, 1, created_at, updated_at, author_id, :slug, title, title_key, state, published_at,
  reading_time_minutes, renderer, markdown, html, text FROM posts LIMIT 1
"""


def new_id(dialect: str) -> str:
    return "gen_random_uuid()" if dialect == "postgresql" else "lower(hex(randomblob(16)))"


async def slugs_of(url: str, registry: type[PostSlug | TagSlug]) -> set[str]:
    async with connect(url) as connection, AsyncSession(connection) as session:
        return {*await session.scalars(sa.select(registry.slug))}


@pytest.fixture
async def old_url(database_url: str) -> str:
    """A database of the version before, with rows."""
    async with serve(settings_for(database_url)) as api:
        ada = make_user()
        posts = make_post(ada, slug="public"), make_draft(ada, slug="draft")
        await save(api.database, [ada, make_tag(slug="tag"), *posts])
    await migrate(database_url, "downgrade", BEFORE)
    return database_url


class TestUpgrade:
    async def test_registers_the_slugs_of_all_rows(self, old_url: str) -> None:
        await migrate(old_url, "upgrade", "head")
        assert (await slugs_of(old_url, PostSlug), await slugs_of(old_url, TagSlug)) == ({"public", "draft"}, {"tag"})
        async with connect(old_url) as connection, AsyncSession(connection) as session:
            assert {*await session.scalars(sa.select(Post.slug_rule))} == {SlugRule.FIXED}


class TestServersOfTheVersionBefore:
    async def test_register_what_they_write(self, old_url: str, dialect: str) -> None:
        await migrate(old_url, "upgrade", "head")
        await execute(old_url, COPY.format(id=new_id(dialect)), slug="new")
        await execute(old_url, "UPDATE posts SET slug = 'moved' WHERE slug = 'public'")
        assert await slugs_of(old_url, PostSlug) == {"public", "moved", "draft", "new"}
        with pytest.raises(sa.exc.IntegrityError):
            await execute(old_url, "UPDATE posts SET slug = 'public' WHERE slug = 'new'")

    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    async def test_need_no_rights_on_the_registry(self, old_url: str, dialect: str) -> None:
        """Their role was given its rights before the table was created."""
        role = f"{sa.make_url(old_url).database}_writer"
        await execute(old_url, f"CREATE ROLE {role}")
        try:
            await execute(old_url, f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}")
            await migrate(old_url, "upgrade", "head")
            async with connect(normalize_url(old_url)) as connection:
                await connection.execute(sa.text(f"SET ROLE {role}"))
                await connection.execute(sa.text(COPY.format(id=new_id(dialect))), {"slug": "new"})
                await connection.commit()
        finally:
            await execute(old_url, f"DROP OWNED BY {role}")
            await execute(old_url, f"DROP ROLE {role}")
        assert "new" in await slugs_of(old_url, PostSlug)
