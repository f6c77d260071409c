"""The object types. They refer to each other, so they are in one module."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from graphql import GraphQLResolveInfo

from gqlapi import models
from gqlapi.accounts import policy
from gqlapi.accounts.policy import Action
from gqlapi.content import excerpt
from gqlapi.content.headings import MAX_HEADINGS
from gqlapi.context import Context
from gqlapi.execution.declarations import UNKNOWN, FieldRules, Prepared, Relation
from gqlapi.models.global_id import encode_global_id, encode_global_ids
from gqlapi.repositories import Repositories
from gqlapi.repositories.accounts import MAX_LISTED
from gqlapi.repositories.pages import PageRequest
from gqlapi.repositories.posts import MAX_EXCERPT_LENGTH
from gqlapi.repositories.records import ApiTokenRecord, PostRecord, Record, SessionRecord, TagRecord, UserRecord
from gqlapi.schema.enums import ApiScope, PostStatus, UserRole
from gqlapi.schema.fields import argument, computed, embedded, prepared_field, priced, relation, rules_metadata
from gqlapi.schema.filters import BEYOND_PUBLIC, PostFilter, TagFilter, UserFilter
from gqlapi.schema.headings import HEADINGS, Heading
from gqlapi.schema.lists import ListKind, check_size, nested_count, nested_list
from gqlapi.schema.neighbours import FIRST, NEXT, NEXT_TEXT, PREVIOUS, PREVIOUS_TEXT, RELATED, RELATED_TEXT
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
EXCERPT_LENGTH = 250

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
    indexed=frozenset({"id", "username_key", "display_name_key"}),
)
TAGS = ListKind(
    filter=TagFilter,
    order=TagOrder,
    default_order=(TagOrder(field=TagOrderField.NAME),),
    default_order_text="name",
    indexed=frozenset({"id", "name_key"}),
)


async def _authors(context: Context, ids: list[UUID], _prepared: Prepared) -> Sequence[UserRecord | None]:
    return await context.repositories.users.list_authors_by_ids(ids)


async def _tags_of_posts(context: Context, ids: list[UUID], _prepared: Prepared) -> Sequence[list[TagRecord]]:
    return await context.repositories.tags.list_by_post_ids(ids)


def _known_author(post: Any) -> Any:
    """Return the author that was read with a post, by a join or as part of an aggregate."""
    if isinstance(post, models.Post):
        return post.__dict__.get("author", UNKNOWN)
    return getattr(post, "author", UNKNOWN)


def _known_tags(post: Any) -> Any:
    """Return the tags that were read with a post, by its key or as part of an aggregate."""
    if isinstance(post, models.Post):
        return post.tags if "post_tags" in post.__dict__ else UNKNOWN
    return getattr(post, "tags", UNKNOWN)


AUTHOR = Relation(_authors, key="author_id", known=_known_author, attribute="author")
TAGS_OF_POST = Relation(_tags_of_posts, key="id", known=_known_tags, attribute="tags")


@strawberry.interface(description="An object with a globally unique id.")
class Node:
    """An object with a global id."""

    global_id: strawberry.ID = strawberry.field(
        name="id",
        description="The id, unique across all types. Opaque; do not parse or construct it.",
        metadata=rules_metadata(FieldRules(needs=frozenset({"global_id"}), column=encode_global_ids)),
    )


@strawberry.interface(description="An object with a version and timestamps.")
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


def _user_can_change(user: UserRecord, context: Context) -> bool:
    return user.deleted_at is None and policy.may(context.viewer, Action.CHANGE_USER, user.id)


def _post_can_change(post: PostRecord, context: Context) -> bool:
    return post.deleted_at is None and policy.may(context.viewer, Action.CHANGE_POST, post.author_id)


def _content_id(post: PostRecord, _context: Context) -> str:
    return encode_global_id("Content", post.id)


def _tag_can_change(_tag: TagRecord, context: Context) -> bool:
    return policy.may(context.viewer, Action.CHANGE_TAG)


def _email(user: UserRecord, context: Context) -> str | None:
    return user.email if policy.may(context.viewer, Action.READ_EMAIL, user.id) else None


def _role(user: UserRecord, context: Context) -> models.UserRole | None:
    return user.role if policy.may(context.viewer, Action.READ_ROLE, user.id) else None


def _scopes(token: ApiTokenRecord, _context: Context) -> list[models.ApiScope]:
    return sorted(token.scopes)


def _is_current(session: SessionRecord, context: Context) -> bool:
    return session.id == context.viewer.session_id


def own_rows(load: Callable[[Repositories, list[UUID]], Awaitable[Sequence[list[Any]]]], *, description: str) -> Any:
    """Declare a list that only the user themselves may see."""

    async def load_own(context: Context, ids: list[UUID], _prepared: Prepared) -> list[list[Any] | None]:
        own = [id_ for id_ in ids if id_ == context.viewer.id]
        rows = dict(zip(own, await load(context.repositories, own), strict=True)) if own else {}
        return [rows.get(id_) for id_ in ids]

    return relation(Relation(load_own, key="id"), description=description, rows=MAX_LISTED)


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


@strawberry.type(
    description="A person: an author, or somebody who signs in to read. A user who has published no post is visible "
    "only to themselves, editors and admins."
)
class User(Node, Versioned, Ownable):
    """A user, read from a record or an entity."""

    is_type_of = is_one_of_types(UserRecord, models.User)

    username: str = strawberry.field(description="The unique name, for URLs and signing in.")
    display_name: str = strawberry.field(description="The name to show.")
    bio: str | None = strawberry.field(
        description="What the user says about themselves.", metadata=priced("bio", LONG_TEXT_COST)
    )
    avatar_url: str | None = strawberry.field(description="The URL of a picture.")
    email: str | None = computed(_email, "id", "email", description="Visible to the user and admins; null for others.")
    api_tokens: "list[ApiToken] | None" = own_rows(
        lambda repositories, ids: repositories.api_tokens.list_by_user_ids(ids),
        description="The user's tokens for programs, newest first; null for others.",
    )
    sessions: "list[Session] | None" = own_rows(
        lambda repositories, ids: repositories.sessions.list_by_user_ids(ids),
        description="Where the user is signed in, newest first; null for others.",
    )
    role: UserRole | None = computed(
        _role, "id", "role", description="What the user may do. Only for the user, editors and admins; null otherwise."
    )
    viewer_can_update: bool = computed(
        _user_can_change, "id", "deleted_at", description="Whether the viewer may change this user."
    )
    viewer_can_delete: bool = computed(
        _user_can_change, "id", "deleted_at", description="Whether the viewer may delete this user."
    )
    posts: "Connection[Post]" = nested_list(
        POSTS,
        lambda repositories, ids, request: repositories.posts.page_by_author_ids(ids, request),
        _count_of_authors,
        description=f"The user's posts, also under `viewer`. {BEYOND_PUBLIC}",
    )
    post_count: int = nested_count(
        POSTS,
        _count_of_authors,
        description=f"How many posts `posts` has with the same filter. Costs {NESTED.count} points.",
    )


@strawberry.type(description="The body of a post in several forms.")
class Content:
    """The body of a post; read from the post's own record."""

    is_type_of = is_one_of_types(PostRecord, models.Post)

    id: strawberry.ID = computed(
        _content_id, "id", description="Identifies the body in caches of clients. `node` does not take it."
    )
    markdown: str = strawberry.field(
        description="As it was written: CommonMark with GitHub's extensions and footnotes.",
        metadata=priced("markdown", BODY_COST),
    )
    html: str = strawberry.field(
        description=(
            "Rendered and sanitised when the post was written; safe to embed. Ids begin with `user-content-`; code has"
            " a class such as `language-python`."
        ),
        metadata=priced("html", BODY_COST),
    )
    text: str = strawberry.field(
        description="The text of the HTML without any markup, one line per block.", metadata=priced("text", BODY_COST)
    )
    headings: list[Heading] = prepared_field(
        [], HEADINGS, f"The table of contents: the first {MAX_HEADINGS} headings of the HTML, in their order."
    )


