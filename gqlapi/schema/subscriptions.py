"""Subscriptions: what happens to posts, as it happens."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from gqlapi.context import Context
from gqlapi.database.types import utc_now
from gqlapi.execution.declarations import FieldRules, Prepared, Relation
from gqlapi.feed import Changes, Feed
from gqlapi.models import ChangeKind, GlobalId, Viewer
from gqlapi.repositories.feed import Change, PostFacts
from gqlapi.schema.enums import ChangeKind as ChangeKindType
from gqlapi.schema.fields import argument, computed, prepared_field, relation
from gqlapi.schema.keys import TagKey, UserKey
from gqlapi.schema.live import live_field
from gqlapi.schema.queries import Query, UniqueKey, to_key
from gqlapi.schema.scalars import Position
from gqlapi.schema.types import Post

# Kinds by which a post may disappear for some of those who saw it.
LOSSES = frozenset({ChangeKind.UNPUBLISHED, ChangeKind.ARCHIVED, ChangeKind.DELETED})
# How long it is known who may see the posts of changes, while a slow client takes them one by one.
FACTS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PostEvent:
    """A change of a post, and who may see the post now."""

    change: Change
    facts: PostFacts | None

    @property
    def kind(self) -> ChangeKind:
        """What happened."""
        return self.change.kind

    @property
    def post_id(self) -> UUID:
        """The key of the post."""
        return self.change.post_id

    @property
    def position(self) -> int:
        """The place in the feed."""
        return self.change.position

    def is_for(self, viewer: Viewer) -> bool:
        """Whether a viewer may learn of the change: who sees the post, or has lost it by the change."""
        if self.facts is not None and _sees(viewer, self.facts, utc_now()):
            return True
        change = self.change
        is_own = viewer.sees_own_drafts and change.author_id == viewer.id
        return change.kind in LOSSES and (change.was_public or is_own or viewer.sees_everything)


def _sees(viewer: Viewer, facts: PostFacts, now: datetime) -> bool:
    """Whether a viewer may read a post: `posts_visible_to` in Python."""
    if facts.is_deleted:
        return False
    is_own = viewer.sees_own_drafts and facts.author_id == viewer.id
    return viewer.sees_everything or is_own or (facts.visible_from is not None and facts.visible_from <= now)


@dataclass(frozen=True, slots=True)
class Request:
    """Which changes a subscription is about."""

    author: UniqueKey | None
    tag: UniqueKey | None
    has_author: bool
    has_tag: bool
    since: int | None


def _prepare(*, author: UserKey | None = None, tag: TagKey | None = None, since: int | None = None) -> Request:
    return Request(
        None if author is None else to_key(author, "User", "username_key"),
        None if tag is None else to_key(tag, "Tag", "slug"),
        author is not None,
        tag is not None,
        since,
    )


async def _load_posts(context: Context, ids: list[UUID], _prepared: Prepared) -> list[Any]:
    return await context.repositories.posts.list_by_ids(ids)


async def _subscribe(context: Context, prepared: Prepared) -> AsyncIterator[PostEvent]:
    """Begin to follow the changes of posts.

    Raises:
        PositionExpired: the feed does not have all changes after `since`.
        ApiError: the database timed out or is not available.
    """
    request: Request = prepared.value
    feed = context.feed
    if feed is None:
        raise RuntimeError("this context has no feed")
    users, tags = context.repositories.users, context.repositories.tags
    author = await users.get_by(request.author.attribute, request.author.value) if request.author else None
    tag = await tags.get_by(request.tag.attribute, request.tag.value) if request.tag else None
    await context.close()
    if (request.has_author and author is None) or (request.has_tag and tag is None):
        return _nothing()
    changes = await feed.follow(request.since)
    return _events(context, feed, None if author is None else author.id, None if tag is None else tag.id, changes)


async def _nothing() -> AsyncIterator[PostEvent]:
    """Yield nothing: there is no such author or tag."""
    events: tuple[PostEvent, ...] = ()
    for event in events:
        yield event


async def _events(
    context: Context, feed: Feed, author: UUID | None, tag: UUID | None, batches: AsyncGenerator[Changes]
) -> AsyncIterator[PostEvent]:
    async with aclosing(batches):
        async for changes in batches:
            facts: Mapping[UUID, PostFacts] = {}
            read_at = -FACTS_SECONDS
            for change in changes:
                if author is not None and change.author_id != author:
                    continue
                if time.monotonic() - read_at >= FACTS_SECONDS:
                    # Of all changes, so that those who look for a part of them share the read.
                    facts = await feed.facts(changes)
                    read_at = time.monotonic()
                event = PostEvent(change, facts.get(change.post_id))
                has_tag = tag is None or (event.facts is not None and tag in event.facts.tag_ids)
                if has_tag and event.is_for(context.viewer):
                    yield event


@strawberry.type(description="Something that happened to a post.")
class PostChange:
    """Something that happened to a post."""

    kind: ChangeKindType = strawberry.field(description="What happened.")
    id: strawberry.ID = computed(
        lambda event, _context: GlobalId("Post", event.post_id).encode(), description="The id of the post."
    )
    post: Post | None = relation(
        Relation(_load_posts, key="post_id"),
        description="The post as it is now; null once it is deleted, or the viewer may no longer see it.",
    )
    position: Position = strawberry.field(
        description="The place of the change in the feed: given as `since`, a subscription resumes after it."
    )


@strawberry.type(description="Events, over WebSocket, server-sent events or multipart HTTP.")
class Subscription:
    """Events."""

    post_changed: PostChange = prepared_field(
        [
            argument("author", UserKey | None, "Only posts of this user."),
            argument("tag", TagKey | None, "Only posts that have this tag when the change is told."),
            argument(
                "since",
                Position | None,
                "Resume after this position: no change since then is left out, and none is told twice. "
                "One that the feed no longer keeps is refused with POSITION_EXPIRED.",
            ),
        ],
        FieldRules(prepare=_prepare, compute=lambda event, _context, _prepared: event, subscribe=_subscribe),
        "Changes of posts that the viewer may see, in the order in which they were committed; those of one post in "
        "the order of its versions. A scheduled post sends PUBLISHED when its time comes.",
    )
    live: Query = live_field()
