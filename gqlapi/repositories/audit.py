"""The audit trail: rows are added and pruned, and never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.models import AuditEvent, AuditKind, User, new_id
from gqlapi.models.audit_event import MAX_ADDRESS_LENGTH
from gqlapi.repositories.write_scope import WriteScope


async def record(
    scope: WriteScope, kind: AuditKind, subject_id: UUID | None, *, actor_id: UUID | None = None, **detail: Any
) -> None:
    """Add an event about an account to the transaction, in one statement.

    The actor is the viewer, unless `actor_id` names who has just proved to be somebody; an operator is none. An API
    token that acted is part of the detail.
    """
    if scope.viewer.token_id is not None:
        detail["by_token"] = str(scope.viewer.token_id)
    event = AuditEvent(
        id=new_id(),
        kind=kind,
        actor_id=None if scope.address is None else actor_id or scope.viewer.id,
        subject_id=subject_id,
        address=None if scope.address is None else scope.address[:MAX_ADDRESS_LENGTH],
        detail=detail,
        created_at=scope.now,
    )
    scope.session.add(event)
    await scope.session.flush()
    scope.audited.append(event)


async def list_events(
    session: AsyncSession, *, username_key: str | None, kinds: Sequence[AuditKind], since: datetime | None, limit: int
) -> list[tuple[AuditEvent, str | None, str | None]]:
    """Read the newest events, oldest of them first, with the user names of actor and subject; one statement."""
    actor, subject = sa.orm.aliased(User), sa.orm.aliased(User)
    statement = (
        sa.select(AuditEvent, actor.username, subject.username)
        .join(actor, actor.id == AuditEvent.actor_id, isouter=True)
        .join(subject, subject.id == AuditEvent.subject_id, isouter=True)
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    if username_key is not None:
        statement = statement.where(sa.or_(actor.username_key == username_key, subject.username_key == username_key))
    if kinds:
        statement = statement.where(AuditEvent.kind.in_(kinds))
    if since is not None:
        statement = statement.where(AuditEvent.created_at >= since)
    return [(event, by, about) for event, by, about in reversed((await session.execute(statement)).all())]
