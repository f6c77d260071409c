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


async def verify(accounts: Accounts, credential: Credential | None, password: str) -> None:
    """Compare a password, in the same time whether or not there is a user.

    Raises:
        Rejected: there is no user, or another password.
    """
    password_hash = None if credential is None else credential.password_hash
    if not await accounts.passwords.verify(password_hash, password):
        raise wrong_credentials()


async def begin_session(scope: WriteScope, accounts: Accounts, client: Client, user_id: UUID) -> SignedIn:
    """Begin a session of a user whose password was verified.

    Raises:
        Rejected: the user was deleted meanwhile.
    """
    repository = AccountWriteRepository(scope)
    user = await repository.get_live_user(user_id)
    if user is None:
        raise wrong_credentials()
    await repository.delete_expired()
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
    user = await repository.get_live_user(session.user_id)
    if user is None or token.expires_at <= scope.now:
        return None
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


async def change_password(scope: WriteScope, accounts: Accounts, client: Client, password_hash: str) -> SignedIn:
    """Write a new password, end all sessions of the viewer, and begin another one.

    Raises:
        Rejected: nobody is signed in, or the token may not.
    """
    viewer = scope.viewer
    require(viewer, Action.MANAGE_ACCOUNT, viewer.id)
    assert viewer.id is not None  # noqa: S101 - the policy lets nobody else pass
    repository = AccountWriteRepository(scope)
    if await repository.get_live_user(viewer.id) is None:
        raise wrong_credentials()
    await repository.set_password(viewer.id, password_hash)
    await repository.delete_sessions_of(viewer.id)
    return await begin_session(scope, accounts, client, viewer.id)
