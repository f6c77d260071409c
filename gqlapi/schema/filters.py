"""Filters as clients write them, and their translation into conditions."""

import dataclasses
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from gqlapi.database.types import to_milliseconds
from gqlapi.errors import BadUserInput, LimitExceeded
from gqlapi.repositories.conditions import All, AnyOf, Compare, Condition, Not, Operator, Related
from gqlapi.schema.enums import PostStatus, UserRole
from gqlapi.schema.ids import decode_id_of
from gqlapi.schema.pricing import NESTED, ROOT
from gqlapi.schema.search_query import parse_query

MAX_FILTER_DEPTH = 5
MAX_FILTER_BRANCHES = 50
MAX_FILTER_VALUES = 500
# Of all lists of a filter together: each value is a parameter, and a statement of either database takes 32,766.
MAX_FILTER_VALUES_IN_ALL = 2_000


def _doc(text: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=text)


def _named(name: str, text: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, name=name, description=text)


ALL = "Holds when every one of these holds; an empty list holds."
ANY = "Holds when at least one of these holds; an empty list never holds."
NOT = "Holds when this does not."
IN = "Is one of these, at most 500; an empty list matches nothing."
NOT_IN = "Is none of these, at most 500."
ABSENT = "What is left out, or has an absent variable, is not compared; null is an error."
BEYOND_PUBLIC = (
    "Only public posts, for every viewer, unless the filter compares `status` or `deletedAt`, at any depth; then all "
    "matching posts that the viewer may see: public ones, authors' own, all for editors and admins."
)
FILTER_CAPS = f"At most 5 levels deep, with 50 branches. {ABSENT}"
POST_COUNT = (
    f"By the number of public posts. Each operator costs {ROOT.post_count:,} points, {NESTED.post_count} in a nested "
    "list."
)
# A time that lies between two milliseconds is compared with the earlier one.
BETWEEN = {
    Operator.LT: Operator.LTE,
    Operator.LTE: Operator.LTE,
    Operator.GT: Operator.GT,
    Operator.GTE: Operator.GT,
}


@strawberry.input(description=f"Compares an id. Several operators must all hold. {ABSENT}")
class IDFilter:
    """Compares an id."""

    eq: strawberry.ID | None = _doc("Is this id.")
    ne: strawberry.ID | None = _doc("Is not this id.")
    in_: list[strawberry.ID] | None = _named("in", IN)
    not_in: list[strawberry.ID] | None = _doc(NOT_IN)


@strawberry.input(
    description=f"Compares a text. Several operators must all hold. `%` and `_` have no special meaning. {ABSENT}"
)
class StringFilter:
    """Compares a text."""

    eq: str | None = _doc("Is this text.")
    ne: str | None = _doc("Is not this text.")
    in_: list[str] | None = _named("in", IN)
    not_in: list[str] | None = _doc(NOT_IN)
    starts_with: str | None = _doc("Begins with this text.")
    contains: str | None = _doc("Contains this text.")
    case_insensitive: bool = strawberry.field(
        default=True, description="Compare without regard to case (Unicode case folding), also of letters with accents."
    )


@strawberry.input(
    description=f"Compares a time. Several operators must all hold; null values match only `isNull`. {ABSENT}"
)
class DateTimeFilter:
    """Compares a time."""

    eq: datetime | None = _doc("Is this time.")
    lt: datetime | None = _doc("Is before this time.")
    lte: datetime | None = _doc("Is this time or before it.")
    gt: datetime | None = _doc("Is after this time.")
    gte: datetime | None = _doc("Is this time or after it.")
    is_null: bool | None = _doc("True: there is no time. False: there is one.")


@strawberry.input(description=f"Compares a number. Several operators must all hold. {ABSENT}")
class IntFilter:
    """Compares a number."""

    eq: int | None = _doc("Is this number.")
    ne: int | None = _doc("Is not this number.")
    lt: int | None = _doc("Is less than this number.")
    lte: int | None = _doc("Is this number or less.")
    gt: int | None = _doc("Is more than this number.")
    gte: int | None = _doc("Is this number or more.")


@strawberry.input(description="Compares a long text.")
class TextFilter:
    """Compares a long text."""

    contains: str = strawberry.field(
        description="Contains this text, as it is written here: upper and lower case differ, and `%` and `_` have no "
        "special meaning."
    )


