"""API tokens: long-lived, with scopes, for programs."""

from collections.abc import Collection, Iterator
from datetime import datetime
from uuid import UUID

from gqlapi.accounts.policy import Action, require
from gqlapi.accounts.tokens import API_TOKEN_PREFIX, hash_secret, new_secret
from gqlapi.checks import check_line, invalid, not_found, required, too_many
from gqlapi.lines import normalize_line
from gqlapi.models import ApiScope, ApiToken, AuditKind, GlobalId, new_id
from gqlapi.problems import ForbiddenProblem, Problem, ProblemCode, Rejected, reject_if_any
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import MAX_LISTED, AccountWriteRepository
from gqlapi.repositories.audit import record
from gqlapi.repositories.viewers import reload_viewer

MAX_NAME_LENGTH = 100


async def create_api_token(
    scope: WriteScope, *, name: str, scopes: Collection[ApiScope], expires_at: datetime | None
) -> tuple[UUID, str]:
    """Create a token of the viewer's; return its key, and the secret, which is stored nowhere.

    Raises:
        Rejected: a value is wrong, there are too many, or the viewer may not.
    """
    viewer = scope.viewer
    require(viewer, Action.CREATE_TOKEN, viewer.id)
    assert viewer.id is not None  # noqa: S101 - the policy requires a viewer
    reject_if_any(_check(name, scopes, expires_at, scope.now))
    repository = AccountWriteRepository(scope)
    # Locked: two at once are counted one after the other.
    user = await repository.lock_live_user(viewer.id)
    # Read again behind the lock: a new password, which ends the session, waits for it or has just given it back.
    if user is None or await reload_viewer(scope) is None:
        raise Rejected(ForbiddenProblem(code=ProblemCode.UNAUTHENTICATED, message="The session has ended."))
    if await repository.count_api_tokens(viewer.id) >= MAX_LISTED:
        raise Rejected(too_many(None, MAX_LISTED, f"A user has at most {MAX_LISTED} tokens."))
    secret = new_secret(API_TOKEN_PREFIX)
    token = ApiToken(
        id=new_id(),
        user_id=viewer.id,
        hash=hash_secret(secret),
        name=normalize_line(name),
        scopes=frozenset(scopes),
        created_at=scope.now,
        expires_at=expires_at,
    )
    await repository.add(token)
    await record(scope, AuditKind.TOKEN_CREATED, viewer.id, token=str(token.id), scopes=sorted(scopes))
    return token.id, secret


def _check(name: str, scopes: Collection[ApiScope], expires_at: datetime | None, now: datetime) -> Iterator[Problem]:
    yield from check_line(name, ("name",), MAX_NAME_LENGTH, 10 * MAX_NAME_LENGTH)
    if not scopes:
        yield required(("scopes",), "Give at least one scope.")
    if expires_at is not None and expires_at <= now:
        yield invalid(("expiresAt",), "This time has passed.")


async def revoke_api_token(scope: WriteScope, id_: UUID) -> None:
    """Revoke a token of the viewer's.

    Raises:
        Rejected: the viewer has no such token, or may not.
    """
    viewer = scope.viewer
    require(viewer, Action.MANAGE_ACCOUNT, viewer.id)
    assert viewer.id is not None  # noqa: S101 - the policy requires a viewer
    if not await AccountWriteRepository(scope).delete_api_token(id_, viewer.id):
        raise not_found("ApiToken", GlobalId("ApiToken", id_).encode())
    await record(scope, AuditKind.TOKEN_REVOKED, viewer.id, token=str(id_))
