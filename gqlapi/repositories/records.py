"""Rows of list reads: the columns that an operation asked for, a third of the cost of an entity.

An attribute that was not selected raises AttributeError when it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from gqlapi.models import ApiScope, PostStatus, SlugRule, UserRole
from gqlapi.models.global_id import encode_global_id

record = dataclass(init=False, repr=False, eq=False, slots=True)


@record
class Record:
    """What all records have; `id` is always selected."""

    typename: ClassVar[str]

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def global_id(self) -> str:
        """The opaque id that the API shows."""
        return encode_global_id(self.typename, self.id)

    @classmethod
    def of(cls, names: Sequence[str], values: Sequence[Any]) -> Self:
        """Create one record of the columns `names`; `construction` has a faster way for many."""
        made = cls.__new__(cls)
        for name, value in zip(names, values, strict=True):
            setattr(made, name, value)
        return made


@record
class UserRecord(Record):
    """Columns of a user; `post_count` counts the public posts."""

    typename = "User"

    username: str
    display_name: str
    bio: str | None
    avatar_url: str | None
    email: str | None
    role: UserRole
    deleted_at: datetime | None
    username_key: str
    display_name_key: str
    post_count: int


@record
class PostRecord(Record):
    """Columns of a post; `status` depends on the clock, `text_head` is the beginning of `text`.

    `author` and `tags` are set when they were read with the post; authors of equal ids are then one object.
    """

    typename = "Post"

    author_id: UUID
    slug: str
    title: str
    title_key: str
    status: PostStatus
    published_at: datetime | None
    deleted_at: datetime | None
    reading_time_minutes: int
    markdown: str
    html: str
    text: str
    text_head: str
    slug_rule: SlugRule
    author: UserRecord
    tags: "list[TagRecord]"


@record
class TagRecord(Record):
    """Columns of a tag; `post_count` counts the public posts."""

    typename = "Tag"

    slug: str
    name: str
    name_key: str
    description: str | None
    post_count: int


@record
class ApiTokenRecord(Record):
    """Columns of an API token; it has neither a version nor a time of change."""

    typename = "ApiToken"

    user_id: UUID
    name: str
    scopes: frozenset[ApiScope]
    expires_at: datetime | None
    last_used_at: datetime | None


@record
class SessionRecord(Record):
    """Columns of a session; it has neither a version nor a time of change."""

    typename = "Session"

    user_id: UUID
    last_used_at: datetime
    user_agent: str | None
