"""Writing a blog as a folder of Markdown files, which `import` reads back."""

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.unit import Database
from gqlapi.interchange.blog_data import AUTHORS, TAGS, dump_authors, dump_tags
from gqlapi.interchange.front_matter import join
from gqlapi.interchange.reading import DRAFTS
from gqlapi.models import Post, PostState
from gqlapi.progress import Report
from gqlapi.repositories.interchange import count_posts, read_authors, read_posts, read_tags
from gqlapi.words import slug_of

POSTS = "_posts"
NO_LINKS_AND_PIPES = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
# File systems take 255 bytes.
MAX_NAME_BYTES = 200


class Unwritable(Exception):
    """The folder does not take a file; the message says why."""


async def export_blog(database: Database, folder: Path, report: Report | None = None) -> int:
    """Write all posts that are not deleted, those who write, and all tags; return how many posts.

    Everything is read in one unit, 200 posts at a time. Files of the same names are overwritten, others stay.

    Raises:
        Unwritable: the folder does not take a file.
        ApiError: the database timed out or is not available.
    """
    unit = database.read()
    try:
        count = await _write_posts(unit, folder, report)
        _write(folder, AUTHORS, dump_authors(await read_authors(unit)))
        _write(folder, TAGS, dump_tags(await read_tags(unit)))
    finally:
        await unit.close()
    return count


async def _write_posts(unit: ReadUnit, folder: Path, report: Report | None) -> int:
    done, total = 0, await count_posts(unit)
    async for post in read_posts(unit):
        kind = DRAFTS if post.state is PostState.DRAFT else POSTS
        _write(folder, f"{kind}/{file_name(post)}", join(front_matter(post), post.markdown))
        done += 1
        if report is not None:
            report("posts", done, total)
    return done


def front_matter(post: Post) -> dict[str, Any]:
    """Return the front matter of a post; author and tags must be loaded."""
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


def file_name(post: Post) -> str:
    """Return the day and the slug, of which the file system may take only the beginning."""
    slug = slug_of(post.slug, len(post.slug))
    name = f"{post.published_at or post.created_at:%Y-%m-%d}-{slug}"
    if slug != post.slug or len(name.encode()) > MAX_NAME_BYTES:
        # Of the slug, which an import keeps, unlike the id.
        digest = hashlib.sha256(post.slug.encode()).hexdigest()[:12]
        name = f"{name.encode()[:MAX_NAME_BYTES].decode(errors='ignore')}-{digest}"
    return f"{name}.md"


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file below a folder, but through no link: it may have been put there to have another file overwritten."""
    path = folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.parent.is_symlink():
            raise Unwritable(f"{path} is a link, or behind one")
        with open(path, "wb", opener=_open) as file:  # not as text, which would change line ends
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                raise Unwritable(f"{path} is a link, or no file")
            file.truncate()
            file.write(text.encode())
    except OSError as error:
        raise Unwritable(f"{path} cannot be written: {error.strerror}") from error


def _open(path: str, _flags: int) -> int:
    """Open a file to be looked at before it is emptied; do not wait for the other end of a pipe."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | NO_LINKS_AND_PIPES, 0o666)
