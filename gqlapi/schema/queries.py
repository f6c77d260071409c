"""Read operations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import strawberry

from gqlapi import __version__
from gqlapi.accounts import policy
from gqlapi.accounts.policy import Action
from gqlapi.context import Context
from gqlapi.errors import ApiError, BadUserInput
from gqlapi.execution import ErrorMode
from gqlapi.execution.declarations import FieldRules, Prepared, Relation
from gqlapi.models import GlobalId, decode_global_id
from gqlapi.models.post import MAX_POST_SLUG_LENGTH
from gqlapi.models.tag import MAX_TAG_SLUG_LENGTH
from gqlapi.models.user import MAX_USERNAME_KEY_LENGTH
from gqlapi.operations import Limits
from gqlapi.repositories import Repositories
from gqlapi.repositories.base import Repository
from gqlapi.repositories.posts import tags_come_along
from gqlapi.schema.aggregates import PostAggregates, aggregates_field
from gqlapi.schema.fields import Info, argument, computed, prepared_field, relation, rules_metadata
from gqlapi.schema.filters import BEYOND_PUBLIC
from gqlapi.schema.ids import decode_id
from gqlapi.schema.keys import PostKey, TagKey, UserKey
from gqlapi.schema.lists import MAX_PAGE_SIZE, Along, no_others, root_list
from gqlapi.schema.nodes import load_nodes
from gqlapi.schema.pagination import Connection
from gqlapi.schema.pricing import AGGREGATE_COST, RANKED_WORD_COST, SEARCH_COST
from gqlapi.schema.rate_limit import RateLimit, rate_limit_of
from gqlapi.schema.search import SearchConnection, search_field
from gqlapi.schema.types import AUTHOR, POSTS, TAGS, TAGS_OF_POST, USERS, Node, Post, Tag, User
from gqlapi.words import fold_key, slug_key

MAX_NODES = 100
MAX_CAPABILITIES = 3
# Of user names and slugs.
MAX_KEY_LENGTHS = {"User": MAX_USERNAME_KEY_LENGTH, "Post": MAX_POST_SLUG_LENGTH, "Tag": MAX_TAG_SLUG_LENGTH}

BY = "By exactly one of its unique keys."


class ServerFacts(Protocol):
    """What the schema knows of itself."""

    limits: Limits
    sdl_hash: str


def _decoded(text: str) -> GlobalId | ApiError:
    """Return the id, or the error for its index."""
    try:
        return decode_id(text)
    except ApiError as error:
        return error


def _decoded_if_known(text: str) -> GlobalId | None:
    """Return the id, None if the server cannot have made it: an address of a page may have any text."""
    try:
        return decode_global_id(text)
    except ValueError:
        return None


def _prepare_node(*, id: strawberry.ID) -> GlobalId | None:  # noqa: A002 - the argument's name in the API
    return _decoded_if_known(id)


def _prepare_nodes(*, ids: list[strawberry.ID]) -> tuple[GlobalId | ApiError, ...]:
    if len(ids) > MAX_NODES:
        raise BadUserInput(f"`ids` takes at most {MAX_NODES} ids.")
    return tuple(map(_decoded, ids))


async def _load_nodes(context: Context, keys: list[Prepared], _prepared: Prepared) -> list[Any]:
    return await load_nodes(context, [key.value for key in keys])


async def _load_node_lists(context: Context, keys: list[Prepared], _prepared: Prepared) -> list[list[Any]]:
    found = iter(await load_nodes(context, [id_ for key in keys for id_ in key.value]))
    return [[next(found) for _ in key.value] for key in keys]


async def _load_viewer(context: Context, keys: list[Any], _prepared: Prepared) -> Sequence[Any]:
    id_ = context.viewer.id
    return [None for _ in keys] if id_ is None else await context.repositories.users.list_by_ids([id_])


def _can_create_post(_root: object, context: Context) -> bool:
    return policy.may(context.viewer, Action.CREATE_POST, context.viewer.id)


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A unique column and the value to look for."""

    attribute: str
    value: Any


def to_key(by: UserKey | PostKey | TagKey, typename: str, attribute: str) -> UniqueKey | None:
    """Return the key to look for; None for a text that is no id of the type, and a name that is too long."""
    if isinstance(by.id, str):
        global_id = _decoded_if_known(by.id)
        return UniqueKey("id", global_id.id) if global_id is not None and global_id.typename == typename else None
    if isinstance(by, UserKey):
        key = fold_key(by.username or "", MAX_KEY_LENGTHS[typename])
    else:
        key = slug_key(by.slug or "", MAX_KEY_LENGTHS[typename])
    return None if key is None else UniqueKey(attribute, key)


def _by_key(
    key_type: Any,
    typename: str,
    attribute: str,
    repository: Callable[[Repositories], Repository[Any]],
    text: str,
    along: Along = no_others,
) -> Any:
    """Declare a field that finds one row by a unique key: one statement for all that look by id, one for each other."""

    def prepare(*, by: Any) -> UniqueKey | None:
        return to_key(by, typename, attribute)

    async def load(context: Context, prepared_keys: list[Prepared], _prepared: Prepared) -> list[Any]:
        source = repository(context.repositories)
        keys: list[UniqueKey | None] = [key.value for key in prepared_keys]
        found: dict[UniqueKey, Any] = {}
        ids = [*dict.fromkeys(key for key in keys if isinstance(key, UniqueKey) and key.attribute == "id")]
        if len(ids) > 1:
            found.update(zip(ids, await source.list_by_ids([key.value for key in ids]), strict=True))
        for key in keys:
            if isinstance(key, UniqueKey) and key not in found:
                found[key] = await source.get_by(key.attribute, key.value)
        return [None if key is None else found[key] for key in keys]

    rules = FieldRules(prepare=prepare, relation=Relation(load, by_argument=True, along=along))
    return prepared_field([argument("by", key_type, BY)], rules, text)


