"""Points: the most work that an operation may cause, known before anything runs.

Every row that may be read, and every object and value that may be returned, costs 1. The prices below stand for the
work of the database that the number of values does not show. docs/configuration.md has the table for clients.
"""

from dataclasses import dataclass

from gqlapi.repositories.conditions import All, AnyOf, Compare, Condition, Not, Operator, Related
from gqlapi.repositories.pages import Ordering, PageRequest

# Grouping reads every matching post; a mean length reads every text as well.
AGGREGATE_COST = 1_000
LENGTH_COST = 5_000
# A body has up to 100,000 characters, and its HTML more; a highlight reads the body of its hit.
BODY_COST = 20
HIGHLIGHT_COST = 20
# A text of up to 2,000 characters; an excerpt costs by its length.
EXCERPT_CHARACTERS_PER_POINT = 100
LONG_TEXT_COST = 5
# A write checks, locks, indexes and records the change.
WRITE_COST = 50
# Of several posts at once: for so many characters of Markdown one point, since a megabyte takes up to 0.4 seconds to
# render and to write; and for each tag, which may be a new one that is written and indexed as well.
MARKDOWN_CHARACTERS_PER_POINT = 20
TAG_COST = 20
# A password is hashed with 12 MiB in 25 ms of a processor.
PASSWORD_COST = 5_000

# Attributes with an index that finds a value: as it is stored, or folded.
UNIQUE = frozenset({"id", "slug"})
FOLDED = frozenset({"title", "username", "name"})
ROW_FIELDS = frozenset({"edges", "nodes", "pageInfo"})
EQUALITY = frozenset({Operator.EQ, Operator.IN})
RANGE = frozenset({Operator.EQ, Operator.LT, Operator.LTE, Operator.GT, Operator.GTE})


@dataclass(frozen=True, slots=True)
class ListPrices:
    """What a list costs besides its rows, for each parent.

    `count` is a COUNT through an index, `scan` reads every row of the list because no index serves its filter or its
    ordering, `search` is a full-text search in its filter.
    """

    count: int
    scan: int
    search: int


ROOT = ListPrices(count=500, scan=2_000, search=1_000)
# Of the rows of one parent.
NESTED = ListPrices(count=20, scan=100, search=100)


def reads_rows(selection: frozenset[str]) -> bool:
    """Whether rows are selected, and not only their count."""
    return not ROW_FIELDS.isdisjoint(selection)


def list_cost(prices: ListPrices, request: PageRequest, selection: frozenset[str], indexed: frozenset[str]) -> int:
    """Return the points of a list; `indexed` are the attributes whose ordering an index serves."""
    cost = 0
    if reads_rows(selection):
        is_sorted = _is_indexed(request.ordering, indexed)
        is_served = is_sorted and is_selective(request.condition, request.ordering.terms[0].attribute)
        cost += request.window.size + _filter_cost(prices, request.condition) + (0 if is_served else prices.scan)
    if "totalCount" in selection:
        cost += count_cost(prices, request.condition)
    return cost


def count_cost(prices: ListPrices, condition: Condition | None) -> int:
    """Return the points of a COUNT."""
    scan = 0 if is_selective(condition) else prices.scan
    return prices.count + _filter_cost(prices, condition) + scan


def _filter_cost(prices: ListPrices, condition: Condition | None) -> int:
    return prices.search * count_searches(condition)


def count_searches(condition: Condition | None) -> int:
    """Return the number of full-text searches in a condition."""
    match condition:
        case All(parts) | AnyOf(parts):
            return sum(map(count_searches, parts))
        case Not(part) | Related(condition=part):
            return count_searches(part)
        case Compare(operator=Operator.FINDS):
            return 1
    return 0


def is_selective(condition: Condition | None, sorted_by: str | None = None) -> bool:
    """Whether an index finds the rows that meet a condition, or there is no condition.

    `sorted_by` is the attribute that an index orders the rows by: a range of it is a range of the index.
    """
    return condition is None or condition == All(()) or _narrows(condition, sorted_by)


def _narrows(condition: Condition | None, sorted_by: str | None) -> bool:
    match condition:
        case All(parts):
            return any(_narrows(part, sorted_by) for part in parts)
        case AnyOf(parts):
            return all(_narrows(part, sorted_by) for part in parts)
        case Related(condition=part, none=False):
            return _narrows(part, None)
        case Compare(attribute, operator, _, folded):
            found = attribute in UNIQUE or (folded and attribute in FOLDED)
            ranged = attribute == sorted_by and operator in RANGE
            return (found and operator in EQUALITY) or ranged or operator is Operator.FINDS
    return False


def _is_indexed(ordering: Ordering, indexed: frozenset[str]) -> bool:
    first, *rest = ordering.terms
    one_direction = all(term.descending == first.descending for term in rest)
    return first.attribute in indexed and one_direction and all(term.attribute == "id" for term in rest)
