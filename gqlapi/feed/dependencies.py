"""What the answer of a live query depends on, and which changes of posts touch it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from gqlapi.models import ChangeKind, GlobalId, Viewer
from gqlapi.models.viewer import ANONYMOUS
from gqlapi.operations.caching import CachePlan, Observation
from gqlapi.repositories.feed import Change, PostFacts

NONE: Mapping[str, None] = {}
# Kinds of changes that may create tags by their names.
TAGGING = frozenset({ChangeKind.CREATED, ChangeKind.UPDATED})


class Touch(NamedTuple):
    """What a change touches: a post, its author, and if the public sees or saw the post, the public lists."""

    post_id: str
    author_id: str
    is_public: bool
    kind: ChangeKind


def touch_of(change: Change, facts: Mapping[UUID, PostFacts], now: datetime) -> Touch:
    """Return what a change touches; `facts` are those of its post, if there is one."""
    own = facts.get(change.post_id)
    is_public = own is not None and own.visible_from is not None and own.visible_from <= now
    post_id, author_id = GlobalId("Post", change.post_id), GlobalId("User", change.author_id)
    return Touch(post_id.encode(), author_id.encode(), is_public or change.was_public, change.kind)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The ids of the objects of an answer, and the types on whose rows it depends.

    `sees_hidden`: its viewer sees posts that the public does not, so that lists may have them.
    """

    posts: Collection[str]
    users: Collection[str]
    rows: frozenset[str]
    sees_hidden: bool

    @classmethod
    def of(cls, observation: Observation, data: object, viewer: Viewer) -> "Dependencies":
        """Return the dependencies of an answer; those of an answer with errors are the types of its fields."""
        rows = observation.rows_of(data if isinstance(data, dict) else {})
        if not isinstance(data, dict):
            rows |= {name for types in (observation.plan.missing or {}).values() for name in types}
        tags = observation.tags
        sees_hidden = viewer.sees_everything or viewer.sees_own_drafts
        return cls(tags.get("Post", NONE), tags.get("User", NONE), frozenset(rows), sees_hidden)

    def include(self, touch: Touch) -> bool:
        """Whether the answer may be another one after a change."""
        if "Post" in self.rows and (touch.is_public or self.sees_hidden):
            return True
        if "Tag" in self.rows and touch.kind in TAGGING:
            return True
        # Users are visible while they have public posts.
        shows_author = touch.author_id in self.users or "User" in self.rows
        return touch.post_id in self.posts or (shows_author and touch.kind is not ChangeKind.UPDATED)


def rights_of(viewer: Viewer, plan: CachePlan) -> Viewer:
    """Return the viewer on whose behalf a query is answered, for all who get the same answer.

    The public's answers are the same for all readers, and editors see everything, unless the query shows something of
    the viewer, or users, among whom a viewer always finds themselves.
    """
    if plan.is_private:
        return viewer
    finds_users = "User" in plan.rows_of or any("User" in types for types in (plan.missing or {}).values())
    if finds_users or viewer.sees_own_drafts:
        return Viewer(viewer.id, viewer.role)
    return Viewer(role=viewer.role) if viewer.sees_everything else ANONYMOUS
