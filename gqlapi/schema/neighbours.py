"""The posts around a post: how `previous`, `next` and `related` are loaded."""

from collections.abc import Sequence
from uuid import UUID

from gqlapi.context import Context
from gqlapi.execution.declarations import FieldRules, Prepared, Relation
from gqlapi.repositories.neighbours import MAX_CANDIDATES
from gqlapi.repositories.records import PostRecord
from gqlapi.schema.fields import argument
from gqlapi.schema.lists import check_size
from gqlapi.schema.pricing import NEIGHBOUR_COST, RELATED_COST

DEFAULT_RELATED = 5
MAX_RELATED = 20
FIRST = argument("first", int, f"How many posts: 1 to {MAX_RELATED}.", default=DEFAULT_RELATED)
PREVIOUS_TEXT = "The public post that was published before this one; null for the first and for drafts."
NEXT_TEXT = "The public post that was published after this one; null for the newest and for drafts."
RELATED_TEXT = (
    "The public posts that share most tags with this one, the newest first if they share as many. Of each tag the "
    f"newest {MAX_CANDIDATES} posts are compared. Costs {RELATED_COST} points."
)


async def _previous(context: Context, ids: list[UUID], _prepared: Prepared) -> Sequence[PostRecord | None]:
    return await context.repositories.neighbours.previous_by_ids(ids)


async def _next(context: Context, ids: list[UUID], _prepared: Prepared) -> Sequence[PostRecord | None]:
    return await context.repositories.neighbours.next_by_ids(ids)


async def _related(context: Context, ids: list[UUID], prepared: Prepared) -> Sequence[list[PostRecord]]:
    return await context.repositories.neighbours.related_by_ids(ids, prepared.value)


def _check_first(*, first: int = DEFAULT_RELATED) -> int:
    check_size("first", first, MAX_RELATED)
    return first


def _beside(relation: Relation) -> FieldRules:
    return FieldRules(needs=frozenset({"id"}), surcharge=lambda _: NEIGHBOUR_COST, relation=relation)


PREVIOUS = _beside(Relation(_previous, key="id", reads=2))
NEXT = _beside(Relation(_next, key="id", reads=2))
RELATED = FieldRules(
    needs=frozenset({"id"}),
    prepare=_check_first,
    rows=lambda prepared: int(prepared.value),
    surcharge=lambda _: RELATED_COST,
    relation=Relation(_related, key="id", reads=2),
)
