"""Inputs of the mutations of posts, and what the publishing layer is given of them."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any

import strawberry

from gqlapi.checks import required
from gqlapi.models.user import MAX_USERNAME_KEY_LENGTH
from gqlapi.problems import Path, Problem, Rejected
from gqlapi.publishing.authors import AUTHOR_PATH, AuthorRef
from gqlapi.publishing.drafts import NewPost, TagRef
from gqlapi.publishing.patches import PostPatch, TagListPatch
from gqlapi.schema.fields import describe_enum
from gqlapi.schema.keys import UserKey
from gqlapi.schema.mutations.base import EXPECTED_VERSION, IDEMPOTENCY_KEY, given_id, left_out, problems_of
from gqlapi.schema.mutations.normal_forms import absent_if_empty, distinct, folded, line, nickname, normal, unordered
from gqlapi.words import fold_key

POST_ID = "The id of the post."
TITLE = "The title: plain text on one line, 1 to 300 characters, none of them invisible."
MARKDOWN = "The body as Markdown in GitHub's flavour, at most 100,000 characters."
SLUG = (
    "The unique name for URLs: letters and digits with single hyphens between, at most 200 characters. When left out "
    "it is made from the title, with a suffix when that is taken, and made anew when the title changes, until the post "
    "is published."
)
NEW_SLUG = (
    "Another unique name for URLs; null makes it from the title, as for a new post. A post that was never published "
    "releases its slug; any other keeps it as an old slug, which still finds the post."
)
TAGS = "At most 20, in the order in which they are shown."
PUBLISH = "Publish it at once; otherwise it is a draft."
KEEPS = " Omit to keep it."


def _key() -> Any:
    return strawberry.field(default=None, description=IDEMPOTENCY_KEY)


def _version() -> Any:
    return strawberry.field(default=None, description=EXPECTED_VERSION)


def _folded_name(key: dict[str, str]) -> dict[str, str]:
    return {name: folded(text) if name == "username" else text for name, text in key.items()}


@strawberry.input(one_of=True, name="TagRef", description="A tag, by exactly one of its keys.")
class TagRefInput:
    """A tag, by exactly one of its keys."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="By id.")
    slug: str | None = strawberry.field(
        default=strawberry.UNSET, description="By slug, without regard to case.", metadata=normal(folded)
    )
    name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="By name, without regard to case; the tag is created when there is none.",
        metadata=normal(nickname),
    )


@strawberry.input(name="TagListPatch", description="How the tags of a post change: `set` alone, or `add` and `remove`.")
class TagListPatchInput:
    """How the tags of a post change."""

    set: list[TagRefInput] | None = strawberry.field(
        default=None,
        description="All tags that the post has from now on, in their order.",
        metadata=normal(distinct),
    )
    add: list[TagRefInput] | None = strawberry.field(
        default=None, description="Tags to append.", metadata=normal(distinct, absent_if_empty)
    )
    remove: list[TagRefInput] | None = strawberry.field(
        default=None,
        description="Tags to remove; tags that the post does not have are ignored.",
        metadata=normal(unordered, absent_if_empty),
    )


@strawberry.input(description="A new post.")
class NewPostInput:
    """A new post."""

    title: str = strawberry.field(description=TITLE, metadata=normal(line))
    markdown: str = strawberry.field(description=MARKDOWN)
    slug: str | None = strawberry.field(default=None, description=SLUG, metadata=normal(folded))
    tags: list[TagRefInput] | None = strawberry.field(
        default=None, description=TAGS, metadata=normal(distinct, absent_if_empty)
    )
    publish: bool = strawberry.field(default=False, description=PUBLISH)


@strawberry.input(description="A new post.")
class CreatePostInput:
    """A new post."""

    title: str = strawberry.field(description=TITLE, metadata=normal(line))
    markdown: str = strawberry.field(description=MARKDOWN)
    slug: str | None = strawberry.field(default=None, description=SLUG, metadata=normal(folded))
    tags: list[TagRefInput] | None = strawberry.field(
        default=None, description=TAGS, metadata=normal(distinct, absent_if_empty)
    )
    publish: bool = strawberry.field(default=False, description=PUBLISH)
    author: UserKey | None = strawberry.field(
        default=None,
        description="The author, a user who may write posts; the viewer if omitted. Only editors and admins may name "
        "another user.",
        metadata=normal(_folded_name),
    )
    idempotency_key: str | None = _key()


class BulkErrorPolicy(Enum):
    """What happens to valid rows when others are invalid."""

    REJECT_ALL = "reject_all"
    REJECT_FAILED = "reject_failed"


describe_enum(
    BulkErrorPolicy,
    "What happens to the other rows when some cannot be written.",
    REJECT_ALL="Nothing is written.",
    REJECT_FAILED="The others are written.",
)


@strawberry.input(description="Several new posts of the viewer's.")
class CreatePostsInput:
    """Several new posts of the viewer's."""

    posts: list[NewPostInput] = strawberry.field(description="1 to 100 posts.")
    on_error: BulkErrorPolicy = strawberry.field(
        default=BulkErrorPolicy.REJECT_ALL, description="What happens to the other posts when some cannot be written."
    )
    idempotency_key: str | None = _key()


