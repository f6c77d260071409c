"""Sessions, tokens and passwords."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa

from gqlapi.database.dialect import bind_ids, is_one_of
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.types import utc_now
from gqlapi.models import ApiToken, RefreshToken, Session, User, UserCredential, Viewer
from gqlapi.repositories.base import Repository
from gqlapi.repositories.construction import RecordShape
from gqlapi.repositories.locks import for_change, skip_locked
from gqlapi.repositories.records import ApiTokenRecord, Record, SessionRecord
from gqlapi.repositories.sources import NOW, VIEWER_ID, Draft, Selection, Source, reading
from gqlapi.repositories.write_scope import WriteScope

USERS = User.__table__.c
TOKENS = ApiToken.__table__.c
SESSIONS = Session.__table__.c
REFRESH_TOKENS = RefreshToken.__table__.c
# Lists of one user are not paged.
MAX_LISTED = 100
# What one sign-in cleans up of what has expired.
PRUNED_WITH_EACH_SIGN_IN = 10
IS_LIVE = USERS.deleted_at.is_(None)


def _viewer_of_session() -> Draft:
    statement = (
        sa.select(USERS.id, USERS.role, SESSIONS.position)
        .join(Session.__table__, SESSIONS.user_id == USERS.id)
        .where(
            SESSIONS.id == sa.bindparam("session_id", type_=sa.Uuid()),
            USERS.id == sa.bindparam("user_id", type_=sa.Uuid()),
            SESSIONS.expires_at > NOW,
            IS_LIVE,
        )
    )
    return Draft(statement)


async def viewer_of_session(unit: ReadUnit, user_id: UUID, session_id: UUID, now: datetime) -> Viewer | None:
    """Return whose session this is, if it is active; one statement."""
    kept, make = reading(unit.dialect_name, _viewer_of_session)
    rows = make(await unit.fetch(kept, {"user_id": user_id, "session_id": session_id, "now": now}))
    if not rows:
        return None
    [(_, role, position)] = rows
    return Viewer(user_id, role, session_id, position=position or 0)


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Whose token was used, and when it was used before."""

    viewer: Viewer
    last_used_at: datetime | None


def _use_of_api_token() -> Draft:
    statement = (
        sa.select(USERS.id, USERS.role, TOKENS.scopes, TOKENS.id, TOKENS.last_used_at, TOKENS.position)
        .join(ApiToken.__table__, TOKENS.user_id == USERS.id)
        .where(
            TOKENS.hash == sa.bindparam("hash", type_=TOKENS.hash.type),
            sa.or_(TOKENS.expires_at.is_(None), TOKENS.expires_at > NOW),
            IS_LIVE,
        )
    )
    return Draft(statement)


async def use_of_api_token(unit: ReadUnit, token_hash: str, now: datetime) -> TokenUse | None:
    """Return whose token this is, if it is valid; one statement."""
    kept, make = reading(unit.dialect_name, _use_of_api_token)
    rows = make(await unit.fetch(kept, {"hash": token_hash, "now": now}))
    if not rows:
        return None
    user_id, role, scopes, token_id, last_used_at, position = rows[0]
    viewer = Viewer(user_id, role, token_id=token_id, scopes=scopes, position=position or 0)
    return TokenUse(viewer, last_used_at)


def _refresh_token() -> Draft:
    statement = (
        sa.select(REFRESH_TOKENS.session_id)
        .join(Session.__table__, SESSIONS.id == REFRESH_TOKENS.session_id)
        .where(
            REFRESH_TOKENS.hash == sa.bindparam("hash", type_=REFRESH_TOKENS.hash.type),
            REFRESH_TOKENS.expires_at > NOW,
            SESSIONS.expires_at > NOW,
        )
    )
    return Draft(statement)


@dataclass(frozen=True, slots=True)
class Credential:
    """A user, the hash of their password, if they have one, and when they chose it."""

    user_id: UUID
    password_hash: str | None
    chosen_at: datetime | None


