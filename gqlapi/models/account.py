"""Credentials: passwords, sessions with their refresh tokens, and API tokens; secrets only as hashes."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gqlapi.database.types import EnumSet, UtcDateTime, utc_now
from gqlapi.models.base import Base, new_id
from gqlapi.models.global_id import GlobalIdMixin

# SHA-256 in hex.
HASH_LENGTH = 64
MAX_USER_AGENT_LENGTH = 300


class ApiScope(StrEnum):
    """What an API token may be used for, in addition to reading what its owner reads."""

    READ = "read"
    WRITE_POSTS = "write_posts"
    WRITE_TAGS = "write_tags"
    ADMIN = "admin"


class UserCredential(Base):
    """The password of a user, as an argon2id hash; a user without one cannot sign in."""

    __tablename__ = "user_credentials"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    password_hash: Mapped[str] = mapped_column(sa.Text)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


class Session(GlobalIdMixin, Base):
    """A sign-in on one device: a family of refresh tokens; its row is deleted when it ends."""

    __tablename__ = "sessions"
    typename: ClassVar[str] = "Session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    # When its newest refresh token expires.
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    user_agent: Mapped[str | None] = mapped_column(sa.String(MAX_USER_AGENT_LENGTH))
    # How far PostgreSQL had written when it last wrote; only known where there are replicas.
    position: Mapped[int | None] = mapped_column(sa.BigInteger)


class RefreshToken(Base):
    """A token that is exchanged for one of the next generation of its family; one token of a generation may be."""

    __tablename__ = "refresh_tokens"

    hash: Mapped[str] = mapped_column(sa.String(HASH_LENGTH), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(sa.ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When it was first exchanged; a use long after that is the use of a stolen token.
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # NULL: written by a version without generations.
    generation: Mapped[int | None] = mapped_column(sa.Integer)


class ApiToken(GlobalIdMixin, Base):
    """A long-lived token with scopes, for programs; its row is deleted when it is revoked."""

    __tablename__ = "api_tokens"
    __table_args__ = (sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),)
    typename: ClassVar[str] = "ApiToken"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(sa.String(HASH_LENGTH), unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    scopes: Mapped[frozenset[ApiScope]] = mapped_column(EnumSet(ApiScope))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # As that of a session.
    position: Mapped[int | None] = mapped_column(sa.BigInteger)