@strawberry.input(description=f"Which users. Several fields must all hold. {FILTER_CAPS}")
class UserFilter:
    """Which users."""

    and_: list["UserFilter"] | None = _named("and", ALL)
    or_: list["UserFilter"] | None = _named("or", ANY)
    not_: Annotated["UserFilter", strawberry.lazy("gqlapi.schema.filters")] | None = _named("not", NOT)
    id: IDFilter | None = _doc("By id.")
    username: StringFilter | None = _doc("By user name.")
    display_name: StringFilter | None = _doc("By display name.")
    role: list[UserRole] | None = _doc(
        "Has one of these roles; an empty list matches nothing. A role that is null for the viewer matches nothing."
    )
    created_at: DateTimeFilter | None = _doc("By the time of signing up.")
    post_count: IntFilter | None = _doc(POST_COUNT)


@strawberry.input(description=f"Which tags. Several fields must all hold. {FILTER_CAPS}")
class TagFilter:
    """Which tags."""

    and_: list["TagFilter"] | None = _named("and", ALL)
    or_: list["TagFilter"] | None = _named("or", ANY)
    not_: Annotated["TagFilter", strawberry.lazy("gqlapi.schema.filters")] | None = _named("not", NOT)
    id: IDFilter | None = _doc("By id.")
    slug: StringFilter | None = _doc("By slug.")
    name: StringFilter | None = _doc("By name.")
    post_count: IntFilter | None = _doc(POST_COUNT)


@strawberry.input(description=f"Which tags a post carries. Both must hold. {ABSENT}")
class TagListFilter:
    """Which tags a post carries."""

    some: TagFilter | None = _doc("At least one tag matches; `{}` matches posts with any tag.")
    none: TagFilter | None = _doc("No tag matches; `{}` matches posts without tags.")


@strawberry.input(description=f"Which posts. Several fields must all hold. {FILTER_CAPS}")
class PostFilter:
    """Which posts."""

    and_: list["PostFilter"] | None = _named("and", ALL)
    or_: list["PostFilter"] | None = _named("or", ANY)
    not_: Annotated["PostFilter", strawberry.lazy("gqlapi.schema.filters")] | None = _named("not", NOT)
    id: IDFilter | None = _doc("By id.")
    slug: StringFilter | None = _doc("By slug.")
    title: StringFilter | None = _doc("By title.")
    body: TextFilter | None = _doc(
        "By the text without markup, `content.text`, all of which are read: prefer `search`, which finds words by an "
        f"index. Costs {ROOT.body:,} points, {NESTED.body} in a nested list."
    )
    status: list[PostStatus] | None = _doc(
        "Has one of these statuses; an empty list matches nothing. Matches only what the viewer may see."
    )
    created_at: DateTimeFilter | None = _doc("By the time the post was created.")
    published_at: DateTimeFilter | None = _doc("By the time of publication.")
    updated_at: DateTimeFilter | None = _doc("By the time of the last change.")
    deleted_at: DateTimeFilter | None = _doc(
        "By the time of deletion: `{isNull: false}` matches the deleted posts that the viewer may restore. No other "
        "filter lists deleted posts."
    )
    author: UserFilter | None = _doc("By the author.")
    tags: TagListFilter | None = _doc("By the tags.")
    search: str | None = _doc("Found by this full-text search; written as in `search`.")


RowFilter = UserFilter | PostFilter | TagFilter
TYPENAMES: dict[type[RowFilter], str] = {UserFilter: "User", PostFilter: "Post", TagFilter: "Tag"}


class _NullGiven(Exception):
    """A filter has a null, which could be taken for "anything" or for "nothing"."""


def to_condition(row_filter: RowFilter) -> Condition:
    """Translate a filter.

    Raises:
        LimitExceeded: it is too deep, or has too many branches or values.
        BadUserInput: there is a null in it; or an id cannot be decoded, or is of another type.
    """
    try:
        return _Translation().row(row_filter, depth=1)
    except _NullGiven:
        path = ".".join(_path_of_null(row_filter) or ())
        raise BadUserInput(f"In the filter, `{path}` is null; leave it out where nothing is compared.") from None


def _path_of_null(value: Any) -> tuple[str, ...] | None:
    """Return the way to the first null of a filter, by the names of the API."""
    if isinstance(value, list):
        named = [(str(index), item) for index, item in enumerate(value)]
    elif dataclasses.is_dataclass(value):
        named = [
            (to_camel_case(field.name.rstrip("_")), getattr(value, field.name)) for field in dataclasses.fields(value)
        ]
    else:
        return None
    for name, item in named:
        rest = () if item is None else _path_of_null(item)
        if rest is not None:
            return (name, *rest)
    return None


