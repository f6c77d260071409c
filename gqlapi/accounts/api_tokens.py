"""API tokens: long-lived, with scopes, for programs."""

from collections.abc import Collection, Iterator
from datetime import datetime
from uuid import UUID

from gqlapi.accounts.policy import Action, require
from gqlapi.accounts.tokens import API_TOKEN_PREFIX, hash_secret, new_secret
from gqlapi.checks import check_line, invalid, not_found, required
from gqlapi.models import ApiScope, ApiToken, GlobalId, new_id
from gqlapi.problems import ForbiddenProblem, Problem, ProblemCode, Rejected, ValidationProblem, reject_if_any
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import MAX_LISTED, AccountWriteRepository

MAX_NAME_LENGTH = 100


async def create_api_token(
    scope: WriteScope, *, name: str, scopes: Collection[ApiScope], expires_at: datetime | None
) -> tuple[UUID, str]:
    """Make a token of the viewer's; return its key, and the secret, which is stored nowhere.

    Raises:
        Rejected: a value is wrong, there are too many, or the viewer may not.
    """
    viewer = scope.viewer
    require(viewer, Action.MANAGE_ACCOUNT, viewer.id)
    assert viewer.id is not None  # noqa: S101 - the policy lets nobody else pass
    reject_if_any(_check(name, scopes, expires_at, scope.now))
    for api_scope in sorted(scopes):
        if not viewer.has_scope(api_scope):  # else a token could make a stronger one
            message = f"A token without the scope {api_scope.name} cannot hand it out."
            raise Rejected(ForbiddenProblem(message=message, path=("scopes",), required_scope=api_scope))
    repository = AccountWriteRepository(scope)
    # Locked: two at once are counted one after the other.
    if await repository.lock_live_user(viewer.id) is None:
        raise Rejected(ForbiddenProblem(code=ProblemCode.UNAUTHENTICATED, message="This user was just deleted."))
    if await repository.count_api_tokens(viewer.id) >= MAX_LISTED:
        message = f"A user has at most {MAX_LISTED} tokens."
        raise Rejected(ValidationProblem(code=ProblemCode.TOO_MANY, message=message))
    secret = new_secret(API_TOKEN_PREFIX)
    token = ApiToken(
        id=new_id(),
        user_id=viewer.id,
        hash=hash_secret(secret),
        name=name.strip(),
        scopes=frozenset(scopes),
        created_at=scope.now,
        expires_at=expires_at,
    )
    await repository.add(token)
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
    assert viewer.id is not None  # noqa: S101 - the policy lets nobody else pass
    if not await AccountWriteRepository(scope).delete_api_token(id_, viewer.id):
        raise not_found("ApiToken", GlobalId("ApiToken", id_).encode())
