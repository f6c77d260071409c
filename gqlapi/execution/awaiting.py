"""Awaiting what resolvers return."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any


async def settle(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """Await all, and return their values, with exceptions in the place of those that failed."""
    if len(awaitables) == 1:
        try:
            return [await awaitables[0]]
        except Exception as error:  # noqa: BLE001 - the error of its field
            return [error]
    values = await asyncio.gather(*awaitables, return_exceptions=True)
    for value in values:
        if isinstance(value, BaseException) and not isinstance(value, Exception):
            raise value
    return values