class _Translation:
    """One translation, which counts the branches and the values as it goes."""

    def __init__(self) -> None:
        self._branches = 0
        self._values = 0

    def row(self, row_filter: RowFilter, *, depth: int) -> Condition:
        self._branches += 1
        if depth > MAX_FILTER_DEPTH:
            raise LimitExceeded(f"The filter is deeper than {MAX_FILTER_DEPTH} levels.", limit=MAX_FILTER_DEPTH)
        if self._branches > MAX_FILTER_BRANCHES:
            raise LimitExceeded(f"The filter has over {MAX_FILTER_BRANCHES} branches.", limit=MAX_FILTER_BRANCHES)
        parts: list[Condition] = []
        for name, value in _given(row_filter):
            parts.extend(self._field(row_filter, name, value, depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _field(self, row_filter: RowFilter, name: str, value: Any, depth: int) -> list[Condition]:
        match name:
            case "and_" | "or_":
                parts = tuple(self.row(part, depth=depth + 1) for part in value)
                return [All(parts) if name == "and_" else AnyOf(parts)]
            case "not_":
                return [Not(self.row(value, depth=depth + 1))]
            case "author":
                return [Related("author", self.row(value, depth=depth + 1))]
            case "tags":
                quantified = [(quantifier, self.row(part, depth=depth + 1)) for quantifier, part in _given(value)]
                return [Related("tags", part, none=quantifier == "none") for quantifier, part in quantified]
        comparisons = _comparisons(name, value, TYPENAMES[type(row_filter)])
        self._count_values(comparisons)
        return comparisons

    def _count_values(self, comparisons: list[Condition]) -> None:
        for comparison in comparisons:
            if isinstance(comparison, Compare) and isinstance(comparison.value, tuple):
                self._values += len(comparison.value)
        if self._values > MAX_FILTER_VALUES_IN_ALL:
            raise LimitExceeded(
                f"The filter lists over {MAX_FILTER_VALUES_IN_ALL} values in all.", limit=MAX_FILTER_VALUES_IN_ALL
            )


def _comparisons(attribute: str, operators: Any, typename: str) -> list[Condition]:
    if attribute == "search":
        return [Compare(attribute, Operator.FINDS, parse_query(operators))]
    if isinstance(operators, list):
        return [Compare(attribute, Operator.IN, tuple(dict.fromkeys(operators)))]
    folded = isinstance(operators, StringFilter) and operators.case_insensitive
    comparisons: list[Condition] = []
    for name, value in _given(operators):
        if name == "case_insensitive":
            continue
        if isinstance(value, list) and len(value) > MAX_FILTER_VALUES:
            raise LimitExceeded(f"`{attribute}` lists over {MAX_FILTER_VALUES} values.", limit=MAX_FILTER_VALUES)
        if isinstance(operators, IDFilter):
            value = _decode_ids(value, typename, attribute)  # noqa: PLW2901 - the decoded form replaces the text
        if isinstance(value, datetime):
            comparisons.append(_compare_time(attribute, Operator(name), value))
            continue
        # A tuple, because equal conditions share a statement: conditions are keys.
        compared = tuple(value) if isinstance(value, list) else value
        comparisons.append(Compare(attribute, Operator(name.rstrip("_")), compared, folded=folded))
    return comparisons


def _compare_time(attribute: str, operator: Operator, moment: datetime) -> Condition:
    """Compare with a time, which may be finer than the milliseconds that are stored."""
    stored = to_milliseconds(moment)
    if stored == moment:
        return Compare(attribute, operator, moment)
    if operator is Operator.EQ:  # never holds, and still compares: what a list shows depends on that
        return Compare(attribute, Operator.IN, ())
    return Compare(attribute, BETWEEN[operator], stored)


def _decode_ids(value: str | list[str], typename: str, attribute: str) -> Any:
    try:
        return (
            [decode_id_of(typename, id_) for id_ in value] if isinstance(value, list) else decode_id_of(typename, value)
        )
    except BadUserInput as error:
        raise BadUserInput(f"In the filter, `{attribute}`: {error.message}") from None


def _given(value: Any) -> list[tuple[str, Any]]:
    """Return the fields that were given.

    Raises:
        _NullGiven: one is null.
    """
    pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    given = [(name, part) for name, part in pairs if part is not strawberry.UNSET]
    if any(part is None for _, part in given):
        raise _NullGiven
    return given
