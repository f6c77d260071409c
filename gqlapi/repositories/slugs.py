"""Slugs that are still free."""

from collections.abc import Collection, Sequence
from secrets import token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

# After that many rows of one name, chance names the next: counting on would read them all.
NUMBERED = 20
SUFFIX_LENGTH = 9
# Databases take some 32,000 parameters in one statement.
SLUGS_PER_STATEMENT = 10_000


async def free_slugs(
    session: AsyncSession, column: Any, bases: Sequence[str], reserved: Collection[str] = ()
) -> list[str]:
    """Return a slug for each base, none taken or reserved and no two the same: the base itself, or with a suffix.

    One statement for some 500 bases. Until the transaction writes it, another one may take it: the unique constraint
    decides.
    """
    candidates = {base: [base, *(f"{base}-{number}" for number in range(2, NUMBERED + 1))] for base in bases}
    taken = await _taken(session, column, [candidate for group in candidates.values() for candidate in group])
    taken |= {*reserved}
    slugs = []
    for base in bases:
        slug = next((candidate for candidate in candidates[base] if candidate not in taken), random_slug(base))
        taken.add(slug)
        slugs.append(slug)
    return slugs


async def _taken(session: AsyncSession, column: Any, slugs: Sequence[str]) -> set[str]:
    taken: set[str] = set()
    for start in range(0, len(slugs), SLUGS_PER_STATEMENT):
        wanted = slugs[start : start + SLUGS_PER_STATEMENT]
        taken |= {*(await session.execute(sa.select(column).where(column.in_(wanted)))).scalars()}
    return taken


def random_slug(base: str) -> str:
    """Return the base with a random suffix."""
    return f"{base}-{token_hex((SUFFIX_LENGTH - 1) // 2)}"
