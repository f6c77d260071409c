"""Slugs of posts: made from titles, chosen, and kept when a post that was published gets another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gqlapi.models import GlobalId, Post, SlugRule
from gqlapi.problems import ConflictProblem, Path, Problem
from gqlapi.publishing.checks import MAX_POST_SLUG_LENGTH
from gqlapi.repositories import WriteScope
from gqlapi.repositories.slugs import SUFFIX_LENGTH, PostSlugRepository
from gqlapi.words import fold, slug_of


def slug_base(title: str) -> str:
    """Return the slug of a title, short enough for a suffix."""
    return slug_of(title, MAX_POST_SLUG_LENGTH - SUFFIX_LENGTH) or "post"


def slug_taken(existing: UUID | None, path: Path) -> Problem:
    """Return the problem of a slug that another post has, or had."""
    existing_id = GlobalId("Post", existing).encode() if existing else None
    return ConflictProblem(message="Another post has this slug, or had it.", path=path, existing_id=existing_id)


@dataclass(frozen=True, slots=True)
class SlugChange:
    """What may change the slug of a post: one that is given, a new title, or the wish for an automatic one.

    `path` is the place of the slug in the input.
    """

    slug: str | None = None
    title: str | None = None
    makes_slug: bool = False
    path: Path = ("patch", "slug")


async def changed_slugs(
    scope: WriteScope, changes: Sequence[tuple[Post, SlugChange]]
) -> list[dict[str, Any] | Problem]:
    """Return the new columns of each slug, none where it stays, or the problem of one that another post has.

    Two statements at most for any number. What was free may be taken when it is written; then the transaction is run
    again.
    """
    repository = PostSlugRepository(scope)
    chosen = {fold(change.slug): post.id for post, change in reversed(changes) if change.slug is not None}
    owners = {**chosen, **await repository.owners(chosen)}
    wanted = {post.id: base for post, change in changes if (base := _new_base(post, change)) is not None}
    made = dict(zip(wanted, await repository.free_for(wanted, reserved=chosen), strict=True))
    found: list[dict[str, Any] | Problem] = []
    for post, change in changes:
        fixed = post.slug_rule is SlugRule.FIXED
        if change.slug is not None:
            owner = owners[fold(change.slug)]
            columns = {"slug": fold(change.slug), "slug_rule": SlugRule.FIXED if fixed else SlugRule.CHOSEN}
            found.append(columns if owner == post.id else slug_taken(owner, change.path))
        elif post.id in made:
            found.append({"slug": made[post.id], "slug_rule": SlugRule.FIXED if fixed else SlugRule.TITLE})
        else:
            found.append({})
    return found


def _new_base(post: Post, change: SlugChange) -> str | None:
    """Return what an automatic slug is made of, None if the slug stays or is given."""
    follows = post.slug_rule is SlugRule.TITLE
    if change.slug is not None or not (change.makes_slug or (follows and change.title is not None)):
        return None
    base = slug_base(post.title if change.title is None else change.title)
    return None if follows and base == slug_base(post.title) else base
