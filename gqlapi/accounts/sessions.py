"""Sessions: begun by signing in or up, extended with refresh tokens, ended by signing out."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gqlapi.accounts import Accounts, Client
from gqlapi.accounts.policy import Action, require
from gqlapi.accounts.tokens import Claims, hash_secret, new_secret
from gqlapi.models import AuditKind, RefreshToken, Session, User, Viewer, new_id
from gqlapi.models.account import MAX_USER_AGENT_LENGTH
from gqlapi.problems import ForbiddenProblem, ProblemCode, RateLimitedProblem, Rejected
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import AccountWriteRepository, Credential
from gqlapi.repositories.audit import record

# Tabs of one browser refresh at the same moment, and answers get lost: so long a token is exchanged again.
REUSE_GRACE = timedelta(seconds=10)
# How often one token is exchanged in that time: each time is a row.
MAX_SIBLINGS = 20


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a person is handed out; the tokens are stored nowhere."""

    viewer: Viewer
    access_token: str
    access_token_expires_at: datetime
    refresh_token: str


def wrong_credentials() -> Rejected:
    """Return the one answer to everything that is wrong with a sign-in."""
    message = "The login or the password is wrong."
    return Rejected(ForbiddenProblem(code=ProblemCode.UNAUTHENTICATED, message=message))


def session_ended() -> Rejected:
    """Return the answer to a refresh token that is worth nothing."""
    message = "The session is over. Sign in again."
    return Rejected(ForbiddenProblem(code=ProblemCode.UNAUTHENTICATED, message=message, path=("refreshToken",)))


@dataclass(frozen=True, slots=True)
class Verified:
    """A user whose password was verified, outside of any transaction; and when they chose it."""

    user_id: UUID
    password_hash: str
    chosen_at: datetime | None


async def verify(accounts: Accounts, credential: Credential | None, password: str) -> Verified:
    """Compare a password, in the same time whether or not there is a user.

    Raises:
        Rejected: there is no user, or another password.
    """
    password_hash = None if credential is None else credential.password_hash
    is_right = await accounts.passwords.verify(password_hash, password)
    if credential is None or password_hash is None or not is_right:
        raise wrong_credentials()
    return Verified(credential.user_id, password_hash, credential.chosen_at)


async def _lock(repository: AccountWriteRepository, verified: Verified) -> User:
    """Lock a user who was verified; after a change of the password, the old one cannot start a session."""
    user = await repository.lock_live_user(verified.user_id)
    if user is None or await repository.get_password_time(user.id) != verified.chosen_at:
        raise wrong_credentials()
    return user


async def sign_in(
    scope: WriteScope, accounts: Accounts, client: Client, verified: Verified, *, new_hash: str | None = None
) -> SignedIn:
    """Begin a session of a user whose password was verified, and keep its new hash if there is one.

    Raises:
        Rejected: the user was deleted, or the password changed, in the meantime.
    """
    repository = AccountWriteRepository(scope)
    user = await _lock(repository, verified)
    if new_hash is not None:
        await repository.renew_password_hash(user.id, new_hash)
    return await begin_session(scope, accounts, client, user)


async def begin_session(
    scope: WriteScope, accounts: Accounts, client: Client, user: User, *, because: AuditKind = AuditKind.SIGNED_IN
) -> SignedIn:
    """Begin a session of a user whose row this transaction has locked or written; the oldest may end."""
    repository = AccountWriteRepository(scope)
    await repository.evict_oldest_sessions(user.id)
    session = Session(
        id=new_id(),
        user_id=user.id,
        created_at=scope.now,
        last_used_at=scope.now,
        expires_at=_end(accounts, scope.now, scope.now),
        user_agent=client.user_agent and client.user_agent[:MAX_USER_AGENT_LENGTH],
    )
    await repository.add(session)
    await record(scope, because, user.id, actor_id=user.id, session=str(session.id))
    return await _issue_tokens(scope, accounts, session, user, generation=0)


def _end(accounts: Accounts, now: datetime, created_at: datetime) -> datetime:
    """Return when a session ends that is used now, and never after that."""
    return min(now + accounts.refresh_lifetime, created_at + accounts.session_lifetime)


