"""Subscriptions: what happens to posts, as it happens."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import strawberry

from gqlapi.context import Context
from gqlapi.database.types import utc_now
from gqlapi.errors import BadUserInput
from gqlapi.execution.declarations import FieldRules, Prepared, Relation
from gqlapi.feed import Changes, Feed
from gqlapi.models import ChangeKind, GlobalId, Viewer
from gqlapi.repositories.base import Repository
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


class Named(NamedTuple):
    """An author or a tag, by a key that it cannot have where that is None."""

    typename: str
    key: UniqueKey | None


class Request(NamedTuple):
    """Which changes a subscription is about."""

    author: Named | None
    tag: Named | None
    since: int | None


def _prepare(*, author: UserKey | None = None, tag: TagKey | None = None, since: int | None = None) -> Request:
    return Request(
        None if author is None else Named("User", to_key(author, "User", "username_key")),
        None if tag is None else Named("Tag", to_key(tag, "Tag", "slug")),
        since,
    )


async def _load_posts(context: Context, ids: list[UUID], _prepared: Prepared) -> list[Any]:
    return await context.repositories.posts.list_by_ids(ids)


async def _subscribe(context: Context, prepared: Prepared) -> AsyncGenerator[PostEvent]:
    """Begin to follow the changes of posts.

    Raises:
        BadUserInput: there is no such author or tag.
        PositionExpired: the feed does not have all changes after `since`.
        ApiError: the database timed out or is not available.
    """
    request: Request = prepared.value
    feed = context.feed
    if feed is None:
        raise RuntimeError("this context has no feed")
    author, tag = await _key_of(context, request.author), await _key_of(context, request.tag)
    await context.close()
    changes = await feed.follow(request.since)
    return _events(context, feed, author, tag, changes)


async def _key_of(context: Context, named: Named | None) -> UUID | None:
    """Return the key of the author or tag that a subscription is about.

    Raises:
        BadUserInput: there is none.
    """
    if named is None:
        return None
    repositories = context.repositories
    repository: Repository[Any] = repositories.users if named.typename == "User" else repositories.tags
    key = named.key
    found = None if key is None else await repository.get_by(key.attribute, key.value)
    if found is None:
        raise BadUserInput(f"There is no such {named.typename}.")
    id_: UUID = found.id
    return id_


async def _events(
    context: Context, feed: Feed, author: UUID | None, tag: UUID | None, batches: AsyncGenerator[Changes]
) -> AsyncGenerator[PostEvent]:
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
            argument("tag", TagKey | None, "Only posts that have this tag when the event is sent."),
            argument(
                "since",
                Position | None,
                "Resume after this position: no change since then is left out, and none is sent twice. "
                "One that the feed no longer keeps is refused with POSITION_EXPIRED.",
            ),
        ],
        FieldRules(prepare=_prepare, compute=lambda event, _context, _prepared: event, subscribe=_subscribe),
        "Changes of posts that the viewer may see, in the order in which they were committed; those of one post in "
        "the order of its versions. A scheduled post sends PUBLISHED when its time comes.",
    )
    live: Query = live_field()
