"""The root of all reading."""

import asyncio
from typing import Annotated, Any, Protocol, cast

import strawberry

from gqlapi import __version__
from gqlapi.errors import ApiError, BadUserInput
from gqlapi.models.post import MAX_POST_SLUG_LENGTH
from gqlapi.models.tag import MAX_TAG_SLUG_LENGTH
from gqlapi.models.user import MAX_USERNAME_KEY_LENGTH
from gqlapi.schema.aggregates import PostAggregates, aggregates_field
from gqlapi.schema.fields import FieldRules, Info, argument, rules_metadata
from gqlapi.schema.ids import decode_id
from gqlapi.schema.limits import Limits
from gqlapi.schema.lists import MAX_PAGE_SIZE, root_list
from gqlapi.schema.pagination import Connection
from gqlapi.schema.pricing import AGGREGATE_COST, ROOT
from gqlapi.schema.search import SearchConnection, search_field
from gqlapi.schema.types import POSTS, TAGS, USERS, Node, Post, Tag, User
from gqlapi.words import fold_key

MAX_NODES = 100
# Of user names and slugs.
MAX_KEY_LENGTHS = {"User": MAX_USERNAME_KEY_LENGTH, "Post": MAX_POST_SLUG_LENGTH, "Tag": MAX_TAG_SLUG_LENGTH}
INCLUDE_DELETED = "Also list deleted posts: all for editors and admins, their own for authors, refused for others."

BY = "By exactly one of its unique keys."
ID_KEY = "By id."


@strawberry.input(one_of=True, description="One way to name a user.")
class UserKey:
    """One way to name a user."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=ID_KEY)
    username: str | None = strawberry.field(
        default=strawberry.UNSET, description="By user name, without regard to case."
    )


@strawberry.input(one_of=True, description="One way to name a post.")
class PostKey:
    """One way to name a post."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=ID_KEY)
    slug: str | None = strawberry.field(default=strawberry.UNSET, description="By slug, without regard to case.")


@strawberry.input(one_of=True, description="One way to name a tag.")
class TagKey:
    """One way to name a tag."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=ID_KEY)
    slug: str | None = strawberry.field(default=strawberry.UNSET, description="By slug, without regard to case.")


class ServerFacts(Protocol):
    """What the schema knows of itself."""

    limits: Limits
    sdl_hash: str


def _check_nodes(*, ids: list[strawberry.ID]) -> int:
    if len(ids) > MAX_NODES:
        raise BadUserInput(f"`ids` takes at most {MAX_NODES} ids.")
    return len(ids)


def _to_key(by: UserKey | PostKey | TagKey, typename: str, attribute: str) -> tuple[str, Any] | None:
    """Return the column and the value to look for; None for the id of another type, and a name that is too long."""
    if isinstance(by.id, str):
        global_id = decode_id(by.id)
        return ("id", global_id.id) if global_id.typename == typename else None
    name = by.username if isinstance(by, UserKey) else by.slug
    key = fold_key(name or "", MAX_KEY_LENGTHS[typename])
    return None if key is None else (attribute, key)


@strawberry.type(description="What there is to know of the server.")
class ServerInfo:
    """What there is to know of the server."""

    version: str = strawberry.field(description="The version of the server.")
    schema_hash: str = strawberry.field(description="Changes whenever the schema does: SHA-256 of its SDL, in hex.")
    max_page_size: int = strawberry.field(description="The most rows of a page.")
    max_cost: int = strawberry.field(
        description="Maximum operation cost in points. Each row read, and each object and value returned, costs 1, at "
        "the largest size of its list; what costs more says so."
    )


@strawberry.type(description="The root of all reading.")
class Query:
    """The root of all reading."""

    posts: Connection[Post] = root_list(
        POSTS,
        lambda repositories: repositories.posts,
        description="Posts that the viewer may see: public ones; authors see their own, editors and admins all.",
        arguments=[argument("include_deleted", bool, INCLUDE_DELETED, default=False)],
    )
    users: Connection[User] = root_list(
        USERS, lambda repositories: repositories.users, description="Users, authors and others."
    )
    tags: Connection[Tag] = root_list(
        TAGS, lambda repositories: repositories.tags, description="The words that posts are filed under."
    )

    post_aggregates: PostAggregates = aggregates_field(
        "Figures about posts: tag clouds, archives, top authors. Costs "
        f"{AGGREGATE_COST:,} points for the totals, and as many for the buckets."
    )
    search: SearchConnection = search_field(
        f"Full-text search across posts, users and tags, best hits first. Costs {ROOT.search:,} points."
    )

    @strawberry.field(
        description="The object with this id; null when there is none that the viewer may see. "
        "An id that cannot be decoded is an error, BAD_USER_INPUT."
    )
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of any object.")],  # noqa: A002
    ) -> Node | None:
        found = info.context.loaders.node(decode_id(id))
        return None if found is None else cast("Node | None", await found)

    @strawberry.field(
        description="The objects with these ids, in their order; null for each that the viewer may not see. "
        "An id that cannot be decoded is an error at its own index.",
        metadata=rules_metadata(FieldRules(prepare=_check_nodes, rows=lambda prepared: int(prepared.value))),
    )
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 ids.")]
    ) -> list[Node | None]:
        return cast("list[Node | None]", await asyncio.gather(*(_node_or_error(info, id_) for id_ in ids)))

    @strawberry.field(description="Who is signed in; null for an anonymous request.")
    async def viewer(self, info: Info) -> User | None:
        id_ = info.context.viewer.id
        return None if id_ is None else cast("User | None", await info.context.loaders.users.load(id_))

    @strawberry.field(description="The user with this id or name; null when there is none.")
    async def user(self, info: Info, by: Annotated[UserKey, strawberry.argument(description=BY)]) -> User | None:
        key = _to_key(by, "User", "username_key")
        return cast("User | None", await info.context.repositories.users.get_by(*key)) if key else None

    @strawberry.field(description="The post with this id or slug; null when there is none that the viewer may see.")
    async def post(self, info: Info, by: Annotated[PostKey, strawberry.argument(description=BY)]) -> Post | None:
        key = _to_key(by, "Post", "slug")
        return cast("Post | None", await info.context.repositories.posts.get_by(*key)) if key else None

    @strawberry.field(description="The tag with this id or slug; null when there is none.")
    async def tag(self, info: Info, by: Annotated[TagKey, strawberry.argument(description=BY)]) -> Tag | None:
        key = _to_key(by, "Tag", "slug")
        return cast("Tag | None", await info.context.repositories.tags.get_by(*key)) if key else None

    @strawberry.field(description="What there is to know of the server.")
    def server_info(self, info: Info) -> ServerInfo:
        facts: ServerFacts = info.schema  # type: ignore[assignment] # our own schema class, which Strawberry hands back
        return ServerInfo(
            version=__version__, schema_hash=facts.sdl_hash, max_page_size=MAX_PAGE_SIZE, max_cost=facts.limits.max_cost
        )


async def _node_or_error(info: Info, text: str) -> Any:
    """Return the error instead of raising it: graphql-core then reports it at the index, and keeps the rest."""
    try:
        found = info.context.loaders.node(decode_id(text))
    except ApiError as error:
        return error
    return None if found is None else await found