@strawberry.input(name="PostPatch", description="What changes of a post; what is left out stays as it is.")
class PostPatchInput:
    """What changes of a post."""

    title: str | None = strawberry.field(default=strawberry.UNSET, description=TITLE + KEEPS, metadata=normal(line))
    markdown: str | None = strawberry.field(default=strawberry.UNSET, description=MARKDOWN + KEEPS)
    slug: str | None = strawberry.field(default=strawberry.UNSET, description=NEW_SLUG + KEEPS, metadata=normal(folded))
    tags: TagListPatchInput | None = strawberry.field(
        default=strawberry.UNSET, description=TAGS + KEEPS, metadata=normal(absent_if_empty)
    )


@strawberry.input(description="A change of a post.")
class UpdatePostInput:
    """A change of a post."""

    id: strawberry.ID = strawberry.field(description=POST_ID)
    expected_version: int | None = _version()
    patch: PostPatchInput = strawberry.field(description="What changes.")
    idempotency_key: str | None = _key()


@strawberry.input(description="A publication.")
class PublishPostInput:
    """A publication."""

    id: strawberry.ID = strawberry.field(description=POST_ID)
    expected_version: int | None = _version()
    at: datetime | None = strawberry.field(
        default=None,
        description="When it becomes public: a time ahead schedules it. If omitted, publishes "
        "now or keeps the original publication time.",
    )
    idempotency_key: str | None = _key()


@strawberry.input(description="A post that becomes a draft again.")
class UnpublishPostInput:
    """A post that becomes a draft again."""

    id: strawberry.ID = strawberry.field(description=POST_ID)
    expected_version: int | None = _version()
    idempotency_key: str | None = _key()


@strawberry.input(description="A post that is no longer public.")
class ArchivePostInput:
    """A post that is no longer public."""

    id: strawberry.ID = strawberry.field(description=POST_ID)
    expected_version: int | None = _version()
    idempotency_key: str | None = _key()


@strawberry.input(description="A post to be deleted.")
class DeletePostInput:
    """A post to be deleted."""

    id: strawberry.ID = strawberry.field(description=POST_ID)
    expected_version: int | None = _version()
    idempotency_key: str | None = _key()


@strawberry.input(description="A deleted post that comes back.")
class RestorePostInput:
    """A deleted post that comes back."""

    id: strawberry.ID = strawberry.field(description=POST_ID)
    expected_version: int | None = _version()
    idempotency_key: str | None = _key()


def to_new_post(given: CreatePostInput | NewPostInput, path: Path = ()) -> tuple[NewPost, list[Problem]]:
    """Return what the publishing layer takes, and what is wrong with its ids."""
    tags, problems = tag_refs(given.tags, (*path, "tags"))
    author = None
    if isinstance(given, CreatePostInput) and given.author is not None:
        author, wrong = _author_ref(given.author)
        problems += wrong
    return NewPost(given.title, given.markdown, given.slug, tags, given.publish, path, author), problems


def _author_ref(given: UserKey) -> tuple[AuthorRef | None, tuple[Problem, ...]]:
    id_ = left_out(given.id)
    if id_ is None:
        # A name that is too long matches no user.
        return AuthorRef(username_key=fold_key(given.username or "", MAX_USERNAME_KEY_LENGTH) or ""), ()
    decode = partial(given_id, "User", id_, (*AUTHOR_PATH, "id"))
    wrong = problems_of(decode)
    return (None if wrong else AuthorRef(decode())), wrong


def to_patch(given: PostPatchInput, path: Path = ("patch",)) -> tuple[PostPatch, list[Problem]]:
    """Return what the publishing layer takes, and what is wrong: an id, or a null where none can be."""
    problems = [
        required((*path, name), "This cannot be null; leave it out to keep it.")
        for name in ("title", "markdown", "tags")
        if getattr(given, name) is None
    ]
    tags = left_out(given.tags)
    patch, tag_problems = (None, []) if tags is None else _to_tag_patch(tags, (*path, "tags"))
    changed = PostPatch(
        left_out(given.title), left_out(given.markdown), left_out(given.slug), given.slug is None, patch
    )
    return changed, problems + tag_problems


def _to_tag_patch(given: TagListPatchInput, path: Path) -> tuple[TagListPatch, list[Problem]]:
    set_, wrong_set = tag_refs(given.set, (*path, "set"))
    add, wrong_add = tag_refs(given.add, (*path, "add"))
    remove, wrong_remove = tag_refs(given.remove, (*path, "remove"))
    patch = TagListPatch(None if given.set is None else set_, add, remove)
    return patch, wrong_set + wrong_add + wrong_remove


def tag_refs(given: Sequence[TagRefInput] | None, path: Path) -> tuple[list[TagRef], list[Problem]]:
    """Decode the ids of references; those that cannot be decoded are omitted and reported."""
    refs: list[TagRef] = []
    problems: list[Problem] = []
    for index, ref in enumerate(given or ()):
        here = (*path, str(index))
        id_ = left_out(ref.id)
        try:
            key = None if id_ is None else given_id("Tag", id_, (*here, "id"))
        except Rejected as rejected:
            problems += rejected.problems
        else:
            refs.append(TagRef(here, key, left_out(ref.slug), left_out(ref.name)))
    return refs, problems
