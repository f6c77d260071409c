"""The viewer, read again by the transaction that writes on their behalf."""

from dataclasses import replace
from functools import cache
from typing import Any

import sqlalchemy as sa

from gqlapi.database.kept import KeptStatement
from gqlapi.database.types import UtcDateTime
from gqlapi.models import ApiToken, Session, User, Viewer
from gqlapi.repositories.write_scope import WriteScope

USERS = User.__table__.c
TOKENS = ApiToken.__table__.c
SESSIONS = Session.__table__.c


async def reload_viewer(scope: WriteScope) -> Viewer | None:
    """Return the scope's viewer with their current rights, in one statement; None when user, session or token is gone.

    A request read its viewer when it began. Since then, or by an earlier mutation, a role may have been taken away
    or a session ended.
    """
    viewer = scope.viewer
    if viewer.id is None:
        return viewer
    has_session, has_token = viewer.session_id is not None, viewer.token_id is not None
    statement = _statement(scope.dialect_name, has_session=has_session, has_token=has_token)
    keys = {"user_id": viewer.id, "session_id": viewer.session_id, "token_id": viewer.token_id, "now": scope.now}
    rows = await statement.rows(scope.session, keys)
    if not rows:
        return None
    [row] = rows
    return replace(viewer, role=row[0], scopes=row[1] if has_token else viewer.scopes)


def has_same_rights(*, has_session: bool, has_token: bool) -> sa.ColumnElement[bool]:
    """Condition that a viewer may still do what they could when `rights_of` was asked, and no more."""
    rights = _current_rights(has_session=has_session, has_token=has_token)
    rights = rights.where(USERS.role == sa.bindparam("viewer_role", type_=USERS.role.type))
    if has_token:
        rights = rights.where(TOKENS.scopes == sa.bindparam("viewer_scopes", type_=TOKENS.scopes.type))
    return rights.exists()


def rights_of(viewer: Viewer) -> dict[str, Any]:
    """Return the parameters of `has_same_rights`, but for the time."""
    keys = {"user_id": viewer.id, "session_id": viewer.session_id, "token_id": viewer.token_id}
    return {**keys, "viewer_role": viewer.role, "viewer_scopes": viewer.scopes}


@cache
def _statement(dialect_name: str, *, has_session: bool, has_token: bool) -> KeptStatement:
    return KeptStatement(_current_rights(has_session=has_session, has_token=has_token), dialect_name)


def _current_rights(*, has_session: bool, has_token: bool) -> sa.Select[Any]:
    now = sa.bindparam("now", type_=UtcDateTime)
    columns: list[sa.ColumnElement[Any]] = [USERS.role]
    source: sa.FromClause = User.__table__
    is_valid = sa.and_(USERS.id == sa.bindparam("user_id"), USERS.deleted_at.is_(None))
    if has_session:
        source = source.join(Session.__table__, SESSIONS.user_id == USERS.id)
        is_valid &= sa.and_(SESSIONS.id == sa.bindparam("session_id"), SESSIONS.expires_at > now)
    if has_token:
        columns.append(TOKENS.scopes)
        source = source.join(ApiToken.__table__, TOKENS.user_id == USERS.id)
        is_current = sa.or_(TOKENS.expires_at.is_(None), TOKENS.expires_at > now)
        is_valid &= sa.and_(TOKENS.id == sa.bindparam("token_id"), is_current)
    return sa.select(*columns).select_from(source).where(is_valid)