class CredentialRepository:
    """Reads of hashes of passwords and tokens; nothing of them is ever shown."""

    def __init__(self, unit: ReadUnit) -> None:
        """Read in a unit."""
        self._unit = unit

    async def get_by_login(self, key: str) -> Credential | None:
        """Read the credential of the live user with this folded name or e-mail address; no name has an @."""
        return await self._get(sa.or_(USERS.username_key == key, USERS.email_key == key))

    async def has_refresh_token(self, token_hash: str) -> bool:
        """Whether this is the hash of a refresh token of an active session, exchanged or not; one statement."""
        kept, make = reading(self._unit.dialect_name, _refresh_token)
        return bool(make(await self._unit.fetch(kept, {"hash": token_hash, "now": utc_now()})))

    async def get_by_user_id(self, id_: UUID) -> Credential | None:
        """Read the credential of a live user."""
        return await self._get(USERS.id == id_)

    async def _get(self, is_user: sa.ColumnElement[bool]) -> Credential | None:
        hashes = UserCredential.__table__
        statement = (
            sa.select(USERS.id, hashes.c.password_hash, hashes.c.updated_at)
            .join_from(User.__table__, hashes, hashes.c.user_id == USERS.id, isouter=True)
            .where(is_user, IS_LIVE)
        )
        rows: Sequence[Any] = await self._unit.rows(statement)
        return Credential(*rows[0]) if rows else None


class OwnSource(Source):
    """The statements about what only its owner may see."""

    record = Record

    def visible(self) -> sa.ColumnElement[bool]:
        """Condition for the viewer's own rows."""
        return self.columns["user_id"] == VIEWER_ID

    def of_users(self, selection: Selection) -> Draft:
        """Select the newest rows of each user in `ids`, newest first."""
        owner = self.columns["user_id"]
        columns = [self.column(name).label(name) for name in selection.names]
        statement = (
            sa.select(owner.label("owner_id"), *columns)
            .where(is_one_of(self.dialect_name, owner), self.visible())
            .order_by(self.columns["id"].desc())
            .limit(MAX_LISTED)
        )
        return Draft(statement, RecordShape(self.record, selection.names, has_parent=True))


class ApiTokenSource(OwnSource):
    """The statements about the viewer's API tokens."""

    record = ApiTokenRecord
    columns: ClassVar = {**TOKENS}


class SessionSource(OwnSource):
    """The statements about the viewer's sessions."""

    record = SessionRecord
    columns: ClassVar = {**SESSIONS}

    def visible(self) -> sa.ColumnElement[bool]:
        """Condition for the viewer's active sessions."""
        return sa.and_(super().visible(), SESSIONS.expires_at > NOW)


class OwnRepository(Repository[Any]):
    """Reads of what only its owner may see."""

    source: OwnSource

    async def list_by_user_ids(self, ids: Sequence[UUID]) -> list[list[Record]]:
        """Read the newest rows of each user, newest first, in the order of `ids`; of others than the viewer none."""
        values = bind_ids(self.scope.dialect_name, ids)
        by_user = await self._read(self.source.of_users, self._selection(), values=values)
        return [by_user.get(id_, []) for id_ in ids]


def _live_user(id_: UUID) -> sa.Select[User]:
    return sa.select(User).where(User.id == id_, User.deleted_at.is_(None))


