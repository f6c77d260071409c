"""Live queries: a field of the subscription type whose selection is a query."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import orjson

from gqlapi.context import Context
from gqlapi.execution.declarations import FieldRules, Prepared
from gqlapi.feed import LiveAnswer, LiveQuery
from gqlapi.feed.dependencies import rights_of
from gqlapi.operations import BoundOperation
from gqlapi.operations.caching import CachePlan, plan_below
from gqlapi.schema.caching import CACHE_RULES
from gqlapi.schema.fields import prepared_field
from gqlapi.schema.queries import Query

# A live query is answered many times, and counts as often in the cost of its operation.
REPEATS = 4
# The object whose fields are those of a query.
LIVE: Final = Query
DESCRIPTION = (
    "A query that is answered at once, and again when a post changes that its answer depends on: a post that it shows, "
    "or any public one if it has a list, a count or a search. An answer that is as the one before is not sent. Changes "
    "of users and tags alone show with the next answer. The errors of an answer do not end the subscription. "
    f"Costs {REPEATS} times as much as the query."
)


def live_field() -> Any:
    """Declare the field of live queries."""
    rules = FieldRules(compute=lambda *_: LIVE, subscribe=_subscribe, is_trusted=True, repeats=REPEATS)
    return prepared_field([], rules, DESCRIPTION)


async def _subscribe(context: Context, _prepared: Prepared) -> AsyncGenerator[LiveAnswer]:
    operation = context.operation
    if context.live is None or operation is None:
        raise RuntimeError("this context has no live queries")
    plan = plan_of(operation)
    viewer = rights_of(context.viewer, plan)
    key = operation.operation, _text_of(operation), context.error_mode, viewer
    return context.live.follow(LiveQuery(key, operation, viewer, context.error_mode, plan))


def plan_of(operation: BoundOperation) -> CachePlan:
    """Return what the answers to a live query depend on."""
    compiled = operation.operation
    return plan_below(compiled, compiled.root.fields[0], Query.__name__, CACHE_RULES)


def is_shared_by(context: Context, answer: LiveAnswer) -> bool:
    """Whether the viewer of a context gets the same answer as the one on whose behalf it was made."""
    operation = context.operation
    return operation is not None and rights_of(context.viewer, plan_of(operation)) == answer.viewer


def _text_of(operation: BoundOperation) -> object:
    """Return a key for the values of variables; those that have none are equal to no others."""
    try:
        return orjson.dumps(operation.given, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return object()
