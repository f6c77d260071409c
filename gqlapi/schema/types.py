"""The object types. They refer to each other, hence they live together."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from aiodataloader import DataLoader
from graphql import GraphQLResolveInfo

from gqlapi import models
from gqlapi.accounts import policy
from gqlapi.accounts.policy import Action
from gqlapi.content import excerpt
from gqlapi.context import Context
from gqlapi.errors import BadUserInput
from gqlapi.execution.relation import Relation
from gqlapi.repositories import Repositories
from gqlapi.repositories.accounts import MAX_LISTED
from gqlapi.repositories.pages import PageRequest
from gqlapi.repositories.posts import MAX_EXCERPT_LENGTH
from gqlapi.repositories.records import ApiTokenRecord, PostRecord, Record, SessionRecord, TagRecord, UserRecord
from gqlapi.schema.enums import ApiScope, PostStatus, UserRole
from gqlapi.schema.fields import FieldRules, Info, needs, priced, relation, rules_metadata
from gqlapi.schema.filters import PostFilter, TagFilter, UserFilter
from gqlapi.schema.lists import ListKind, nested_count, nested_list
from gqlapi.schema.ordering import (
    OrderDirection,
    PostOrder,
    PostOrderField,
    TagOrder,
    TagOrderField,
    UserOrder,
    UserOrderField,
)
from gqlapi.schema.pagination import Connection
from gqlapi.schema.pricing import BODY_COST, EXCERPT_CHARACTERS_PER_POINT, LONG_TEXT_COST, NESTED

MAX_TAGS_PER_POST = 20

POSTS = ListKind(
    filter=PostFilter,
    order=PostOrder,
    default_order=(PostOrder(field=PostOrderField.PUBLISHED_AT, direction=OrderDirection.DESC),),
    default_order_text="publication, newest first",
    indexed=frozenset({"id", "updated_at", "published_at", "title_key"}),
    nested_indexed=frozenset({"id", "published_at"}),
)
USERS = ListKind(
    filter=UserFilter,
    order=UserOrder,
    default_order=(UserOrder(field=UserOrderField.CREATED_AT, direction=OrderDirection.DESC),),
    default_order_text="signing up, newest first",
    indexed=frozenset({"id", "username_key"}),
)
TAGS = ListKind(
    filter=TagFilter,
    order=TagOrder,
    default_order=(TagOrder(field=TagOrderField.NAME),),
    default_order_text="name",
    indexed=frozenset({"id", "name_key"}),
)

AUTHOR = Relation(lambda context, _nodes: context.loaders.authors, key="author_id")
TAGS_OF_POST = Relation(lambda context, _nodes: context.loaders.tags_of_posts, key="id")


@strawberry.interface(description="An object with an id that finds it again, whatever its type.")
class Node:
    """An object with a global id."""

    global_id: strawberry.ID = strawberry.field(
        name="id", description="The id, unique across all types. Opaque: do not take it apart, and do not make one."
    )


@strawberry.interface(description="A row that knows when it changed, and how often.")
class Versioned:
    """A row with a version and timestamps."""

    version: int = strawberry.field(description="1 at first, and one more with each write: for optimistic locking.")
    created_at: datetime = strawberry.field(description="When the row was created.")
    updated_at: datetime = strawberry.field(description="When the row was last changed.")


@strawberry.interface(description="Something that the viewer may or may not change.")
class Ownable:
    """Something that the viewer may or may not change."""

    viewer_can_update: bool = strawberry.field(description="Whether the viewer may change it.")
    viewer_can_delete: bool = strawberry.field(description="Whether the viewer may delete it.")


def _user_can_change(root: Any, info: Info) -> bool:
    user: UserRecord = root
    return user.deleted_at is None and policy.may(info.context.viewer, Action.CHANGE_USER, user.id)


def _post_can_change(root: Any, info: Info) -> bool:
    post: PostRecord = root
    return post.deleted_at is None and policy.may(info.context.viewer, Action.CHANGE_POST, post.author_id)


def _tag_can_change(info: Info) -> bool:
    return policy.may(info.context.viewer, Action.CHANGE_TAG)


def _email(root: Any, info: Info) -> str | None:
    user: UserRecord = root
    return user.email if policy.may(info.context.viewer, Action.READ_EMAIL, user.id) else None


def _scopes(root: Any) -> Any:
    token: ApiTokenRecord = root
    return sorted(token.scopes)


def _is_current(root: Any, info: Info) -> bool:
    session: SessionRecord = root
    return session.id == info.context.viewer.session_id


def own_rows(loader: Callable[[Context], DataLoader[UUID, list[Any]]], *, description: str) -> Any:
    """Declare a list that only the user themselves may see."""

    async def resolve(root: Any, info: Info) -> Any:
        user: UserRecord = root
        return await loader(info.context).load(user.id) if user.id == info.context.viewer.id else None

    rules = FieldRules(needs=frozenset({"id"}), rows=lambda _: MAX_LISTED)
    return strawberry.field(resolver=resolve, description=description, metadata=rules_metadata(rules))


def _count_of_authors(
    repositories: Repositories, ids: Sequence[UUID], request: PageRequest
) -> Awaitable[Sequence[int]]:
    return repositories.posts.count_by_author_ids(ids, request)


def _count_of_tags(repositories: Repositories, ids: Sequence[UUID], request: PageRequest) -> Awaitable[Sequence[int]]:
    return repositories.posts.count_by_tag_ids(ids, request)


def is_one_of_types(*classes: type[Any]) -> Any:
    """Return an `is_type_of` for objects that are read from other classes than the type's own."""

    def is_type_of(value: object, _info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(value, classes)

    return staticmethod(is_type_of)


@strawberry.type(description="A person: an author, or somebody who signs in to read.")
class User(Node, Versioned, Ownable):
    """A user, read from a record or an entity."""

    is_type_of = is_one_of_types(UserRecord, models.User)

    username: str = strawberry.field(description="The unique name, for URLs and signing in.")
    display_name: str = strawberry.field(description="The name to show.")
    bio: str | None = strawberry.field(
        description="What the user says about themselves.", metadata=priced("bio", LONG_TEXT_COST)
    )
    avatar_url: str | None = strawberry.field(description="The URL of a picture.")
    email: str | None = strawberry.field(
        resolver=_email,
        description="Only for the user and admins; null for everybody else.",
        metadata=needs("id", "email"),
    )
    api_tokens: "list[ApiToken] | None" = own_rows(
        lambda context: context.loaders.api_tokens_of_users,
        description="The user's tokens for programs, newest first; null for everybody but the user.",
    )
    sessions: "list[Session] | None" = own_rows(
        lambda context: context.loaders.sessions_of_users,
        description="Where the user is signed in, newest first; null for everybody but the user.",
    )
    role: UserRole = strawberry.field(description="What the user may do.")
    viewer_can_update: bool = strawberry.field(
        resolver=_user_can_change,
        description="Whether the viewer may change this user.",
        metadata=needs("id", "deleted_at"),
    )
    viewer_can_delete: bool = strawberry.field(
        resolver=_user_can_change,
        description="Whether the viewer may delete this user.",
        metadata=needs("id", "deleted_at"),
    )
    posts: "Connection[Post]" = nested_list(
        POSTS,
        lambda repositories, ids, request: repositories.posts.page_by_author_ids(ids, request),
        _count_of_authors,
        description="The user's posts that the viewer may see.",
    )
    post_count: int = nested_count(
        POSTS,
        _count_of_authors,
        description=f"How many posts of the user the viewer may see. Costs {NESTED.count} points.",
    )


@strawberry.type(description="The body of a post in three forms.")
class Content:
    """The body of a post; read from the post's own record."""

    is_type_of = is_one_of_types(PostRecord, models.Post)

    markdown: str = strawberry.field(
        description="As it was written: CommonMark.", metadata=priced("markdown", BODY_COST)
    )
    html: str = strawberry.field(
        description="Rendered and sanitised when the post was written; safe to embed.",
        metadata=priced("html", BODY_COST),
    )
    text: str = strawberry.field(description="Without any markup.", metadata=priced("text", BODY_COST))


def _content(root: Any) -> Any:
    return root


def _check_excerpt(*, length: int) -> int:
    if not 1 <= length <= MAX_EXCERPT_LENGTH:
        raise BadUserInput(f"`length` must be between 1 and {MAX_EXCERPT_LENGTH}.")
    return length


def _excerpt(
    root: Any, length: Annotated[int, strawberry.argument(description="The most characters: 1 to 2000.")] = 250
) -> str:
    post: PostRecord = root
    return excerpt(post.text_head, length, goes_on=len(post.text_head) > MAX_EXCERPT_LENGTH)


@strawberry.type(description="Something written by a user.")
class Post(Node, Versioned, Ownable):
    """A post, read from a record or an entity."""

    is_type_of = is_one_of_types(PostRecord, models.Post)

    slug: str = strawberry.field(description="The unique name for URLs.")
    title: str = strawberry.field(description="The title, 1 to 300 characters of plain text.")
    excerpt: str = strawberry.field(
        resolver=_excerpt,
        description="The beginning of the text without markup, cut between words. Costs a point per "
        f"{EXCERPT_CHARACTERS_PER_POINT} characters.",
        metadata=rules_metadata(
            FieldRules(
                needs=frozenset({"text_head"}),
                prepare=_check_excerpt,
                surcharge=lambda prepared: int(prepared.value) // EXCERPT_CHARACTERS_PER_POINT,
            )
        ),
    )
    content: Content = strawberry.field(
        resolver=_content,
        description=f"The whole body. Read only when it is selected; each form costs {BODY_COST} points.",
        metadata=needs(),
    )
    status: PostStatus = strawberry.field(description="Whether the post is public, and if not, why.")
    reading_time_minutes: int = strawberry.field(description="How long it takes to read, at least 1.")
    published_at: datetime | None = strawberry.field(description="When the post became public, or will.")
    deleted_at: datetime | None = strawberry.field(description="When the post was deleted, if it is.")
    author: User = relation(AUTHOR, description="Who wrote it; after their deletion only a placeholder name is left.")
    tags: "list[Tag]" = relation(
        TAGS_OF_POST,
        description="At most 20, in the order that the author gave.",
        rows=MAX_TAGS_PER_POST,
    )
    viewer_can_update: bool = strawberry.field(
        resolver=_post_can_change,
        description="Whether the viewer may change this post.",
        metadata=needs("author_id", "deleted_at"),
    )
    viewer_can_delete: bool = strawberry.field(
        resolver=_post_can_change,
        description="Whether the viewer may delete this post.",
        metadata=needs("author_id", "deleted_at"),
    )


@strawberry.type(description="A word that posts are filed under.")
class Tag(Node, Versioned, Ownable):
    """A tag, read from a record or an entity."""

    is_type_of = is_one_of_types(TagRecord, models.Tag)

    slug: str = strawberry.field(description="The unique name for URLs.")
    name: str = strawberry.field(description="The name to show.")
    description: str | None = strawberry.field(
        description="What the tag stands for.", metadata=priced("description", LONG_TEXT_COST)
    )
    viewer_can_update: bool = strawberry.field(
        resolver=_tag_can_change, description="Whether the viewer may change this tag.", metadata=needs()
    )
    viewer_can_delete: bool = strawberry.field(
        resolver=_tag_can_change, description="Whether the viewer may delete this tag.", metadata=needs()
    )
    posts: "Connection[Post]" = nested_list(
        POSTS,
        lambda repositories, ids, request: repositories.posts.page_by_tag_ids(ids, request),
        _count_of_tags,
        description="The tag's posts that the viewer may see.",
    )
    post_count: int = nested_count(
        POSTS,
        _count_of_tags,
        description=f"How many posts with the tag the viewer may see. Costs {NESTED.count} points.",
    )


@strawberry.type(description="A token for a program, which acts as its user within its scopes.")
class ApiToken(Node):
    """An API token, read from a record."""

    is_type_of = is_one_of_types(ApiTokenRecord)

    name: str = strawberry.field(description="What the token is for.")
    scopes: list[ApiScope] = strawberry.field(
        resolver=_scopes, description="What it may be used for.", metadata=needs("scopes")
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it becomes worthless; null for never.")
    last_used_at: datetime | None = strawberry.field(
        description="When it was last used, to about five minutes; null for never."
    )


@strawberry.type(description="A sign-in on one device, prolonged by refresh tokens.")
class Session(Node):
    """A session, read from a record."""

    is_type_of = is_one_of_types(SessionRecord)

    created_at: datetime = strawberry.field(description="When the user signed in.")
    last_used_at: datetime = strawberry.field(description="When it was last prolonged.")
    user_agent: str | None = strawberry.field(description="What the browser or the program called itself.")
    current: bool = strawberry.field(
        resolver=_is_current, description="Whether it is the one that asks.", metadata=needs("id")
    )


AnyRecord = Record | models.Row