@strawberry.type(description="A feature of the server that the types of the schema cannot express.")
class Capability:
    """A feature of the server; a draft of GraphQL's: https://github.com/graphql/graphql-spec/pull/1208."""

    name: str = strawberry.field(
        description="`graphql.onError`: requests may have `onError`. `graphql.defaultErrorBehavior`: its default. "
        "`gqlapi.batching`: a request may have several operations, or several sets of variables."
    )
    value: str | None = strawberry.field(
        default=None,
        description="The default of `onError`, or the maximum number of operations in a batch; null for a feature that "
        "needs no value.",
    )


def _capabilities(limits: Limits) -> list[Capability]:
    batching = Capability(name="gqlapi.batching", value=str(limits.max_batch_size))
    return [
        Capability(name="graphql.onError"),
        Capability(name="graphql.defaultErrorBehavior", value=ErrorMode.PROPAGATE.value),
        *([batching] if limits.max_batch_size > 1 else []),
    ]


@strawberry.type(description="What there is to know of the server.")
class ServerInfo:
    """What there is to know of the server."""

    version: str = strawberry.field(description="The version of the server.")
    schema_hash: str = strawberry.field(description="Changes whenever the schema does: SHA-256 of its SDL, in hex.")
    max_page_size: int = strawberry.field(description="Maximum page size.")
    max_cost: int = strawberry.field(
        description="Maximum operation cost in points. Each row read, and each object and value returned, costs 1, at "
        "the largest size of its list; what costs more says so."
    )
    capabilities: list[Capability] = strawberry.field(
        description="Features of the server that the types of the schema cannot express.",
        metadata=rules_metadata(FieldRules(needs=frozenset({"capabilities"}), rows=lambda _: MAX_CAPABILITIES)),
    )


@strawberry.type(description="Read operations.")
class Query:
    """Read operations."""

    posts: Connection[Post] = root_list(
        POSTS,
        lambda repositories: repositories.posts,
        description=BEYOND_PUBLIC,
        along=lambda selected: (AUTHOR, TAGS_OF_POST) if tags_come_along(selected) else (AUTHOR,),
    )
    users: Connection[User] = root_list(
        USERS,
        lambda repositories: repositories.users,
        description="Users who have published a post; all users for editors and admins.",
    )
    tags: Connection[Tag] = root_list(
        TAGS, lambda repositories: repositories.tags, description="Tags, ordered by name by default."
    )

    post_aggregates: PostAggregates = aggregates_field(
        "Aggregate statistics about posts: tag clouds, archives, top authors. Costs "
        f"{AGGREGATE_COST:,} points for the totals, and as many for the buckets."
    )
    search: SearchConnection = search_field(
        "Full-text search across public posts, users and tags. "
        f"Costs {SEARCH_COST:,} points, and {RANKED_WORD_COST} for each word."
    )

    node: Node | None = prepared_field(
        [argument("id", strawberry.ID, "The id of any object.")],
        FieldRules(prepare=_prepare_node, relation=Relation(_load_nodes, by_argument=True)),
        "The object with this id; null if there is none, or the viewer may not see it.",
    )
    nodes: list[Node | None] = prepared_field(
        [argument("ids", list[strawberry.ID], "At most 100 ids.")],
        FieldRules(
            prepare=_prepare_nodes,
            rows=lambda prepared: len(prepared.value),
            relation=Relation(_load_node_lists, by_argument=True, reads=5),
        ),
        "The objects with these ids, in their order; null for each that the viewer may not see. "
        "An id that cannot be decoded is an error at its own index, BAD_USER_INPUT.",
    )
    viewer: User | None = relation(
        Relation(_load_viewer), description="Who is signed in; null for an anonymous request."
    )
    viewer_can_create_post: bool = computed(
        _can_create_post, description="Whether the viewer may create posts: by role and, for an API token, by scope."
    )
    user: User | None = _by_key(
        UserKey,
        "User",
        "username_key",
        lambda repositories: repositories.users,
        "The user with this id or name; null when there is none.",
    )
    post: Post | None = _by_key(
        PostKey,
        "Post",
        "slug",
        lambda repositories: repositories.posts,
        "The post with this id or slug; null when there is none that the viewer may see.",
        along=lambda _selected: (AUTHOR, TAGS_OF_POST),
    )
    tag: Tag | None = _by_key(
        TagKey,
        "Tag",
        "slug",
        lambda repositories: repositories.tags,
        "The tag with this id or slug; null when there is none.",
    )

    @strawberry.field(description="What this operation costs, and how many points its client has left.")
    def rate_limit(self, info: Info) -> RateLimit:
        context: Context = info.context
        return rate_limit_of(context)

    @strawberry.field(description="What there is to know of the server.")
    def server_info(self, info: Info) -> ServerInfo:
        facts: ServerFacts = info.schema  # type: ignore[assignment] # our own schema class, which Strawberry hands back
        return ServerInfo(
            version=__version__,
            schema_hash=facts.sdl_hash,
            max_page_size=MAX_PAGE_SIZE,
            max_cost=facts.limits.max_cost,
            capabilities=_capabilities(facts.limits),
        )