def _check_excerpt(*, length: int = EXCERPT_LENGTH) -> int:
    check_size("length", length, MAX_EXCERPT_LENGTH)
    return length


def _excerpt(post: PostRecord, _context: Context, prepared: Prepared) -> str:
    return excerpt(post.text_head, prepared.value, goes_on=len(post.text_head) > MAX_EXCERPT_LENGTH)


@strawberry.type(description="Something written by a user.")
class Post(Node, Versioned, Ownable):
    """A post, read from a record or an entity."""

    is_type_of = is_one_of_types(PostRecord, models.Post)

    slug: str = strawberry.field(description="The unique name for URLs.")
    slug_follows_title: bool = computed(
        lambda post, _context: post.slug_rule is models.SlugRule.TITLE,
        "slug_rule",
        description="Whether the slug is made anew when the title changes: until the post is published, unless the "
        "slug was chosen.",
    )
    title: str = strawberry.field(description="The title, 1 to 300 characters of plain text.")
    excerpt: str = prepared_field(
        [argument("length", int, "The most characters: 1 to 2000.", default=EXCERPT_LENGTH)],
        FieldRules(
            needs=frozenset({"text_head"}),
            prepare=_check_excerpt,
            surcharge=lambda prepared: int(prepared.value) // EXCERPT_CHARACTERS_PER_POINT,
            compute=_excerpt,
            is_long=True,
        ),
        "The beginning of the text without markup, cut between words. Costs a point per "
        f"{EXCERPT_CHARACTERS_PER_POINT} characters.",
    )
    content: Content = embedded(
        description=f"The whole body. Read only when it is selected; each form costs {BODY_COST} points."
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
    previous: "Post | None" = prepared_field([], PREVIOUS, PREVIOUS_TEXT)
    next: "Post | None" = prepared_field([], NEXT, NEXT_TEXT)
    related: "list[Post]" = prepared_field([FIRST], RELATED, RELATED_TEXT)
    viewer_can_update: bool = computed(
        _post_can_change, "author_id", "deleted_at", description="Whether the viewer may change this post."
    )
    viewer_can_delete: bool = computed(
        _post_can_change, "author_id", "deleted_at", description="Whether the viewer may delete this post."
    )
    viewer_can_publish: bool = computed(
        _post_can_change,
        "author_id",
        "deleted_at",
        description="Whether the viewer may publish, unpublish or archive this post.",
    )


@strawberry.type(description="A tag that posts carry.")
class Tag(Node, Versioned, Ownable):
    """A tag, read from a record or an entity."""

    is_type_of = is_one_of_types(TagRecord, models.Tag)

    slug: str = strawberry.field(description="The unique name for URLs.")
    name: str = strawberry.field(description="The name to show.")
    description: str | None = strawberry.field(
        description="The meaning of the tag.", metadata=priced("description", LONG_TEXT_COST)
    )
    viewer_can_update: bool = computed(_tag_can_change, description="Whether the viewer may change this tag.")
    viewer_can_delete: bool = computed(_tag_can_change, description="Whether the viewer may delete this tag.")
    posts: "Connection[Post]" = nested_list(
        POSTS,
        lambda repositories, ids, request: repositories.posts.page_by_tag_ids(ids, request),
        _count_of_tags,
        description=f"The tag's posts. {BEYOND_PUBLIC}",
    )
    post_count: int = nested_count(
        POSTS,
        _count_of_tags,
        description=f"How many posts `posts` has with the same filter. Costs {NESTED.count} points.",
    )


@strawberry.type(description="An API token, which acts as its user within its scopes.")
class ApiToken(Node):
    """An API token, read from a record."""

    is_type_of = is_one_of_types(ApiTokenRecord)

    name: str = strawberry.field(description="What the token is for.")
    scopes: list[ApiScope] = computed(_scopes, "scopes", description="What it may be used for.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it expires; null for never.")
    last_used_at: datetime | None = strawberry.field(
        description="When it was last used, to about five minutes; null for never."
    )


@strawberry.type(description="A session on one device, extended with refresh tokens.")
class Session(Node):
    """A session, read from a record."""

    is_type_of = is_one_of_types(SessionRecord)

    created_at: datetime = strawberry.field(description="When the user signed in.")
    last_used_at: datetime = strawberry.field(description="When it was last refreshed.")
    user_agent: str | None = strawberry.field(description="What the browser or the program called itself.")
    current: bool = computed(_is_current, "id", description="Whether this is the current session.")


AnyRecord = Record | models.Row
