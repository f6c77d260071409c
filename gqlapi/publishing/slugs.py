"""Slugs of posts: made from titles, chosen, and kept when a post that was published gets another one."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from gqlapi.models import GlobalId, Post, SlugRule
from gqlapi.problems import ConflictProblem, Path, Problem
from gqlapi.publishing.checks import MAX_POST_SLUG_LENGTH
from gqlapi.repositories import WriteScope
from gqlapi.repositories.slugs import SUFFIX_LENGTH, PostSlugRepository
from gqlapi.words import fold, slug_key, slug_of


def slug_base(title: str) -> str:
    """Return the slug of a title, short enough for a suffix."""
    return slug_of(title, MAX_POST_SLUG_LENGTH - SUFFIX_LENGTH) or "post"


def slug_taken(existing: UUID | None, path: Path) -> Problem:
    """Return the problem of a slug that another post has, or had."""
    existing_id = GlobalId("Post", existing).encode() if existing else None
    return ConflictProblem(message="Another post has this slug, or had it.", path=path, existing_id=existing_id)


async def changed_slug(
    scope: WriteScope, post: Post, *, slug: str | None, title: str | None, makes_slug: bool
) -> dict[str, Any]:
    """Return the columns of a slug that changes: because one is given, or with the title; `makes_slug` asks for that.

    One statement at most. What was free may be taken when it is written; then the transaction is run again.
    """
    fixed = post.slug_rule is SlugRule.FIXED
    if slug is not None:
        return {"slug": fold(slug), "slug_rule": SlugRule.FIXED if fixed else SlugRule.CHOSEN}
    follows = post.slug_rule is SlugRule.TITLE
    if not makes_slug and (title is None or not follows):
        return {}
    base = slug_base(post.title if title is None else title)
    if follows and base == slug_base(post.title):
        return {}
    made = await PostSlugRepository(scope).free_for(base, post.id)
    return {"slug": made, "slug_rule": SlugRule.FIXED if fixed else SlugRule.TITLE}


async def add_old_slugs(scope: WriteScope, slugs_by_post: Mapping[UUID, Sequence[str]]) -> dict[UUID, list[str]]:
    """Let `post(by: {slug})` find posts by other texts as well, such as addresses of before; return those refused.

    Two statements for any number. Texts of any form, which are folded as slugs are when they are looked up. Refused
    are those that fold to nothing or to over 200 characters, and those that another post has or had. One that the post
    has already is no news; versions and the change feed stay.

    Raises:
        IntegrityError: a post is gone.
    """
    keys = {id_: [slug_key(slug, MAX_POST_SLUG_LENGTH) for slug in slugs] for id_, slugs in slugs_by_post.items()}
    repository = PostSlugRepository(scope)
    # The first post that asks for a slug gets it.
    pairs = {key: id_ for id_, own in reversed(keys.items()) for key in own if key}
    await repository.add([(id_, key) for key, id_ in pairs.items()])
    owners = await repository.owners(pairs)
    refused: dict[UUID, list[str]] = {}
    for id_, slugs in slugs_by_post.items():
        for slug, key in zip(slugs, keys[id_], strict=True):
            if not key or owners.get(key) != id_:
                refused.setdefault(id_, []).append(slug)
    return refused