class AccountWriteRepository:
    """Writes of sessions, tokens and passwords in a transaction."""

    def __init__(self, scope: WriteScope) -> None:
        """Bind the repository to a transaction."""
        self._session = scope.session
        self._now = scope.now

    async def get_live_user(self, id_: UUID) -> User | None:
        """Load a user who is not deleted, without a lock."""
        return (await self._session.scalars(_live_user(id_))).one_or_none()

    async def lock_live_user(self, id_: UUID) -> User | None:
        """Load a user who is not deleted, and lock the row; always before the rows of their sessions."""
        return (await self._session.scalars(for_change(_live_user(id_)))).one_or_none()

    async def get_password_time(self, user_id: UUID) -> datetime | None:
        """Read when a user chose their password."""
        statement = sa.select(UserCredential.updated_at).where(UserCredential.user_id == user_id)
        return await self._session.scalar(statement)

    async def add(self, *rows: Session | RefreshToken | ApiToken | UserCredential) -> None:
        """Insert rows, in this order."""
        for row in rows:
            self._session.add(row)
            await self._session.flush()

    async def set_password(self, user_id: UUID, password_hash: str) -> None:
        """Write the hash of a user's password, new or not."""
        await self._session.merge(UserCredential(user_id=user_id, password_hash=password_hash, updated_at=self._now))

    async def renew_password_hash(self, user_id: UUID, password_hash: str) -> None:
        """Write another hash of the same password, which stays as old as it is."""
        values = {"password_hash": password_hash, "updated_at": UserCredential.updated_at}
        statement = sa.update(UserCredential).where(UserCredential.user_id == user_id).values(values)
        await self._session.execute(statement.execution_options(synchronize_session=False))

    async def get_refresh_token(self, token_hash: str) -> tuple[RefreshToken, Session] | None:
        """Load a refresh token with its session and lock both: parallel uses of one family wait for each other."""
        family = sa.select(RefreshToken.session_id).where(RefreshToken.hash == token_hash)
        found = sa.select(Session).where(Session.id.in_(family), Session.expires_at > self._now)
        session = (await self._session.scalars(for_change(found))).one_or_none()
        if session is None:
            return None
        # Read after the lock, which shows whether another writer was faster.
        token = await self._session.get(RefreshToken, token_hash, populate_existing=True)
        return None if token is None else (token, session)

    async def has_exchanged(self, session_id: UUID, generation: int) -> bool:
        """Whether a token of a generation was exchanged."""
        is_used = sa.and_(*self._of_generation(session_id, generation), RefreshToken.used_at.is_not(None))
        return (await self._session.execute(sa.select(sa.exists().where(is_used)))).scalar_one()

    async def count_generation(self, session_id: UUID, generation: int) -> int:
        """Count the tokens of a generation."""
        statement = sa.select(sa.func.count()).where(*self._of_generation(session_id, generation))
        return (await self._session.execute(statement)).scalar_one()

    async def newest_generation(self, session_id: UUID) -> int:
        """Read the number of a session's newest generation; 0 if none has a number."""
        newest = sa.select(sa.func.max(RefreshToken.generation)).where(RefreshToken.session_id == session_id)
        return await self._session.scalar(newest) or 0

    def _of_generation(self, session_id: UUID, generation: int) -> tuple[sa.ColumnElement[bool], ...]:
        return RefreshToken.session_id == session_id, RefreshToken.generation == generation

    async def delete_session(self, id_: UUID) -> bool:
        """End a session; return whether it was active."""
        return await self._delete(Session.id == id_)

    async def delete_sessions_of(self, user_id: UUID) -> bool:
        """End all sessions of a user; return whether there were any."""
        return await self._delete(Session.user_id == user_id)

    async def evict_oldest_sessions(self, user_id: UUID) -> None:
        """Delete what has expired of the user's API tokens, and of a few sessions of anybody; two statements.

        The user's oldest sessions go as well, so that with one more all of them are listed: no user could end one that
        they do not see. The transaction has locked the user's row.
        """
        expired = (ApiToken.user_id == user_id) & (ApiToken.expires_at < self._now)
        await self._session.execute(sa.delete(ApiToken).where(expired))
        few = skip_locked(sa.select(Session.id).where(Session.expires_at < self._now).limit(PRUNED_WITH_EACH_SIGN_IN))
        surplus = (
            # Only active ones: other transactions may have locked expired ones, and wait for this one.
            sa.select(Session.id)
            .where(Session.user_id == user_id, Session.expires_at > self._now)
            .order_by(Session.id.desc())
            .offset(MAX_LISTED - 1)
        )
        # Each in its own subquery: a part of a union has no limit in SQLite, and no lock in PostgreSQL.
        parts = (sa.select(part.subquery().c.id) for part in (few, surplus))
        await self._delete(Session.id.in_(sa.union_all(*parts)))

    async def delete_expired_refresh_tokens(self, session_id: UUID) -> None:
        """Delete the refresh tokens of a session that have expired."""
        expired = (RefreshToken.session_id == session_id) & (RefreshToken.expires_at < self._now)
        await self._session.execute(sa.delete(RefreshToken).where(expired))

    async def count_api_tokens(self, user_id: UUID) -> int:
        """Count the tokens of a user."""
        statement = sa.select(sa.func.count()).select_from(ApiToken).where(ApiToken.user_id == user_id)
        return (await self._session.execute(statement)).scalar_one()

    async def delete_api_token(self, id_: UUID, user_id: UUID) -> bool:
        """Revoke a token of a user; return whether there was one."""
        statement = sa.delete(ApiToken).where(ApiToken.id == id_, ApiToken.user_id == user_id)
        return bool((await self._session.execute(statement.returning(ApiToken.id))).all())

    async def delete_api_tokens_of(self, user_id: UUID) -> int:
        """Revoke all tokens of a user, and return how many there were."""
        statement = sa.delete(ApiToken).where(ApiToken.user_id == user_id)
        return len((await self._session.execute(statement.returning(ApiToken.id))).all())

    async def touch_api_token(self, id_: UUID, *, before: datetime) -> None:
        """Note that a token was used, unless that was noted since `before`."""
        is_stale = sa.or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < before)
        statement = sa.update(ApiToken).where(ApiToken.id == id_, is_stale).values(last_used_at=self._now)
        await self._session.execute(statement.execution_options(synchronize_session=False))

    async def _delete(self, condition: sa.ColumnElement[bool]) -> bool:
        return bool((await self._session.execute(sa.delete(Session).where(condition).returning(Session.id))).all())
