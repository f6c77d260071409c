"""What an operation costs its client, as the API shows it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType

from gqlapi.context import Context
from gqlapi.database.types import utc_now
from gqlapi.execution.plan import Field, Scope
from gqlapi.operations import BoundOperation

NODE = "Node"


@strawberry.type(
    description="The points of this operation, and those that its client may spend in a minute: each signed-in user "
    "has a budget, and so has each network address of visitors."
)
class RateLimit:
    """The points of an operation and of its client."""

    limit: int | None = strawberry.field(description="Points a minute; null where the server has no limit.")
    cost: int = strawberry.field(description="Points of this operation, at the largest size of each list.")
    node_count: int = strawberry.field(description="The most objects with an id that this operation may return.")
    remaining: int | None = strawberry.field(description="Points left after this operation; null without a limit.")
    used: int | None = strawberry.field(description="Points spent, this operation's included; null without a limit.")
    reset_at: datetime | None = strawberry.field(description="When all points are there again; null without a limit.")


def rate_limit_of(context: Context) -> RateLimit:
    """Return what the current operation costs, and what is left."""
    operation, spent = context.operation, context.spent
    return RateLimit(
        limit=None if spent is None else spent.limit,
        cost=context.points,
        node_count=0 if operation is None else _count_nodes(operation, operation.operation.root, 1),
        remaining=None if spent is None else spent.remaining,
        used=None if spent is None else spent.used,
        reset_at=None if spent is None else utc_now() + timedelta(seconds=spent.reset_seconds),
    )


def _count_nodes(bound: BoundOperation, scope: Scope, page_rows: int) -> int:
    """Return the most nodes below one object; `page_rows` is the size of the page that the object is."""
    return sum(_count_field(bound, field, page_rows) for field in scope.composites)


def _count_field(bound: BoundOperation, field: Field, page_rows: int) -> int:
    rules, prepared = field.rules, bound.prepared(field)
    rows = None if rules.rows is None else rules.rows(prepared)
    if field.step.items is None:  # an object, which may be a page of so many rows
        return _count_one(bound, field, 1 if rows is None else rows)
    return (page_rows if rows is None else rows) * _count_one(bound, field, 1)


def _count_one(bound: BoundOperation, field: Field, page_rows: int) -> int:
    step = field.step
    while step.items is not None:
        step = step.items
    if step.object_type is not None:
        types = iter([step.object_type])
    else:
        types = iter(bound.operation.schema.get_possible_types(step.abstract_type)) if step.abstract_type else iter(())
    return max((_count_object(bound, field, type_, page_rows) for type_ in types), default=0)


def _count_object(bound: BoundOperation, field: Field, type_: GraphQLObjectType, page_rows: int) -> int:
    return int(_is_node(type_)) + _count_nodes(bound, field.subscopes.on(type_), page_rows)


def _is_node(type_: GraphQLObjectType | GraphQLInterfaceType) -> bool:
    interfaces: Iterator[str] = (interface.name for interface in type_.interfaces)
    return NODE in interfaces
