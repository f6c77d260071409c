"""What W6 writes, by hand: the statements are ours, the contents of the rows are made by gqlapi's own functions."""

from typing import Any
from uuid import UUID

from benchmarks.servers import limit_sql as sql
from gqlapi.accounts.tokens import hash_secret
from gqlapi.content import RENDERER_VERSION, RenderedContent, render
from gqlapi.database.search import Indexed
from gqlapi.database.types import utc_now
from gqlapi.models import new_id
from gqlapi.words import fold, slug_of

MAX_SLUG_LENGTH = 190
NOT_RENDERED = RenderedContent("", "", 1)


async def create_post(connection: Any, token: str, title: str, markdown: str) -> UUID:
    """Write the rows of a draft in one transaction: the post, its words for the search, its change."""
    now, content = utc_now(), render(markdown)
    async with connection.transaction():
        author_id, role, scopes = await connection.fetchrow(sql.OWNER, hash_secret(token), now)
        if role == "reader" or "write_posts" not in scopes:
            raise PermissionError
        key = await insert_post(connection, author_id, title, markdown, content)
        await connection.execute(sql.INSERT_DOCUMENT, key, Indexed.of(title, content.text).to_tsvector())
        await connection.execute(sql.INSERT_CHANGE, key, author_id, now)
    return key


async def insert_post(
    connection: Any, author_id: UUID, title: str, markdown: str, content: RenderedContent = NOT_RENDERED
) -> UUID:
    """Insert the row of a draft."""
    slug, rendered = slug_of(title, MAX_SLUG_LENGTH), (content.reading_time_minutes, RENDERER_VERSION)
    texts = markdown, content.html, content.text
    key: UUID = await connection.fetchval(
        sql.INSERT_POST, new_id(), utc_now(), author_id, slug, title, fold(title), *rendered, *texts
    )
    return key
