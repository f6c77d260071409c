"""Sessions: begun by signing in or up, prolonged by refresh tokens, ended by signing out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gqlapi.accounts import Accounts, Client
from gqlapi.accounts.policy import Action, require
from gqlapi.accounts.tokens import Claims, hash_secret, new_secret
from gqlapi.models import RefreshToken, Session, User, Viewer, new_id
from gqlapi.models.account import MAX_USER_AGENT_LENGTH
from gqlapi.problems import ForbiddenProblem, ProblemCode, Rejected
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import AccountWriteRepository, Credential

# Tabs of one browser refresh at the same moment, and answers get lost: so long a token is exchanged again.
REUSE_GRACE = timedelta(seconds=10)


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


def session_is_over() -> Rejected:
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
    """Lock a user who was verified; who has changed the password meanwhile has ended what the old one may begin."""
    user = await repository.lock_live_user(verified.user_id)
    if user is None or await repository.get_password_time(user.id) != verified.chosen_at:
        raise wrong_credentials()
    return user


async def sign_in(
    scope: WriteScope, accounts: Accounts, client: Client, verified: Verified, *, new_hash: str | None = None
) -> SignedIn:
    """Begin a session of a user whose password was verified, and keep its new hash if there is one.

    Raises:
        Rejected: the user was deleted, or the password changed, meanwhile.
    """
    repository = AccountWriteRepository(scope)
    user = await _lock(repository, verified)
    if new_hash is not None:
        await repository.renew_password_hash(user.id, new_hash)
    return await begin_session(scope, accounts, client, user)


async def begin_session(scope: WriteScope, accounts: Accounts, client: Client, user: User) -> SignedIn:
    """Begin a session of a user whose row this transaction has locked or written; their oldest ends if need be."""
    repository = AccountWriteRepository(scope)
    await repository.make_room(user.id)
    session = Session(
        id=new_id(),
        user_id=user.id,
        created_at=scope.now,
        last_used_at=scope.now,
        expires_at=scope.now + accounts.refresh_lifetime,
        user_agent=client.user_agent and client.user_agent[:MAX_USER_AGENT_LENGTH],
    )
    await repository.add(session)
    return await _hand_out(scope, accounts, session, user)


async def refresh_session(scope: WriteScope, accounts: Accounts, refresh_token: str) -> SignedIn | None:
    """Exchange a refresh token; None when it is worth nothing.

    One that was exchanged before, longer ago than the grace, was stolen from or by somebody: its session ends, for
    which the transaction must be committed although nothing is handed out.
    """
    repository = AccountWriteRepository(scope)
    found = await repository.get_refresh_token(hash_secret(refresh_token))
    if found is None:
        return None
    token, session = found
    if token.used_at is not None and token.used_at < scope.now - REUSE_GRACE:
        await repository.delete_session(session.id)
        return None
    # Not locked: whoever changes the password or deletes the user ends the session, which is, after the user's row.
    user = await repository.get_live_user(session.user_id)
    if user is None or token.expires_at <= scope.now:
        return None
    await repository.delete_expired_refresh_tokens(session.id)
    token.used_at = token.used_at or scope.now
    session.last_used_at = scope.now
    session.expires_at = scope.now + accounts.refresh_lifetime
    return await _hand_out(scope, accounts, session, user)


async def _hand_out(scope: WriteScope, accounts: Accounts, session: Session, user: User) -> SignedIn:
    refresh_token = new_secret()
    row = RefreshToken(hash=hash_secret(refresh_token), session_id=session.id, expires_at=session.expires_at)
    await AccountWriteRepository(scope).add(row)
    access_token, expires_at = accounts.access_tokens.issue(Claims(user.id, session.id), scope.now)
    return SignedIn(Viewer(user.id, user.role, session.id), access_token, expires_at, refresh_token)


async def sign_out(scope: WriteScope, *, everywhere: bool) -> bool:
    """End the viewer's session, or all of them; tell whether there was one to end.

    Raises:
        Rejected: nobody is signed in, or the token may not.
    """
    viewer = scope.viewer
    require(viewer, Action.MANAGE_ACCOUNT, viewer.id)
    repository = AccountWriteRepository(scope)
    assert viewer.id is not None  # noqa: S101 - the policy lets nobody else pass
    if everywhere:
        return await repository.delete_sessions_of(viewer.id)
    return viewer.session_id is not None and await repository.delete_session(viewer.session_id)


async def change_password(
    scope: WriteScope, accounts: Accounts, client: Client, verified: Verified, new_hash: str
) -> SignedIn:
    """Write a new password, end all sessions of the viewer, and begin another one.

    Raises:
        Rejected: the token may not, or the user was deleted, or the password changed, meanwhile.
    """
    require(scope.viewer, Action.MANAGE_ACCOUNT, verified.user_id)
    repository = AccountWriteRepository(scope)
    user = await _lock(repository, verified)
    await repository.set_password(user.id, new_hash)
    await repository.delete_sessions_of(user.id)
    return await begin_session(scope, accounts, client, user)