async def refresh_session(scope: WriteScope, accounts: Accounts, refresh_token: str) -> SignedIn | None:
    """Exchange a refresh token for one of the next generation; None if it is not valid.

    A token that two parties hold ends its session (RFC 9700, section 4.14), for which the transaction must be committed
    although nothing is issued.

    Raises:
        Rejected: the token is exchanged again and again.
    """
    repository = AccountWriteRepository(scope)
    found = await repository.get_refresh_token(hash_secret(refresh_token))
    if found is None:
        return None
    token, session = found
    if await _is_stolen(repository, token, scope.now):
        await repository.delete_session(session.id)
        await record(scope, AuditKind.SESSION_STOLEN, session.user_id, session=str(session.id))
        return None
    # Not locked: changing the password or deleting the user ends the session, which is locked after the user's row.
    user = await repository.get_live_user(session.user_id)
    end = _end(accounts, scope.now, session.created_at)
    if user is None or token.expires_at <= scope.now or end <= scope.now:
        return None
    generation = await _next_generation(repository, token)
    await repository.delete_expired_refresh_tokens(session.id)
    token.used_at = token.used_at or scope.now
    session.last_used_at, session.expires_at = scope.now, end
    return await _issue_tokens(scope, accounts, session, user, generation=generation)


async def _is_stolen(repository: AccountWriteRepository, token: RefreshToken, now: datetime) -> bool:
    """Whether a token is used long after it was exchanged, or after another one of its generation."""
    if token.used_at is not None:
        return token.used_at < now - REUSE_GRACE
    return token.generation is not None and await repository.has_exchanged(token.session_id, token.generation)


async def _next_generation(repository: AccountWriteRepository, token: RefreshToken) -> int:
    """Return the generation of what a token is exchanged for: each time the same.

    Raises:
        Rejected: it was exchanged too often.
    """
    if token.generation is None:
        return await repository.newest_generation(token.session_id) + 1
    generation = token.generation + 1
    if token.used_at is not None and await repository.count_generation(token.session_id, generation) >= MAX_SIBLINGS:
        seconds = math.ceil(REUSE_GRACE.total_seconds())
        raise Rejected(RateLimitedProblem(message="The token was exchanged too often.", retry_after_seconds=seconds))
    return generation


async def _issue_tokens(
    scope: WriteScope, accounts: Accounts, session: Session, user: User, *, generation: int
) -> SignedIn:
    refresh_token = new_secret()
    row = RefreshToken(
        hash=hash_secret(refresh_token), session_id=session.id, expires_at=session.expires_at, generation=generation
    )
    await AccountWriteRepository(scope).add(row)
    access_token, expires_at = accounts.access_tokens.issue(Claims(user.id, session.id), scope.now)
    return SignedIn(Viewer(user.id, user.role, session.id), access_token, expires_at, refresh_token)


async def sign_out(scope: WriteScope, *, everywhere: bool) -> bool:
    """End the viewer's session, or all of them; return whether there was one to end.

    Raises:
        Rejected: the caller is not signed in, or the token may not.
    """
    viewer = scope.viewer
    require(viewer, Action.MANAGE_ACCOUNT, viewer.id)
    repository = AccountWriteRepository(scope)
    assert viewer.id is not None  # noqa: S101 - the policy requires a viewer
    if everywhere:
        has_ended = await repository.delete_sessions_of(viewer.id)
    else:
        has_ended = viewer.session_id is not None and await repository.delete_session(viewer.session_id)
    if has_ended:
        await record(scope, AuditKind.SIGNED_OUT, viewer.id, everywhere=everywhere)
    return has_ended


async def change_password(
    scope: WriteScope,
    accounts: Accounts,
    client: Client,
    verified: Verified,
    new_hash: str,
    *,
    revoke_api_tokens: bool = False,
) -> SignedIn:
    """Write a new password, end all sessions of the viewer, and begin another one; revoke their tokens if asked to.

    Raises:
        Rejected: the token may not, or the user was deleted, or the password changed, in the meantime.
    """
    require(scope.viewer, Action.MANAGE_ACCOUNT, verified.user_id)
    repository = AccountWriteRepository(scope)
    user = await _lock(repository, verified)
    await repository.set_password(user.id, new_hash)
    await repository.delete_sessions_of(user.id)
    revoked = await repository.delete_api_tokens_of(user.id) if revoke_api_tokens else 0
    await record(scope, AuditKind.PASSWORD_CHANGED, user.id, revoked_tokens=revoked)
    return await begin_session(scope, accounts, client, user)
