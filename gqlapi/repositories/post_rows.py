"""Posts as they are written, and as a payload shows them without reading them again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from gqlapi.database.search import Indexed
from gqlapi.models import ChangeKind, Post, PostState, PostStatus, SlugRule, Viewer
from gqlapi.repositories.base import ReadScope
from gqlapi.repositories.posts import BODIES, MAX_EXCERPT_LENGTH, PostSource
from gqlapi.repositories.records import PostRecord

COLUMNS = tuple(Post.__table__.columns.keys())
NARROW_COLUMNS = tuple(name for name in COLUMNS if name not in {"markdown", "html", "text"})
# What a record has instead of these: the status, which depends on the clock.
NOT_SHOWN = frozenset({"state", "renderer"})
STATUSES = {PostState.DRAFT: PostStatus.DRAFT, PostState.ARCHIVED: PostStatus.ARCHIVED}

values_of = attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRow:
    """All columns of a new post."""

    id: UUID
    version: int = 1
    created_at: datetime
    updated_at: datetime
    author_id: UUID
    slug: str
    title: str
    title_key: str
    state: PostState
    published_at: datetime | None
    deleted_at: datetime | None = None
    reading_time_minutes: int
    renderer: int
    markdown: str
    html: str
    text: str
    slug_rule: SlugRule = SlugRule.FIXED

    def record(self, now: datetime) -> PostRecord:
        """Return the record of the post at a moment, with all attributes."""
        return record_of(dict(zip(COLUMNS, values_of(self), strict=True)), now)


@dataclass(frozen=True, slots=True)
class NewPostRow:
    """A new post with its tags, in their order, and its words."""

    row: PostRow
    tag_ids: Sequence[UUID]
    indexed: Indexed


@dataclass(frozen=True, slots=True)
class PostChangeRow:
    """A change of a post that is loaded: the new values of its columns, and the words it is found by if they change."""

    post: Post
    values: Mapping[str, Any]
    kind: ChangeKind
    indexed: Indexed | None = None

    @property
    def visible_from(self) -> datetime | None:
        """What the links of the post hold afterwards."""
        names = ("state", "published_at", "deleted_at")
        return visible_from(*(self.values.get(name, getattr(self.post, name)) for name in names))

    def was_public(self, now: datetime) -> bool:
        """Whether the public could see the post before."""
        moment = self.post.visible_from
        return moment is not None and moment <= now

    @property
    def moves_links(self) -> bool:
        """Whether its links must change."""
        return self.visible_from != self.post.visible_from

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are written."""
        return tuple(sorted(self.values))


def visible_from(state: PostState, published_at: datetime | None, deleted_at: datetime | None) -> datetime | None:
    """Return what the links of a post hold: when it became public, None while it is not to be seen."""
    return published_at if state is PostState.PUBLISHED and deleted_at is None else None


def record_of(columns: Mapping[str, Any], now: datetime) -> PostRecord:
    """Create the record of a post whose columns were written, some of which may be unknown."""
    values = {name: value for name, value in columns.items() if name not in NOT_SHOWN}
    values["status"] = _status(columns["state"], columns["published_at"], now)
    if "text" in values:
        values["text_head"] = values["text"][: MAX_EXCERPT_LENGTH + 1]
    return PostRecord.of(tuple(values), tuple(values.values()))


def _status(state: PostState, published_at: datetime | None, now: datetime) -> PostStatus:
    if state is not PostState.PUBLISHED:
        return STATUSES[state]
    return PostStatus.SCHEDULED if published_at is not None and published_at > now else PostStatus.PUBLISHED


def is_visible_to(viewer: Viewer, post: PostRecord) -> bool:
    """Whether a viewer may see a post that was written a moment ago: `posts_visible_to` in Python."""
    if post.deleted_at is not None:
        return False
    is_own = viewer.sees_own_drafts and post.author_id == viewer.id
    return viewer.sees_everything or is_own or post.status is PostStatus.PUBLISHED


def knows_selected(scope: ReadScope, post: PostRecord) -> bool:
    """Whether a post that was written has all attributes that an operation reads of posts; its bodies are counted.

    Raises:
        LimitExceeded: the bodies that the operation has read are longer than allowed.
    """
    selected = scope.selected.get(post.typename, frozenset())
    if not all(hasattr(post, name) for name in selected & PostSource.readable):
        return False
    scope.unit.count_body(sum(len(getattr(post, name)) for name in BODIES & selected))
    return True
