"""Orderings as clients write them: an allow-list, because an ordering without an index reads the whole table."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, StrEnum
from uuid import UUID

import strawberry

from gqlapi.errors import BadUserInput
from gqlapi.repositories.pages import Ordering, OrderTerm
from gqlapi.schema.fields import describe_enum
from gqlapi.schema.pricing import ROOT

POST_COUNT = f"The number of public posts. Costs {ROOT.post_count:,} points."


class OrderDirection(StrEnum):
    """Which end comes first."""

    ASC = "asc"
    DESC = "desc"


class PostOrderField(Enum):
    """What posts can be ordered by."""

    # The id carries the time of creation: one unique column, and the order of the indexes.
    CREATED_AT = OrderTerm("id", UUID)
    UPDATED_AT = OrderTerm("updated_at", datetime)
    PUBLISHED_AT = OrderTerm("published_at", datetime, nullable=True)
    TITLE = OrderTerm("title_key", str)


class UserOrderField(Enum):
    """What users can be ordered by."""

    CREATED_AT = OrderTerm("id", UUID)
    USERNAME = OrderTerm("username_key", str)
    DISPLAY_NAME = OrderTerm("display_name_key", str)
    POST_COUNT = OrderTerm("post_count", int)


class TagOrderField(Enum):
    """What tags can be ordered by."""

    CREATED_AT = OrderTerm("id", UUID)
    NAME = OrderTerm("name_key", str)
    POST_COUNT = OrderTerm("post_count", int)


describe_enum(
    OrderDirection,
    "Which end of an ordering comes first.",
    ASC="Smallest, earliest or first in the alphabet comes first; a missing value comes last.",
    DESC="Largest, latest or last in the alphabet comes first; a missing value comes first.",
)
describe_enum(
    PostOrderField,
    "What posts can be ordered by.",
    CREATED_AT="The time the post was created.",
    UPDATED_AT="The time of the last change.",
    PUBLISHED_AT="The time of publication; a draft has none.",
    TITLE="The title, without regard to case.",
)
describe_enum(
    UserOrderField,
    "What users can be ordered by.",
    CREATED_AT="The time of signing up.",
    USERNAME="The user name, without regard to case.",
    DISPLAY_NAME="The display name, without regard to case.",
    POST_COUNT=POST_COUNT,
)
describe_enum(
    TagOrderField,
    "What tags can be ordered by.",
    CREATED_AT="The time the tag was created.",
    NAME="The name, without regard to case.",
    POST_COUNT=POST_COUNT,
)

DIRECTION = "Which end comes first."


@strawberry.input(description="One key of an ordering of posts.")
class PostOrder:
    """One key of an ordering of posts."""

    field: PostOrderField = strawberry.field(description="What to order by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description=DIRECTION)


@strawberry.input(description="One key of an ordering of users.")
class UserOrder:
    """One key of an ordering of users."""

    field: UserOrderField = strawberry.field(description="What to order by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description=DIRECTION)


@strawberry.input(description="One key of an ordering of tags.")
class TagOrder:
    """One key of an ordering of tags."""

    field: TagOrderField = strawberry.field(description="What to order by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description=DIRECTION)


OrderKey = PostOrder | UserOrder | TagOrder
TYPENAMES: dict[type[OrderKey], str] = {
    PostOrder: "Post",
    UserOrder: "User",
    TagOrder: "Tag",
}
UNIQUE_ATTRIBUTES = frozenset({"id", "username_key", "name_key"})


def to_ordering(keys: Sequence[OrderKey]) -> Ordering:
    """Translate an ordering, which is not empty, and append the id where nothing unique ends it.

    Raises:
        BadUserInput: it names a field twice.
    """
    if len({key.field for key in keys}) < len(keys):
        raise BadUserInput("`orderBy` names a field twice.")
    typename = TYPENAMES[type(keys[0])]
    terms: list[OrderTerm] = []
    for key in keys:
        term: OrderTerm = key.field.value
        terms.append(OrderTerm(term.attribute, term.type, key.direction is OrderDirection.DESC, term.nullable))
        if term.attribute in UNIQUE_ATTRIBUTES:  # nothing after it can matter
            return Ordering(tuple(terms), typename)
    return Ordering((*terms, OrderTerm("id", UUID, terms[-1].descending)), typename)
