"""The search field."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry

from gqlapi.context import Context
from gqlapi.errors import BadUserInput
from gqlapi.execution.declarations import FieldRules, Prepared, Relation
from gqlapi.models import GlobalId
from gqlapi.repositories.search import Hit, Kind, SearchRequest, after_cursor
from gqlapi.schema.fields import argument, describe_enum, prepared_field, rules_metadata, set_by_rules, trusted
from gqlapi.schema.lists import DEFAULT_PAGE_SIZE, check_size
from gqlapi.schema.nodes import load_nodes
from gqlapi.schema.pagination import PageInfo
from gqlapi.schema.pricing import HIGHLIGHT_COST, RANKED_WORD_COST, SEARCH_COST, reads_rows
from gqlapi.schema.scalars import Cursor
from gqlapi.schema.search_query import Highlighter, parse_query
from gqlapi.schema.types import Post, Tag, User

ALL_KINDS = [Kind.POST, Kind.USER, Kind.TAG]
TYPENAMES = {Kind.POST: "Post", Kind.USER: "User", Kind.TAG: "Tag"}

describe_enum(Kind, "What can be found.", name="SearchType", POST="Posts.", USER="Users.", TAG="Tags.")

SearchResult = Annotated[
    User | Post | Tag, strawberry.union("SearchResult", description="Something that a search can find.")
]


@dataclass(frozen=True, slots=True)
class PreparedSearch:
    """A prepared search field: what to look for, and which hits of it to return."""

    request: SearchRequest
    size: int
    after: tuple[float, Any] | None


async def _highlights(context: Context, keys: list[tuple[SearchRequest, Hit]], _prepared: Prepared) -> list[str | None]:
    """Make the highlights of hits: one statement for each search and type."""
    found: dict[tuple[SearchRequest, Hit], str | None] = {}
    for request in dict.fromkeys(request for request, _ in keys):
        hits = [hit for of, hit in keys if of == request]
        texts: dict[Any, tuple[str, str]] = {}
        for kind in {hit.kind for hit in hits}:
            ids = [hit.id for hit in hits if hit.kind is kind]
            texts.update(await context.repositories.search.texts(kind, ids))
        made = await _highlight_each(Highlighter(request.query), [texts.get(hit.id, ("", "")) for hit in hits])
        found.update(((request, hit), highlight) for hit, highlight in zip(hits, made, strict=True))
    return [found[key] for key in keys]


async def _highlight_each(highlighter: Highlighter, texts: Sequence[tuple[str, str]]) -> list[str | None]:
    highlights = []
    for title, body in texts:
        highlights.append(highlighter.highlight(title, body))
        await asyncio.sleep(0)  # a long text takes some milliseconds: other requests run between two of them
    return highlights


@strawberry.type(description="A hit, with its place among the hits.")
class SearchEdge:
    """A hit, with its place among the hits."""

    hit: strawberry.Private[Hit]
    request: strawberry.Private[SearchRequest]

    node: SearchResult = strawberry.field(description="What was found.")
    cursor: Cursor = strawberry.field(description="The place of the hit, to be passed as `after`.")
    score: float = strawberry.field(description="How good the hit is; compares only within one search.")
    highlight: str | None = strawberry.field(
        resolver=set_by_rules,
        description="The part of the text around the first hit, as HTML: words that were found stand between `<mark>` "
        "and `</mark>`, all else is escaped. Null when they stand in neither the text nor the title. Costs "
        f"{HIGHLIGHT_COST} points.",
        metadata=rules_metadata(
            FieldRules(
                surcharge=lambda _: HIGHLIGHT_COST,
                relation=Relation(_highlights, key="highlight_key", reads=3),
                is_long=True,
            )
        ),
    )

    @property
    def highlight_key(self) -> tuple[SearchRequest, Hit]:
        """What its highlight is made of."""
        return self.request, self.hit


@strawberry.type(description="A page of hits, best first.")
class SearchConnection:
    """A page of hits, best first."""

    edges: list[SearchEdge] = strawberry.field(description="The hits with their cursors.", metadata=trusted())
    nodes: list[SearchResult] = strawberry.field(description="What was found, for clients that need no cursor of each.")
    page_info: PageInfo = strawberry.field(description="Where the page lies among the hits.")
    total_count: int = strawberry.field(description="How many hits can be paged through: at most 1,000.")


def _prepare(
    *,
    query: str,
    types: Sequence[Kind] | None = None,
    first: int | None = None,
    after: Cursor | None = None,
) -> PreparedSearch:
    kinds = frozenset(ALL_KINDS if types is None else types)
    if not kinds:
        raise BadUserInput("`types` must not be empty.")
    request = SearchRequest(parse_query(query), kinds)
    return PreparedSearch(
        request=request,
        size=check_size("first", first) or DEFAULT_PAGE_SIZE,
        after=None if after is None else request.decode_cursor(after),
    )


async def _load(context: Context, keys: list[Any], prepared: Prepared) -> list[SearchConnection]:
    search: PreparedSearch = prepared.value
    hits = await context.repositories.search.rank(search.request)
    start = 0 if search.after is None else after_cursor(hits, search.after)
    page = hits[start : start + search.size] if reads_rows(prepared.selection) else []
    edges = await _load_edges(context, search.request, page)
    page_info = PageInfo(
        has_next_page=start + len(page) < len(hits),
        has_previous_page=start > 0,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    nodes = [edge.node for edge in edges]
    found = SearchConnection(edges=edges, nodes=nodes, page_info=page_info, total_count=len(hits))
    return [found for _ in keys]


async def _load_edges(context: Context, request: SearchRequest, hits: Sequence[Hit]) -> list[SearchEdge]:
    """Load the rows of a page, in one statement for each type among them."""
    ids = [GlobalId(TYPENAMES[hit.kind], hit.id) for hit in hits]
    return [
        SearchEdge(hit=hit, request=request, node=node, cursor=Cursor(request.encode_cursor(hit)), score=hit.score)
        for hit, node in zip(hits, await load_nodes(context, ids), strict=True)
        if node is not None  # gone since it was ranked, when statements share no snapshot
    ]


def _page_size(prepared: Prepared) -> int:
    search: PreparedSearch = prepared.value
    return search.size


def _surcharge(prepared: Prepared) -> int:
    search: PreparedSearch = prepared.value
    rows = search.size if reads_rows(prepared.selection) else 0
    return SEARCH_COST + RANKED_WORD_COST * search.request.query.word_count + rows


def search_field(description: str) -> Any:
    """Declare the search at the root: one statement to rank, one for each type of a page, one for its highlights."""
    rules = FieldRules(
        prepare=_prepare,
        rows=_page_size,
        surcharge=_surcharge,
        relation=Relation(_load, reads=4),
    )
    arguments = [
        argument(
            "query", str, 'Words that must all be found, `"a phrase"`, `begin*`, `-without`; at most 500 characters.'
        ),
        argument("types", list[Kind] | None, "What to look for: all types when left out.", default=ALL_KINDS),
        argument("first", int | None, "Size of the page: 1 to 100; 20 by default."),
        argument("after", Cursor | None, "Only hits after this cursor."),
    ]
    return prepared_field(arguments, rules, description)
