"""Rows for tests, written straight to the database."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from gqlapi.content import RENDERER_VERSION, render
from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.models import Post, PostState, PostTag, Row, Tag, User, UserRole, new_id
from gqlapi.names import skeleton
from gqlapi.repositories.search import SearchIndex
from gqlapi.words import fold

_numbers = count(1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def make_user(**values: Any) -> User:
    """Create an author with their own name."""
    username = values.pop("username", f"user{next(_numbers)}")
    email = values.pop("email", f"{username}@example.com")
    defaults = {
        "id": new_id(values.get("created_at")),
        "username_key": fold(username),
        "username_skeleton": skeleton(username),
        "display_name": username.title(),
        "email_key": fold(email),
        "role": UserRole.AUTHOR,
    }
    return User(username=username, email=email, **{**defaults, **values})


def make_tag(**values: Any) -> Tag:
    """Create a tag with its own name."""
    name = values.pop("name", f"Tag {next(_numbers)}")
    defaults = {"id": new_id(values.get("created_at")), "name_key": fold(name), "slug": fold(name).replace(" ", "-")}
    return Tag(name=name, **{**defaults, **values})


def make_post(author: User, *tags: Tag, **values: Any) -> Post:
    """Create a post that has been public for a while, with its tags in this order."""
    number = next(_numbers)
    title = values.pop("title", f"Post {number}")
    markdown = values.pop("markdown", f"Text of *{title}*.")
    content = render(markdown)
    defaults = {
        "id": new_id(values.get("created_at")),
        "slug": f"post-{number}",
        "title_key": fold(title),
        "state": PostState.PUBLISHED,
        "published_at": LONG_AGO + timedelta(minutes=number),
        "html": content.html,
        "text": content.text,
        "reading_time_minutes": content.reading_time_minutes,
        "renderer": RENDERER_VERSION,
    }
    post = Post(author_id=author.id, title=title, markdown=markdown, **{**defaults, **values})
    post.post_tags = [
        PostTag(tag_id=tag.id, position=position, visible_from=post.visible_from) for position, tag in enumerate(tags)
    ]
    return post


def make_scheduled_post(author: User, *tags: Tag, **values: Any) -> Post:
    """Create a post that becomes public tomorrow."""
    return make_post(author, *tags, **{"published_at": utc_now() + timedelta(days=1), **values})


def make_draft(author: User, *tags: Tag, **values: Any) -> Post:
    """Create a draft."""
    return make_post(author, *tags, **{"state": PostState.DRAFT, "published_at": None, **values})


async def save(database: Database, rows: Iterable[Row]) -> None:
    """Write rows in one transaction: users and tags before the posts that refer to them."""
    rows = list(rows)
    async with database.write() as session:
        session.add_all(row for row in rows if not isinstance(row, Post))
        await session.flush()
        session.add_all(row for row in rows if isinstance(row, Post))
        await session.flush()
        await SearchIndex(session).put(row for row in rows if isinstance(row, User | Post | Tag))
