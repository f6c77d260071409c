"""Patches of posts: checked and rendered before a transaction begins, and applied in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from gqlapi.checks import invalid
from gqlapi.content import Unrenderable
from gqlapi.database.search import Indexed, PreparedText
from gqlapi.lines import normalize_line
from gqlapi.models import Post
from gqlapi.problems import Path, Problem, Rejected, reject_if_any
from gqlapi.publishing.checks import (
    MAX_POST_SLUG_LENGTH,
    MAX_TAGS_PER_POST,
    check_markdown,
    check_slug,
    check_title,
    too_many_tags,
    unrenderable,
)
from gqlapi.publishing.drafts import LONG_MARKDOWN, TagRef, check_tags, make_content
from gqlapi.publishing.slugs import SlugChange
from gqlapi.publishing.tag_finder import TagFinder
from gqlapi.repositories.post_content import PostContent
from gqlapi.words import fold


@dataclass(frozen=True, slots=True)
class TagListPatch:
    """How the tags of a post change: all at once, or some."""

    set: Sequence[TagRef] | None = None
    add: Sequence[TagRef] = ()
    remove: Sequence[TagRef] = ()

    @property
    def given(self) -> Sequence[TagRef]:
        """The tags that the post gets."""
        return [*(self.set or ()), *self.add]

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self.set is None and not self.add and not self.remove


@dataclass(frozen=True, slots=True)
class PostPatch:
    """What changes of a post; None stays as it is. `makes_slug`: the slug is made from the title again."""

    title: str | None = None
    markdown: str | None = None
    slug: str | None = None
    makes_slug: bool = False
    tags: TagListPatch | None = None
    content: PostContent | None = None

    @property
    def needs_text(self) -> bool:
        """Whether the words of a post are made anew, from the text that it has."""
        return self.title is not None and self.content is None

    @property
    def slug_change(self) -> SlugChange:
        """The change of the slug."""
        return SlugChange(self.slug, self.title, makes_slug=self.makes_slug)

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        keeps_tags = self.tags is None or self.tags.is_empty
        return keeps_tags and not self.makes_slug and self.title is self.markdown is self.slug is None


async def prepare_patch(
    patch: PostPatch, problems: Sequence[Problem] = (), path: Path = ("patch",), *, is_long: bool = False
) -> PostPatch:
    """Check a patch, and render its Markdown, before a transaction begins; `problems` are known already.

    `path` is its place in the input; `is_long`: its Markdown is rendered beside the event loop in any case.

    Raises:
        Rejected: for all that is wrong with it.
    """
    reject_if_any([*problems, *_check_patch(patch, path)])
    if patch.markdown is None:
        return patch
    try:
        content = await make_content(patch.markdown, is_long=is_long or len(patch.markdown) > LONG_MARKDOWN)
    except Unrenderable as reason:
        raise Rejected(unrenderable((*path, "markdown"), reason)) from None
    return replace(patch, content=content)


def _check_patch(patch: PostPatch, path: Path) -> Iterator[Problem]:
    if patch.title is not None:
        yield from check_title(patch.title, (*path, "title"))
    if patch.markdown is not None:
        yield from check_markdown(patch.markdown, (*path, "markdown"))
    if patch.slug is not None:
        yield from check_slug(patch.slug, (*path, "slug"), MAX_POST_SLUG_LENGTH)
    if patch.tags is not None:
        yield from check_tag_patch(patch.tags, (*path, "tags"))


def check_tag_patch(patch: TagListPatch, path: Path) -> list[Problem]:
    """Check how the tags of a post change."""
    if patch.set is not None and (patch.add or patch.remove):
        return [invalid(path, "`set` cannot be combined with `add` or `remove`.")]
    lists = {"set": patch.set or (), "add": patch.add, "remove": patch.remove}
    return [problem for name, tags in lists.items() for problem in check_tags(tags, (*path, name))]


def patched_values(patch: PostPatch) -> dict[str, Any]:
    """Return the new values of columns, but for the slug."""
    values: dict[str, Any] = {}
    if patch.title is not None:
        title = normalize_line(patch.title)
        values |= {"title": title, "title_key": fold(title)}
    if patch.markdown is not None and patch.content is not None:
        values |= {"markdown": patch.markdown, **patch.content.columns()}
    return values


async def patched_words(title: str, text: str, patch: PostPatch) -> Indexed | None:
    """Return the words that a patched post is found by, None if they stay; `title` and `text` are those it has."""
    if patch.title is None and patch.content is None:
        return None
    prepared = PreparedText(title if patch.title is None else normalize_line(patch.title))
    return Indexed(prepared, patch.content.body if patch.content else await PreparedText.in_turns(text))


async def load_tags(finder: TagFinder, patches: Sequence[TagListPatch]) -> list[Problem]:
    """Load the tags of patches; return which are not there.

    What is to be removed and is not there cannot be on a post.
    """
    await finder.load([ref for patch in patches for ref in (*patch.given, *patch.remove)])
    return finder.missing([ref for patch in patches for ref in patch.given])


def patched_tags(finder: TagFinder, post: Post, patch: TagListPatch, path: Path) -> list[UUID]:
    """Return the tags that a post has after a patch, whose tags are loaded.

    Raises:
        Rejected: they are too many.
    """
    removed = finder.ids_of(patch.remove)
    kept = [] if patch.set is not None else [link.tag_id for link in post.post_tags]
    tag_ids = [id_ for id_ in dict.fromkeys([*kept, *finder.ids_of(patch.given)]) if id_ not in removed]
    if len(tag_ids) > MAX_TAGS_PER_POST:
        raise Rejected(too_many_tags(path))
    return tag_ids
