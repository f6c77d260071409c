"""`gqlapi user`, `gqlapi token` and `gqlapi prune`."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.accounts.api_tokens import create_api_token
from gqlapi.accounts.passwords import Passwords, check_password
from gqlapi.accounts.registration import Registration, register
from gqlapi.cli.base import cli, console, fail, load_settings, run
from gqlapi.database.types import utc_now
from gqlapi.database.unit import create_database
from gqlapi.models import ApiScope, AuditKind, User, UserRole, Viewer
from gqlapi.problems import Rejected, reject_if_any
from gqlapi.pruning import prune, retention_of
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import AccountWriteRepository
from gqlapi.repositories.audit import record
from gqlapi.repositories.user_writes import UserWriteRepository
from gqlapi.settings import Settings
from gqlapi.words import fold

T = TypeVar("T")

user_cli = typer.Typer(help="Users.", no_args_is_help=True)
token_cli = typer.Typer(help="API tokens.", no_args_is_help=True)
cli.add_typer(user_cli, name="user")
cli.add_typer(token_cli, name="token")


@user_cli.callback()
def _users() -> None:
    """Create and change users."""


@token_cli.callback()
def _tokens() -> None:
    """Create API tokens."""


@user_cli.command("create-admin")
def create_admin(
    *,
    username: Annotated[str, typer.Option(prompt="User name", help="The unique name.")],
    email: Annotated[str | None, typer.Option(help="The e-mail address; asked for when it is needed.")] = None,
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
    promote: Annotated[bool, typer.Option(help="Make an existing user an admin instead.")] = False,
) -> None:
    """Create the first admin, who can make others in the API."""
    settings = load_settings()
    if promote:
        has_password = _transact(settings, lambda scope: _promote(scope, username))
        hint = "" if has_password else f", and needs a password: gqlapi user set-password {username}"
        console.print(f"{username} is an admin{hint or '.'}", markup=False, highlight=False, soft_wrap=True)
        return
    email = email or typer.prompt("E-mail address")
    registration = Registration(username, email, _read_password(from_stdin=password_stdin))
    _create_admin(settings, registration)
    console.print(f"The admin {username} can sign in.", markup=False)


@user_cli.command("set-password")
def set_password(
    username: Annotated[str, typer.Argument(help="Whose password it is.")],
    *,
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
) -> None:
    """Set the password of a user, who may have none yet, and end their sessions."""
    settings = load_settings()
    password = _read_password(from_stdin=password_stdin)
    with _failing_when_rejected():
        reject_if_any(check_password(password, ("password",)))
    password_hash = run(Passwords().hash(password))

    async def body(scope: WriteScope) -> None:
        user = await _get_user(scope, username)
        repository = AccountWriteRepository(scope)
        await repository.set_password(user.id, password_hash)
        await repository.delete_sessions_of(user.id)
        await record(scope, AuditKind.PASSWORD_CHANGED, user.id)

    _transact(settings, body)
    console.print(f"{username} can sign in with the new password.", markup=False, highlight=False, soft_wrap=True)


@token_cli.command("create")
def create_token(
    username: Annotated[str, typer.Argument(help="Whose token it is: it may do what they may.")],
    name: Annotated[str, typer.Option(help="What the token is for.")],
    scope: Annotated[
        list[ApiScope], typer.Option(help="What it may be used for; can be given several times.", case_sensitive=False)
    ],
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="When it expires; by default never.")
    ] = None,
) -> None:
    """Create an API token and print its secret, once."""
    expires_at = None if expires_in_days is None else utc_now() + timedelta(days=expires_in_days)

    async def body(writes: WriteScope) -> str:
        user = await _get_user(writes, username)
        own = WriteScope(writes.session, Viewer(user.id, user.role))
        _, secret = await create_api_token(own, name=name, scopes=scope, expires_at=expires_at)
        return secret

    typer.echo(_transact(load_settings(), body))


@cli.command("prune")
def prune_command() -> None:
    """Delete expired sessions and tokens, and old idempotency keys, changes, audit events, counts and deleted posts."""
    settings = load_settings()

    async def work() -> None:
        database = create_database(settings)
        try:
            pruned = await prune(database, retention_of(settings))
        finally:
            await database.dispose()
        for kind, count in pruned.items():
            console.print(f"{kind}: {count}", highlight=False)

    run(work())


def _transact(settings: Settings, body: Callable[[WriteScope], Awaitable[T]]) -> T:
    """Run one transaction; what it rejects ends the program, with a line for each problem."""

    async def work() -> T:
        database = create_database(settings)

        async def transaction(session: AsyncSession) -> T:
            return await body(WriteScope(session))

        try:
            return await database.transact(transaction)
        finally:
            await database.dispose()

    with _failing_when_rejected():
        return run(work())


@contextmanager
def _failing_when_rejected() -> Iterator[None]:
    try:
        yield
    except Rejected as rejected:
        fail(*(f"{'.'.join(problem.path or ())} {problem.message}".strip() for problem in rejected.problems))


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _create_admin(settings: Settings, registration: Registration) -> None:
    # Both before the transaction: while one hashes, no other process could write to SQLite.
    with _failing_when_rejected():
        registration.check()
    password_hash = run(Passwords().hash(registration.password))

    async def body(scope: WriteScope) -> None:
        user = registration.to_user(UserRole.ADMIN)
        await register(scope, user, password_hash)
        await record(scope, AuditKind.SIGNED_UP, user.id, role=user.role.value)

    _transact(settings, body)


async def _promote(scope: WriteScope, username: str) -> bool:
    """Promote a user to admin; return whether they have a password."""
    user = await _get_user(scope, username)
    await record(scope, AuditKind.ROLE_CHANGED, user.id, before=user.role.value, after=UserRole.ADMIN.value)
    user.role = UserRole.ADMIN
    await UserWriteRepository(scope).update(user)
    return await AccountWriteRepository(scope).get_password_time(user.id) is not None


async def _get_user(scope: WriteScope, username: str) -> User:
    """Load a user, lock the row, and end the program when there is none."""
    user = await UserWriteRepository(scope).get_by_username_key(fold(username))
    if user is None:
        fail(f"There is no user {username}.")
    return user
