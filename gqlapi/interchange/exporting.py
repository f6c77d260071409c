"""Writing a blog as a folder of Markdown files, which `import` reads back."""

from pathlib import Path
from typing import Any

import yaml

from gqlapi.database.unit import Database
from gqlapi.interchange.front_matter import join
from gqlapi.models import Post, PostState, User
from gqlapi.progress import Report
from gqlapi.repositories.interchange import count_posts, read_posts, read_tags

# File systems take 255 bytes.
MAX_NAME_BYTES = 200


async def export_blog(database: Database, folder: Path, report: Report | None = None) -> int:
    """Write all posts that are not deleted, their authors and all tags; return how many posts.

    Everything is read from one snapshot, 200 posts at a time.
    """
    authors: dict[str, dict[str, Any]] = {}
    unit = database.read()
    done = 0
    try:
        total = await count_posts(unit)
        async for post in read_posts(unit):
            path = folder / ("_drafts" if post.state is PostState.DRAFT else "_posts") / _file_name(post)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(join(_front_matter(post), post.markdown).encode())
            authors[post.author.username] = _author(post.author)
            done += 1
            if report is not None:
                report("posts", done, total)
        tags = [{"name": tag.name, "slug": tag.slug, "description": tag.description} for tag in await read_tags(unit)]
    finally:
        await unit.close()
    _write_yaml(folder / "_data" / "authors.yml", dict(sorted(authors.items())))
    _write_yaml(folder / "_data" / "tags.yml", tags)
    return done


def _front_matter(post: Post) -> dict[str, Any]:
    front: dict[str, Any] = {"title": post.title, "slug": post.slug, "author": post.author.username}
    if post.published_at is not None:
        front["date"] = post.published_at.isoformat(timespec="milliseconds")
    if post.created_at != post.published_at:
        front["created"] = post.created_at.isoformat(timespec="milliseconds")
    if post.post_tags:
        front["tags"] = [tag.name for tag in post.tags]
    if post.state is PostState.DRAFT:
        front["draft"] = True
    if post.state is PostState.ARCHIVED:
        # The second for generators that do not know the first.
        front |= {"archived": True, "published": False}
    return front


def _file_name(post: Post) -> str:
    """Return the day and the slug, of which the file system may take only the beginning."""
    name = f"{post.published_at or post.created_at:%Y-%m-%d}-{post.slug}"
    if len(name.encode()) > MAX_NAME_BYTES:
        name = f"{name.encode()[:MAX_NAME_BYTES].decode(errors='ignore')}-{post.id.hex[-8:]}"
    return f"{name}.md"


def _author(user: User) -> dict[str, Any]:
    return {"name": user.display_name, "bio": user.bio, "avatar_url": user.avatar_url}


def _write_yaml(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
