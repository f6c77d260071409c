"""Aggregate statistics about posts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from gqlapi.context import Context
from gqlapi.execution.declarations import FieldRules, Prepared, Relation
from gqlapi.models import GlobalId, PostStatus
from gqlapi.repositories.conditions import Condition
from gqlapi.repositories.post_aggregates import PostBucketRow, PostGroup
from gqlapi.schema.fields import argument, describe_enum, prepared_field, relation, trusted
from gqlapi.schema.filters import PostFilter, to_condition
from gqlapi.schema.lists import check_size
from gqlapi.schema.pricing import AGGREGATE_COST, LENGTH_COST, ROOT, filter_cost
from gqlapi.schema.types import Tag, User

DEFAULT_TOP = 20
MAX_TOP = 100
SUMMARY_FIELDS = frozenset({"count", "averageLength"})

BucketNode = Annotated[
    User | Tag, strawberry.union("BucketNode", description="What the posts of a bucket have in common.")
]

describe_enum(
    PostGroup,
    "What posts can be grouped by.",
    STATUS="Their state.",
    AUTHOR="Their author.",
    TAG="Their tags: a post counts for each of them.",
    DAY="The day of publication, in UTC.",
    MONTH="The month of publication, in UTC.",
)


@dataclass(frozen=True, slots=True)
class PreparedAggregates:
    """A prepared aggregate field: which posts, and how they are grouped."""

    condition: Condition | None
    group: PostGroup | None
    top: int


async def _nodes(context: Context, keys: list[tuple[PostGroup, Any]], _prepared: Prepared) -> list[Any]:
    """Load the authors or the tags that posts are grouped by: one statement for each kind."""
    found: dict[tuple[PostGroup, Any], Any] = {}
    for group, load in (
        (PostGroup.AUTHOR, context.repositories.users.list_authors_by_ids),
        (PostGroup.TAG, context.repositories.tags.list_by_ids),
    ):
        ids = [key for of, key in keys if of is group]
        if ids:
            rows: Sequence[Any] = await load(ids)
            found.update(((group, id_), row) for id_, row in zip(ids, rows, strict=True))
    return [found.get(key) for key in keys]


@strawberry.type(description="The figures of one group of posts.")
class PostBucket:
    """The figures of one group of posts."""

    row: strawberry.Private[PostBucketRow]
    group: strawberry.Private[PostGroup]

    key: str = strawberry.field(
        description="What the posts have in common: a status, the id of an author or tag, a day as `2026-11-20` or a "
        "month as `2026-11`."
    )
    node: BucketNode | None = relation(
        Relation(_nodes, key="node_key", reads=2),
        description="The author or tag; null unless posts are grouped by AUTHOR or TAG.",
    )
    count: int = strawberry.field(description="How many posts there are in the group.")
    first_published_at: datetime | None = strawberry.field(description="The earliest publication in the group.")
    last_published_at: datetime | None = strawberry.field(description="The latest publication in the group.")

    @property
    def node_key(self) -> tuple[PostGroup, Any]:
        """What its node is loaded by."""
        return self.group, self.row.key


@strawberry.type(description="Aggregate statistics about the posts that `posts` returns for the same filter.")
class PostAggregates:
    """Aggregate statistics about posts."""

    count: int = strawberry.field(description="How many posts there are.")
    average_length: float | None = strawberry.field(
        description="The mean number of characters of their texts without markup; null when there are none. Costs "
        f"{LENGTH_COST:,} points."
    )
    buckets: list[PostBucket] = strawberry.field(
        description="The largest groups, largest first; days and months are sorted newest first. Empty without "
        "`groupBy`.",
        metadata=trusted(),
    )


def _prepare(
    *,
    filter: PostFilter | None = None,  # noqa: A002 - the argument's name in the API
    group_by: PostGroup | None = None,
    top: int = DEFAULT_TOP,
) -> PreparedAggregates:
    check_size("top", top, MAX_TOP)
    return PreparedAggregates(None if filter is None else to_condition(filter), group_by, top)


async def _load(context: Context, keys: list[Any], prepared: Prepared) -> list[PostAggregates]:
    aggregates: PreparedAggregates = prepared.value
    repository = context.repositories.post_aggregates
    count, mean, rows = 0, None, []
    if not SUMMARY_FIELDS.isdisjoint(prepared.selection):
        count, mean = await repository.summary(aggregates.condition, with_length="averageLength" in prepared.selection)
    if aggregates.group is not None and "buckets" in prepared.selection:
        rows = [*await repository.buckets(aggregates.condition, aggregates.group, aggregates.top)]
    buckets = [_bucket(aggregates.group, row) for row in rows if aggregates.group is not None]
    return [PostAggregates(count=count, average_length=mean, buckets=buckets) for _ in keys]


def _bucket(group: PostGroup, row: PostBucketRow) -> PostBucket:
    return PostBucket(
        row=row,
        group=group,
        key=_key(group, row.key),
        count=row.count,
        first_published_at=row.first_published_at,
        last_published_at=row.last_published_at,
    )


def _key(group: PostGroup, key: Any) -> str:
    if isinstance(key, UUID):
        return GlobalId("User" if group is PostGroup.AUTHOR else "Tag", key).encode()
    return key.name if isinstance(key, PostStatus) else str(key)


def _surcharge(prepared: Prepared) -> int:
    """Return the points of the statements that run: one for the totals, one for the groups."""
    aggregates: PreparedAggregates = prepared.value
    totals = not SUMMARY_FIELDS.isdisjoint(prepared.selection)
    groups = aggregates.group is not None and "buckets" in prepared.selection
    searches = (totals + groups) * filter_cost(ROOT, aggregates.condition)
    length = LENGTH_COST if "averageLength" in prepared.selection else 0
    return (totals + groups) * AGGREGATE_COST + searches + length


def aggregates_field(description: str) -> Any:
    """Declare the aggregates at the root: one statement for the totals, one for the groups."""
    arguments = [
        argument("filter", PostFilter | None, "Which posts, as in `posts`."),
        argument("group_by", PostGroup | None, "What to group them by."),
        argument("top", int, "How many groups: 1 to 100.", default=DEFAULT_TOP),
    ]
    rules = FieldRules(
        prepare=_prepare,
        rows=lambda prepared: cast("PreparedAggregates", prepared.value).top,
        surcharge=_surcharge,
        relation=Relation(_load, reads=2),
    )
    return prepared_field(arguments, rules, description)
