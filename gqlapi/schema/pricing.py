"""Points: the most work that an operation may cause, known before anything runs.

Every row that may be read, and every object and value that may be returned, costs 1. The prices below represent the
work of the database that the number of values does not show. docs/configuration.md has the table for clients.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gqlapi.repositories.conditions import All, AnyOf, Compare, Condition, Not, Operator, Related
from gqlapi.repositories.pages import Ordering, PageRequest

# Grouping reads every matching post; a mean length reads every text as well.
AGGREGATE_COST = 1_000
LENGTH_COST = 5_000
# A body has up to 100,000 characters, and its HTML more.
BODY_COST = 20
# The body of a hit is searched for the words: measured 1 ms on SQLite.
HIGHLIGHT_COST = 120
# Ranking finds all hits, and reads the beginnings of up to 1,000 texts for each word: measured 20 ms for 3,600 hits,
# 300 to 430 ms for 92,000.
SEARCH_COST, RANKED_WORD_COST = 4_500, 250
# SQLite reads 62 KB for each word of a phrase at once, in 0.25 ms.
SEARCHED_WORD_COST = 100
# An additional statement finds the keys of neighbours.
NEIGHBOUR_COST = 5
# The newest 100 posts of each tag are compared: measured 1 ms on SQLite for three tags.
RELATED_COST = 150
# A text of up to 2,000 characters, or 8 KB; an excerpt costs by its length.
EXCERPT_CHARACTERS_PER_POINT = 100
LONG_TEXT_COST = 10
# A write checks, locks, indexes and records the change.
WRITE_COST = 50
# For so many bytes of Markdown one point. Markup takes five times as long as words, letters beyond ASCII twice as long,
# and those that are folded to several take 60 times as long. One post may always be written.
MARKDOWN_BYTES_PER_POINT = 20
MARKUP = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n"
BEYOND_ASCII = bytes(range(128, 256))
FOLDED_TO_SEVERAL = re.compile("[\u3300-\u33ff\ufdf0-\ufdff]")
MAX_MARKDOWN_COST = 10_000
# A new title is indexed with the text of its post: measured 21 ms for the longest on SQLite.
TITLE_COST = 5_000
# A tag of a bulk may be a new one that is written and indexed as well.
TAG_COST = 25
# A password is hashed with 12 MiB in 25 to 35 ms of a processor.
PASSWORD_COST = 7_000

# Attributes with an index that finds a value: as it is stored, or folded.
UNIQUE = frozenset({"id", "slug"})
FOLDED = frozenset({"title", "username", "display_name", "name"})
ROW_FIELDS = frozenset({"edges", "nodes", "pageInfo"})
EQUALITY = frozenset({Operator.EQ, Operator.IN})
RANGE = frozenset({Operator.EQ, Operator.LT, Operator.LTE, Operator.GT, Operator.GTE})


@dataclass(frozen=True, slots=True)
class ListPrices:
    """What a list costs in addition to its rows, for each parent.

    `count` is a COUNT through an index, `scan` reads every row of the list because no index serves its filter or its
    ordering, `search` is a full-text search in its filter, without its words. `post_count` counts the public posts of
    all users or tags: measured 14 ms for 290,000 links of 2,000 tags. `body` reads the texts of all posts: measured
    150 ms for 100,000.
    """

    count: int
    scan: int
    search: int
    post_count: int
    body: int


ROOT = ListPrices(count=500, scan=2_000, search=1_000, post_count=3_000, body=10_000)
# Of the rows of one parent.
NESTED = ListPrices(count=20, scan=100, search=100, post_count=300, body=500)


def reads_rows(selection: frozenset[str]) -> bool:
    """Whether rows are selected, and not only their count."""
    return not ROW_FIELDS.isdisjoint(selection)


def list_cost(prices: ListPrices, request: PageRequest, selection: frozenset[str], indexed: frozenset[str]) -> int:
    """Return the points of a list; `indexed` are the attributes whose ordering an index serves."""
    cost = 0
    if reads_rows(selection):
        is_sorted = _is_indexed(request.ordering, indexed)
        is_served = is_sorted and is_selective(request.condition, request.ordering.terms[0].attribute)
        cost += request.window.size + filter_cost(prices, request.condition) + (0 if is_served else prices.scan)
        cost += prices.post_count * sum(term.attribute == "post_count" for term in request.ordering.terms)
    if "totalCount" in selection:
        cost += count_cost(prices, request.condition)
    return cost


def count_cost(prices: ListPrices, condition: Condition | None) -> int:
    """Return the points of a COUNT."""
    scan = 0 if is_selective(condition) else prices.scan
    return prices.count + filter_cost(prices, condition) + scan


def markdown_cost(markdown: str) -> int:
    """Return the points of rendering and indexing a body."""
    encoded = markdown.encode(errors="replace")
    markup = len(encoded) - len(encoded.translate(None, MARKUP))
    beyond_ascii = len(encoded) - len(encoded.translate(None, BEYOND_ASCII))
    weight = len(encoded) + 4 * markup + beyond_ascii
    if weight < MARKDOWN_BYTES_PER_POINT * MAX_MARKDOWN_COST:
        weight += 60 * FOLDED_TO_SEVERAL.subn("", markdown)[1]
    return min(weight // MARKDOWN_BYTES_PER_POINT, MAX_MARKDOWN_COST)


def filter_cost(prices: ListPrices, condition: Condition | None) -> int:
    """Return the points of what a filter compares that is no column of its rows."""
    return sum(_comparison_cost(prices, comparison) for comparison in comparisons(condition))


def _comparison_cost(prices: ListPrices, comparison: Compare) -> int:
    match comparison:
        case Compare(operator=Operator.FINDS, value=query):
            return prices.search + SEARCHED_WORD_COST * int(query.word_count)
        case Compare("post_count"):
            return prices.post_count
        case Compare("body"):
            return prices.body
    return 0


def comparisons(condition: Condition | None) -> Iterator[Compare]:
    """Yield the comparisons in a condition."""
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from comparisons(part)
        case Not(part) | Related(condition=part):
            yield from comparisons(part)
        case Compare():
            yield condition


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
