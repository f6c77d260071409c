"""What the ordinary server writes for `createPost`: the same rows as gqlapi, through the ORM, in one transaction.

The contents of the rows are made by gqlapi's own functions.
"""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from benchmarks.servers.ordinary_models import MOMENT, Base, PostRow, UserRow
from gqlapi.accounts.tokens import hash_secret
from gqlapi.content import RENDERER_VERSION, render
from gqlapi.database.search import Indexed
from gqlapi.words import fold, slug_of

MAX_SLUG_LENGTH = 190


class ApiTokenRow(Base):
    """A token of a program."""

    __tablename__ = "api_tokens"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id"))
    hash: Mapped[str]
    scopes: Mapped[str]
    expires_at: Mapped[datetime | None] = mapped_column(MOMENT)


class SearchDocumentRow(Base):
    """The words that a post is found by."""

    __tablename__ = "search_documents"
    node_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="post")
    vector: Mapped[str] = mapped_column(TSVECTOR)


class PostChangeRow(Base):
    """A change of a post."""

    __tablename__ = "post_changes"
    position: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(default="created")
    post_id: Mapped[UUID]
    author_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(MOMENT)


async def create_post(session: AsyncSession, token: str, author_id: UUID, title: str, markdown: str) -> PostRow:
    """Write the rows of a draft: the post, its words for the search, its change.

    Raises:
        PermissionError: the token is not one of the author's, or may not.
    """
    now, content, key = datetime.now(UTC), render(markdown), uuid4()
    owner = (
        sa.select(UserRow, ApiTokenRow.scopes)
        .join(ApiTokenRow, ApiTokenRow.user_id == UserRow.id)
        .where(
            ApiTokenRow.hash == hash_secret(token),
            UserRow.id == author_id,
            sa.or_(ApiTokenRow.expires_at.is_(None), ApiTokenRow.expires_at > now),
            UserRow.deleted_at.is_(None),
        )
    )
    found = (await session.execute(owner)).one_or_none()
    if found is None or found[0].role == "reader" or "write_posts" not in found[1]:
        raise PermissionError
    post = PostRow(
        id=key,
        created_at=now,
        updated_at=now,
        author_id=author_id,
        slug=slug_of(title, MAX_SLUG_LENGTH),
        title=title,
        title_key=fold(title),
        markdown=markdown,
        html=content.html,
        text=content.text,
        reading_time_minutes=content.reading_time_minutes,
        renderer=RENDERER_VERSION,
    )
    document = SearchDocumentRow(node_id=key, vector=Indexed.of(title, content.text).to_tsvector())
    session.add_all([post, document, PostChangeRow(post_id=key, author_id=author_id, created_at=now)])
    await session.commit()
    return post
