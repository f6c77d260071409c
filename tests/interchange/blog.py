"""Folders of Markdown files, and all that a database says of a blog."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import sqlalchemy as sa

from gqlapi.content import RENDERER_VERSION, render
from gqlapi.database.search import DOCUMENTS, WORDS
from gqlapi.database.unit import Database
from gqlapi.interchange.importing import import_blog
from gqlapi.interchange.writing import FileOutcome
from gqlapi.models import Base, Post, PostChange, PostTag, Tag, User, created_at_of
from gqlapi.words import fold

WRITTEN = ("users", "tags", "posts", "post_tags", "post_changes")


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a folder; texts may be indented."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).lstrip("\n").encode())
    return folder


def article(title: str = "A title", *lines: str, text: str = "Text.\n", date: str = "2021-03-04") -> str:
    """Return a file with these lines in its front matter."""
    front = [f"title: {title}", *([f"date: {date}"] if date else []), *lines]
    return "\n".join(["---", *front, "---", "", text])


async def run_import(database: Database, folder: Path, author: str = "editorial", **options: Any) -> list[FileOutcome]:
    """Import a folder, and return the result for each file."""
    return [outcome async for outcome in import_blog(database, folder, default_author=author, **options)]


def lines(outcomes: list[FileOutcome]) -> list[str]:
    """Return what the command prints."""
    return [f"{o.status} {o.path}{f': {o.reason}' if o.reason else ''}" for o in outcomes]


async def rows_of(database: Database) -> dict[str, list[Any]]:
    """Return all rows of the tables that an import writes, those of the search included."""
    async with database.write_engine.connect() as connection:
        tables = [table for table in Base.metadata.sorted_tables if table.name in WRITTEN]
        found = {
            table.name: sorted(map(tuple, await connection.execute(sa.select(table))), key=str) for table in tables
        }
        indexed = (await connection.execute(sa.select(DOCUMENTS.c.node_id))).scalars()
        return {**found, "search": sorted(indexed)}


async def clear(database: Database) -> None:
    """Delete all rows."""
    async with database.write_engine.begin() as connection:
        for table in (PostTag, PostChange, Post, Tag, User):
            await connection.execute(sa.delete(table))
        if connection.dialect.name == "sqlite":
            await connection.execute(sa.delete(WORDS))
        await connection.execute(sa.delete(DOCUMENTS))


async def entities(database: Database, model: Any) -> list[Any]:
    """Return all rows of a model, with all columns."""
    async with database.write() as session:
        options = [sa.orm.undefer("*")]
        if model is Post:
            options += [sa.orm.selectinload(Post.author), sa.orm.selectinload(Post.post_tags).selectinload(PostTag.tag)]
        return [*await session.scalars(sa.select(model).options(*options).order_by(model.id))]


async def posts_of(database: Database) -> dict[str, Post]:
    """Return all posts by their slugs, after a check that everything about them is in step."""
    posts = await entities(database, Post)
    indexed = (await rows_of(database))["search"]
    for post in posts:
        check(post)
        assert (post.id in indexed, post.author_id in indexed) == (True, post.author.deleted_at is None)
        assert all(tag.id in indexed for tag in post.tags)
    return {post.slug: post for post in posts}


def check(post: Post) -> None:
    """Check what must hold for each post."""
    content = render(post.markdown)
    assert (post.html, post.text, post.reading_time_minutes, post.renderer) == (
        content.html,
        content.text,
        content.reading_time_minutes,
        RENDERER_VERSION,
    )
    assert post.title_key == fold(post.title)
    assert post.created_at == created_at_of(post.id)
    assert [link.position for link in post.post_tags] == [*range(len(post.post_tags))]
    assert {link.visible_from for link in post.post_tags} <= {post.visible_from}


async def blog_of(database: Database) -> dict[str, Any]:
    """Return all that makes two blogs equal."""
    users = sorted(await entities(database, User), key=lambda user: user.username_key)
    tags = sorted(await entities(database, Tag), key=lambda tag: tag.slug)
    posts = sorted((await posts_of(database)).values(), key=lambda post: post.slug)
    return {
        "users": [
            (user.username, user.display_name, user.bio, user.avatar_url, user.role, user.deleted_at is not None)
            for user in users
        ],
        "tags": [(tag.slug, tag.name, tag.description) for tag in tags],
        "posts": [
            {
                **{name: getattr(post, name) for name in ("slug", "title", "markdown", "html", "state")},
                "published_at": post.published_at,
                "created_at": post.created_at,
                "author": post.author.username,
                "tags": [tag.name for tag in post.tags],
            }
            for post in posts
        ],
    }
