"""The search field."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from gqlapi.context import Context
from gqlapi.errors import BadUserInput
from gqlapi.execution.declarations import FieldRules, Prepared, Relation
from gqlapi.models import GlobalId
from gqlapi.repositories.pages import RecordPage
from gqlapi.repositories.search import Hit, Kind, SearchOrder, SearchRequest, ordering_of
from gqlapi.schema.fields import argument, describe_enum, prepared_field, rules_metadata, set_by_rules, trusted
from gqlapi.schema.filters import PostFilter, to_condition
from gqlapi.schema.lists import to_window, window_arguments
from gqlapi.schema.nodes import load_nodes
from gqlapi.schema.ordering import OrderDirection
from gqlapi.schema.pagination import PageInfo
from gqlapi.schema.pricing import (
    HIGHLIGHT_COST,
    RANKED_WORD_COST,
    ROOT,
    SEARCH_COST,
    SEARCHED_WORD_COST,
    filter_cost,
    reads_rows,
)
from gqlapi.schema.scalars import Cursor
from gqlapi.schema.search_query import QUERY_LANGUAGE, Highlighter, parse_query
from gqlapi.schema.types import Post, Tag, User

NO_HITS: RecordPage[Hit] = RecordPage((), has_next=False, has_previous=False)
ALL_KINDS = [Kind.POST, Kind.USER, Kind.TAG]
TYPENAMES = {Kind.POST: "Post", Kind.USER: "User", Kind.TAG: "Tag"}

describe_enum(Kind, "What can be found.", name="SearchType", POST="Posts.", USER="Users.", TAG="Tags.")

describe_enum(
    SearchOrder,
    "What hits can be ordered by.",
    name="SearchOrderField",
    RELEVANCE="The score: first the hits whose title has all words, then the newest 1,000 others of each type by their "
    "texts, then all older ones.",
    PUBLISHED_AT="The time of publication; of drafts, users and tags, the time of creation.",
)


@strawberry.input(name="SearchOrder", description="The ordering of a search.")
class SearchOrderKey:
    """The ordering of a search."""

    field: SearchOrder = strawberry.field(description="What to order by.")
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.DESC, description="Which end comes first: the best or the newest by default."
    )


SearchResult = Annotated[
    User | Post | Tag, strawberry.union("SearchResult", description="Something that a search can find.")
]


async def _highlights(context: Context, keys: list[tuple[SearchRequest, Hit]], _prepared: Prepared) -> list[str | None]:
    """Create the highlights of hits: one statement for each search and type."""
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
    cursor: Cursor = strawberry.field(description="The place of the hit, to be passed as `after` or `before`.")
    score: float = strawberry.field(description="How good the hit is; compares only within one search.")
    highlight: str | None = strawberry.field(
        resolver=set_by_rules,
        description="The part of the text around the first hit, as HTML: words that were found are between `<mark>` "
        "and `</mark>`, all else is escaped. Null when they are in neither the text nor the title. Costs "
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


@strawberry.type(description="A page of hits.")
class SearchConnection:
    """A page of hits."""

    edges: list[SearchEdge] = strawberry.field(description="The hits with their cursors.", metadata=trusted())
    nodes: list[SearchResult] = strawberry.field(description="The nodes, without cursors.")
    page_info: PageInfo = strawberry.field(description="Pagination information.")
    total_count: int = strawberry.field(
        description="The exact number of hits. Counted only when selected; costs "
        f"{ROOT.count + ROOT.search:,} points, and {SEARCHED_WORD_COST} for each word."
    )


def _prepare(
    *,
    query: str,
    types: Sequence[Kind] | None = None,
    filter: PostFilter | None = None,  # noqa: A002 - the argument's name in the API
    order_by: SearchOrderKey | None = None,
    **window: Any,
) -> SearchRequest:
    kinds = frozenset(ALL_KINDS if types is None else types)
    if not kinds:
        raise BadUserInput("`types` must not be empty.")
    order = order_by or SearchOrderKey(field=SearchOrder.RELEVANCE)
    parsed = parse_query(query)
    ordering = ordering_of(parsed, kinds, order.field, descending=order.direction is OrderDirection.DESC)
    condition = None if filter is None else to_condition(filter)
    return SearchRequest(parsed, kinds, ordering, to_window(ordering, **window), condition)


async def _load(context: Context, keys: list[Any], prepared: Prepared) -> list[SearchConnection]:
    request: SearchRequest = prepared.value
    search = context.repositories.search
    page = await search.page(request) if reads_rows(prepared.selection) else NO_HITS
    edges = await _load_edges(context, request, page.records)
    page_info = PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    nodes = [edge.node for edge in edges]
    count = await search.count(request) if "totalCount" in prepared.selection else 0
    return [SearchConnection(edges=edges, nodes=nodes, page_info=page_info, total_count=count) for _ in keys]


async def _load_edges(context: Context, request: SearchRequest, hits: Sequence[Hit]) -> list[SearchEdge]:
    """Load the rows of a page, in one statement for each type among them."""
    ids = [GlobalId(TYPENAMES[hit.kind], hit.id) for hit in hits]
    encode = request.ordering.encode_cursor
    return [
        SearchEdge(hit=hit, request=request, node=node, cursor=Cursor(encode(hit)), score=hit.score)
        for hit, node in zip(hits, await load_nodes(context, ids), strict=True)
        if node is not None  # gone since it was ranked, when statements share no snapshot
    ]


def _page_size(prepared: Prepared) -> int:
    request: SearchRequest = prepared.value
    return request.window.size


def _surcharge(prepared: Prepared) -> int:
    request: SearchRequest = prepared.value
    reads, counts = reads_rows(prepared.selection), "totalCount" in prepared.selection
    query = request.query
    ranking = SEARCH_COST + RANKED_WORD_COST * query.word_count + request.window.size
    counting = ROOT.count + ROOT.search + SEARCHED_WORD_COST * query.word_count
    return ranking * reads + counting * counts + filter_cost(ROOT, request.condition) * (reads + counts)


def search_field(description: str) -> Any:
    """Declare the search at the root: one statement to rank, one for each type of a page, one for its highlights."""
    rules = FieldRules(
        prepare=_prepare,
        rows=_page_size,
        surcharge=_surcharge,
        relation=Relation(_load, reads=5),
    )
    arguments = [
        argument("query", str, f"{QUERY_LANGUAGE} At most 500 characters."),
        argument("types", list[Kind] | None, "What to look for: all types when left out.", default=ALL_KINDS),
        argument(
            "filter",
            PostFilter | None,
            "Which posts, as in `posts`; users and tags are found regardless. Deleted posts are never found.",
        ),
        argument("order_by", SearchOrderKey | None, "The ordering. Default: relevance, best first."),
        *window_arguments("hits"),
    ]
    return prepared_field(arguments, rules, description)
