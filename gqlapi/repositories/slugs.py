"""Slugs: which are free, whose they are, and the old ones of posts."""

from collections.abc import Collection, Mapping, Sequence
from secrets import token_hex
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.dialect import bind_array, is_among
from gqlapi.models import PostSlug
from gqlapi.repositories.sources import Draft, reading
from gqlapi.repositories.write_scope import WriteScope

# After that many rows of one name, chance names the next: counting on would read them all.
NUMBERED = 20
SUFFIX_LENGTH = 9


async def free_slugs(
    session: AsyncSession, registry: Any, bases: Sequence[str], reserved: Collection[str] = ()
) -> list[str]:
    """Return a slug for each base, none registered or reserved and no two the same: the base, or with a suffix.

    One statement. Until the transaction writes it, another one may take it: the registry decides.
    """
    dialect_name = session.get_bind().dialect.name
    candidates = {base: _candidates(base) for base in bases}
    kept, _ = reading(dialect_name, _taken, dialect_name, registry.slug)
    slugs_to_try = bind_array(dialect_name, [slug for group in candidates.values() for slug in group])
    taken = {slug for (slug,) in await kept.rows(session, {"slugs": slugs_to_try})} | {*reserved}
    slugs = []
    for base in bases:
        slug = next((candidate for candidate in candidates[base] if candidate not in taken), random_slug(base))
        taken.add(slug)
        slugs.append(slug)
    return slugs


def _candidates(base: str) -> list[str]:
    return [base, *(f"{base}-{number}" for number in range(2, NUMBERED + 1))]


def _taken(dialect_name: str, column: Any) -> Draft:
    return Draft(sa.select(column).where(is_among(dialect_name, column, "slugs")))


def random_slug(base: str) -> str:
    """Return the base with a random suffix."""
    return f"{base}-{token_hex((SUFFIX_LENGTH - 1) // 2)}"


class PostSlugRepository:
    """The slugs of posts in a transaction, current and old; a trigger registers those that posts get."""

    def __init__(self, scope: WriteScope) -> None:
        """Bind the repository to a transaction."""
        self._session = scope.session
        self._dialect_name = scope.dialect_name

    async def owners(self, slugs: Collection[str]) -> dict[str, UUID]:
        """Return the keys of the posts whose slugs these are or were, visible or not."""
        if not slugs:
            return {}
        is_asked_for = is_among(self._dialect_name, PostSlug.__table__.c.slug, "slugs")
        statement = sa.select(PostSlug.slug, PostSlug.post_id).where(is_asked_for)
        rows = await self._session.execute(statement, {"slugs": bind_array(self._dialect_name, slugs)})
        return {slug: id_ for slug, id_ in rows}  # noqa: C416 - rows are no pairs to a type checker

    async def free(self, bases: Sequence[str], reserved: Collection[str] = ()) -> list[str]:
        """Return a free slug for each base, in one statement."""
        return await free_slugs(self._session, PostSlug, bases, reserved) if bases else []

    async def free_for(self, bases: Mapping[UUID, str], reserved: Collection[str] = ()) -> list[str]:
        """Return a slug for each post: its base, or with a suffix, free or the post's own, and no two the same.

        One statement.
        """
        owners = await self.owners([slug for base in bases.values() for slug in _candidates(base)])
        taken, slugs = {*reserved}, []
        for id_, base in bases.items():
            free = (slug for slug in _candidates(base) if slug not in taken and owners.get(slug, id_) == id_)
            slugs.append(next(free, None) or random_slug(base))
            taken.add(slugs[-1])
        return slugs
