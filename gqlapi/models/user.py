"""People who sign in, and the authors of posts."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, validates

from gqlapi.database.types import SORT_KEY, UtcDateTime, enum_column_type
from gqlapi.models.base import Row
from gqlapi.words import fold

MAX_USERNAME_LENGTH = 64
MAX_DISPLAY_NAME_LENGTH = 100
# NFKC makes up to 18 characters of one; a name that grows more than this is refused.
MAX_KEY_FACTOR = 4
MAX_USERNAME_KEY_LENGTH = MAX_KEY_FACTOR * MAX_USERNAME_LENGTH
MAX_DISPLAY_NAME_KEY_LENGTH = MAX_KEY_FACTOR * MAX_DISPLAY_NAME_LENGTH


def display_name_key(display_name: str) -> str:
    """Return what a display name is compared and ordered by; an index takes no longer one."""
    return fold(display_name)[:MAX_DISPLAY_NAME_KEY_LENGTH]


class UserRole(StrEnum):
    """What a user may do, each role more than the one before."""

    READER = "reader"
    AUTHOR = "author"
    EDITOR = "editor"
    ADMIN = "admin"


class User(Row):
    """A user.

    A deleted user keeps the row, because posts need an author: the personal columns are blanked, `email_key` and
    `username_skeleton` are NULL and `username` becomes `deleted-<id>`, so that all are free again.
    """

    __tablename__ = "users"
    __table_args__ = (
        sa.CheckConstraint(f"length(username) BETWEEN 1 AND {MAX_USERNAME_LENGTH}", name="username_length"),
        sa.CheckConstraint("length(display_name) BETWEEN 1 AND 100", name="display_name_length"),
        sa.CheckConstraint("length(email) BETWEEN 3 AND 320", name="email_length"),
        sa.CheckConstraint("length(bio) <= 2000", name="bio_length"),
        sa.CheckConstraint("length(avatar_url) <= 2000", name="avatar_url_length"),
        sa.CheckConstraint("(email IS NULL) = (email_key IS NULL)", name="email_and_key"),
        sa.Index(None, "display_name_key", "id"),
    )
    typename: ClassVar[str] = "User"

    username: Mapped[str] = mapped_column(sa.Text)
    username_key: Mapped[str] = mapped_column(SORT_KEY, unique=True)
    display_name: Mapped[str] = mapped_column(sa.Text)
    email: Mapped[str | None] = mapped_column(sa.Text)
    email_key: Mapped[str | None] = mapped_column(SORT_KEY, unique=True)
    bio: Mapped[str | None] = mapped_column(sa.Text)
    avatar_url: Mapped[str | None] = mapped_column(sa.Text)
    role: Mapped[UserRole] = mapped_column(enum_column_type(UserRole, "role"), default=UserRole.READER)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Equal for names that look the same; NULL for all but one of the users who had such names before this column was.
    username_skeleton: Mapped[str | None] = mapped_column(SORT_KEY, unique=True)
    # What names are compared and ordered by; an older server, which runs during an upgrade, leaves it empty.
    display_name_key: Mapped[str] = mapped_column(SORT_KEY, server_default=sa.text("''"))

    @validates("display_name")
    def _keep_key(self, _attribute: str, display_name: str) -> str:
        self.display_name_key = display_name_key(display_name)
        return display_name
