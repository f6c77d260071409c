"""Checks of passwords by mutations: limited, in equal time, without a connection, with failures in the audit trail."""

from uuid import UUID

from gqlapi.accounts import sessions
from gqlapi.accounts.registration import login_key
from gqlapi.accounts.sessions import Verified
from gqlapi.checks import invalid
from gqlapi.context import Context
from gqlapi.models import AuditKind
from gqlapi.problems import Path, Rejected
from gqlapi.repositories.audit import record


async def verify_login(context: Context, login: str, password: str) -> Verified:
    """Verify a login and its password.

    Raises:
        Rejected: there is no such user, the password is wrong, or there were too many attempts.
    """
    accounts, address, key = context.accounts, context.client.address, login_key(login)
    await accounts.throttle.sign_in(address, key)
    found = await context.repositories.credentials.get_by_login(key)
    await context.release()
    user_id = None if found is None else found.user_id
    is_exhausted = user_id is not None and await accounts.throttle.is_exhausted(address, user_id)
    try:
        verified = await sessions.verify(accounts, None if is_exhausted else found, password)
    except Rejected:
        await context.mutate(lambda scope: record(scope, AuditKind.SIGN_IN_FAILED, user_id))
        raise
    await accounts.throttle.succeeded(address, verified.user_id, key)
    return verified


async def verify_current_password(
    context: Context, viewer_id: UUID, password: str, path: Path = ("currentPassword",)
) -> Verified:
    """Verify the password of the viewer, who is signed in.

    Raises:
        Rejected: it is wrong, or there were too many attempts.
    """
    accounts, address = context.accounts, context.client.address
    await accounts.throttle.password(address, viewer_id)
    credential = await context.repositories.credentials.get_by_user_id(viewer_id)
    await context.release()
    try:
        verified = await sessions.verify(accounts, credential, password)
    except Rejected:
        await context.mutate(lambda scope: record(scope, AuditKind.PASSWORD_FAILED, viewer_id))
        raise Rejected(invalid(path, "The password is wrong.")) from None
    await accounts.throttle.succeeded(address, viewer_id)
    return verified
