"""The audit trail: who did what to which account, and from where."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gqlapi.database.types import UtcDateTime, enum_column_type, utc_now
from gqlapi.models.base import Base, new_id

MAX_ADDRESS_LENGTH = 64


class AuditKind(StrEnum):
    """What happened to an account."""

    SIGNED_UP = "signed_up"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    # A refresh token of the session was used by two parties.
    SESSION_STOLEN = "session_stolen"
    # The current password that a signed-in user gave was wrong.
    PASSWORD_FAILED = "password_failed"  # noqa: S105 - no secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - no secret
    ROLE_CHANGED = "role_changed"
    TOKEN_CREATED = "token_created"  # noqa: S105 - no secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - no secret
    USER_DELETED = "user_deleted"


class AuditEvent(Base):
    """One event, written in the transaction that it is about, and never changed; `gqlapi prune` deletes old ones.

    It holds no secrets, no names and no e-mail addresses, and refers to rows that may be gone.
    """

    __tablename__ = "audit_events"

    id: Mapped[UUID] = mapped_column(sa.Uuid, primary_key=True, default=new_id)
    kind: Mapped[AuditKind] = mapped_column(enum_column_type(AuditKind, "kind"))
    # NULL: not signed in, or an operator at the command line.
    actor_id: Mapped[UUID | None] = mapped_column(sa.Uuid)
    # NULL: there is no such account.
    subject_id: Mapped[UUID | None] = mapped_column(sa.Uuid)
    # NULL: the command line.
    address: Mapped[str | None] = mapped_column(sa.String(MAX_ADDRESS_LENGTH))
    detail: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
