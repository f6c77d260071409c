"""Slugs that are still free."""

from collections.abc import Collection, Sequence
from secrets import token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.dialect import bind_array, is_among
from gqlapi.repositories.sources import Draft, reading

# After that many rows of one name, chance names the next: counting on would read them all.
NUMBERED = 20
SUFFIX_LENGTH = 9


async def free_slugs(
    session: AsyncSession, column: Any, bases: Sequence[str], reserved: Collection[str] = ()
) -> list[str]:
    """Return a slug for each base, none taken or reserved and no two the same: the base itself, or with a suffix.

    One statement. Until the transaction writes it, another one may take it: the unique constraint decides.
    """
    dialect_name = session.get_bind().dialect.name
    candidates = {base: [base, *(f"{base}-{number}" for number in range(2, NUMBERED + 1))] for base in bases}
    kept, _ = reading(dialect_name, _taken, dialect_name, column)
    slugs_to_try = bind_array(dialect_name, [slug for group in candidates.values() for slug in group])
    taken = {slug for (slug,) in await kept.rows(session, {"slugs": slugs_to_try})} | {*reserved}
    slugs = []
    for base in bases:
        slug = next((candidate for candidate in candidates[base] if candidate not in taken), random_slug(base))
        taken.add(slug)
        slugs.append(slug)
    return slugs


def _taken(dialect_name: str, column: Any) -> Draft:
    return Draft(sa.select(column).where(is_among(dialect_name, column, "slugs")))


def random_slug(base: str) -> str:
    """Return the base with a random suffix."""
    return f"{base}-{token_hex((SUFFIX_LENGTH - 1) // 2)}"
