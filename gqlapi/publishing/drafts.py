"""Posts as they are given, checked and rendered before a transaction begins."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from gqlapi.content import RenderedContent, render
from gqlapi.problems import Path, Problem, ProblemCode, ValidationProblem
from gqlapi.publishing.checks import (
    MAX_POST_SLUG_LENGTH,
    MAX_TAG_SLUG_LENGTH,
    MAX_TAGS_PER_POST,
    check_markdown,
    check_slug,
    check_tag_name,
    check_title,
)

# Rendering takes about a second for a megabyte; what is longer than this is rendered in a thread.
LONG_MARKDOWN = 10_000


@dataclass(frozen=True, slots=True)
class TagRef:
    """A tag by one of its keys; `name` makes it where there is none. `path` is its place in the input."""

    path: Path
    id: UUID | None = None
    slug: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class NewPost:
    """A post as its author gives it; `path` is its place in the input."""

    title: str
    markdown: str
    slug: str | None = None
    tags: Sequence[TagRef] = ()
    publish: bool = False
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A post that can be written."""

    post: NewPost
    content: RenderedContent


async def prepare(post: NewPost, problems: Sequence[Problem] = ()) -> Draft | tuple[Problem, ...]:
    """Check and render a post; return all that is wrong with it, `problems` included, if anything is."""
    return (*problems, *_check(post)) or Draft(post, await render_aside(post.markdown))


async def render_aside(markdown: str) -> RenderedContent:
    """Render Markdown without keeping other requests waiting."""
    return render(markdown) if len(markdown) <= LONG_MARKDOWN else await asyncio.to_thread(render, markdown)


def _check(post: NewPost) -> Iterator[Problem]:
    yield from check_title(post.title, (*post.path, "title"))
    yield from check_markdown(post.markdown, (*post.path, "markdown"))
    if post.slug is not None:
        yield from check_slug(post.slug, (*post.path, "slug"), MAX_POST_SLUG_LENGTH)
    yield from check_tags(post.tags, (*post.path, "tags"))


def check_tags(tags: Sequence[TagRef], path: Path) -> Iterator[Problem]:
    """Check the references to tags in one list."""
    if len(tags) > MAX_TAGS_PER_POST:
        message = f"A post has at most {MAX_TAGS_PER_POST} tags."
        yield ValidationProblem(code=ProblemCode.TOO_MANY, message=message, path=path)
        return
    for tag in tags:
        if tag.name is not None:
            yield from check_tag_name(tag.name, (*tag.path, "name"))
        elif tag.slug is not None:
            yield from check_slug(tag.slug, (*tag.path, "slug"), MAX_TAG_SLUG_LENGTH)
