"""Posts as they are given, checked and rendered before a transaction begins."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from gqlapi.content import Unrenderable
from gqlapi.models import new_id
from gqlapi.problems import Path, Problem, Rejected
from gqlapi.publishing.authors import AuthorRef
from gqlapi.publishing.checks import (
    MAX_POST_SLUG_LENGTH,
    MAX_TAG_SLUG_LENGTH,
    MAX_TAGS_PER_POST,
    check_markdown,
    check_slug,
    check_tag_name,
    check_title,
    too_many_tags,
    unrenderable,
)
from gqlapi.repositories.post_content import PostContent
from gqlapi.work_pool import POOL

# What is longer in all is prepared beside the event loop, which hostile Markdown would hold for 30 ms already.
LONG_MARKDOWN = 1_000


@dataclass(frozen=True, slots=True)
class TagRef:
    """A tag by one of its keys; `name` makes it where there is none. `path` is its place in the input."""

    path: Path
    id: UUID | None = None
    slug: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class NewPost:
    """A post as it is given; `path` is its place in the input. Without `author`, it is the viewer's."""

    title: str
    markdown: str
    slug: str | None = None
    tags: Sequence[TagRef] = ()
    publish: bool = False
    path: Path = ()
    author: AuthorRef | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A post that can be written."""

    post: NewPost
    content: PostContent
    # Known before the transaction, so that two rows with one slug can be distinguished.
    id: UUID = field(default_factory=new_id)


# A row of an input: what can be written, or what is wrong with it.
Row = Draft | tuple[Problem, ...]


async def prepare(post: NewPost, problems: Sequence[Problem] = ()) -> Draft:
    """Check and render a post; `problems` are known already.

    Raises:
        Rejected: for all that is wrong with it.
    """
    [row] = await prepare_all([(post, problems)])
    if not isinstance(row, Draft):
        raise Rejected(*row)
    return row


async def prepare_all(given: Sequence[tuple[NewPost, Sequence[Problem]]]) -> list[Row]:
    """Check and render posts, of which some problems may be known already."""
    checked = []
    for number, (post, problems) in enumerate(given):
        if number:
            await asyncio.sleep(0)  # the names of its tags may take 20 ms
        checked.append((post, (*problems, *_check(post))))
    is_long = sum(len(post.markdown) for post, problems in checked if not problems) > LONG_MARKDOWN
    return [problems or await _prepare(post, is_long=is_long) for post, problems in checked]


async def _prepare(post: NewPost, *, is_long: bool) -> Row:
    try:
        return Draft(post, await make_content(post.markdown, is_long=is_long))
    except Unrenderable as reason:
        return (unrenderable((*post.path, "markdown"), reason),)


async def make_content(markdown: str, *, is_long: bool) -> PostContent:
    """Render Markdown and prepare its words; what is long does not keep other requests waiting.

    Raises:
        Unrenderable: it would take too long, or become too long.
        Unavailable: too much work is waiting.
    """
    if not is_long:
        return PostContent.of(markdown)
    return await POOL.run(lambda checkpoint: PostContent.of(markdown, checkpoint))


def _check(post: NewPost) -> Iterator[Problem]:
    yield from check_title(post.title, (*post.path, "title"))
    yield from check_markdown(post.markdown, (*post.path, "markdown"))
    if post.slug is not None:
        yield from check_slug(post.slug, (*post.path, "slug"), MAX_POST_SLUG_LENGTH)
    yield from check_tags(post.tags, (*post.path, "tags"))


def check_tags(tags: Sequence[TagRef], path: Path) -> Iterator[Problem]:
    """Check the references to tags in one list."""
    if len(tags) > MAX_TAGS_PER_POST:
        yield too_many_tags(path)
        return
    for tag in tags:
        if tag.name is not None:
            yield from check_tag_name(tag.name, (*tag.path, "name"))
        elif tag.slug is not None:
            yield from check_slug(tag.slug, (*tag.path, "slug"), MAX_TAG_SLUG_LENGTH)
