"""Who asks, read again by the transaction that writes for them."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from gqlapi.models import ApiToken, Session, User, Viewer
from gqlapi.repositories.write_scope import WriteScope

USERS = User.__table__.c
TOKENS = ApiToken.__table__.c
SESSIONS = Session.__table__.c


async def renew_viewer(scope: WriteScope) -> Viewer | None:
    """Return the scope's viewer as they are now, in one statement; None when user, session or token is gone.

    A request knows its viewer since it began: meanwhile, or by a mutation of its own, a role may have been taken away
    or a session ended.
    """
    viewer = scope.viewer
    if viewer.id is None:
        return viewer
    columns: list[sa.ColumnElement[Any]] = [USERS.role]
    source: sa.FromClause = User.__table__
    is_valid = sa.and_(USERS.id == viewer.id, USERS.deleted_at.is_(None))
    if viewer.session_id is not None:
        source = source.join(Session.__table__, SESSIONS.user_id == USERS.id)
        is_valid &= sa.and_(SESSIONS.id == viewer.session_id, SESSIONS.expires_at > scope.now)
    if viewer.token_id is not None:
        columns.append(TOKENS.scopes)
        source = source.join(ApiToken.__table__, TOKENS.user_id == USERS.id)
        is_valid &= sa.and_(
            TOKENS.id == viewer.token_id, sa.or_(TOKENS.expires_at.is_(None), TOKENS.expires_at > scope.now)
        )
    row = (await scope.session.execute(sa.select(*columns).select_from(source).where(is_valid))).one_or_none()
    if row is None:
        return None
    return replace(viewer, role=row[0], scopes=row[1] if viewer.token_id is not None else viewer.scopes)
