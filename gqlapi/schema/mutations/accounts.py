"""Mutations of the viewer's own account."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from gqlapi.accounts import api_tokens, sessions
from gqlapi.accounts.passwords import check_password
from gqlapi.accounts.policy import Action, require
from gqlapi.accounts.registration import Registration, register
from gqlapi.accounts.sessions import SignedIn
from gqlapi.accounts.tokens import hash_secret
from gqlapi.execution.declarations import FieldRules
from gqlapi.models import ApiScope, AuditKind
from gqlapi.problems import reject_if_any
from gqlapi.repositories import WriteScope
from gqlapi.schema.fields import Info
from gqlapi.schema.mutations.base import INPUT, DeletePayload, Payload, given_id, mutation
from gqlapi.schema.mutations.proofs import verify_current_password, verify_login
from gqlapi.schema.pricing import PASSWORD_COST, WRITE_COST
from gqlapi.schema.types import ApiToken, User

ONE_PASSWORD = FieldRules(surcharge=lambda _: WRITE_COST + PASSWORD_COST)
PASSWORD = "The new password: 8 to 200 characters that can be typed, and not one that many people use."  # noqa: S105 - a description


@strawberry.input(description="A new user.")
class SignUpInput:
    """A new user."""

    username: str = strawberry.field(
        description="The unique name: letters and digits, with `_`, `-` and `.` between; at most 64 characters. Stored "
        "in lower case. INVALID if it is reserved, NOT_UNIQUE if another user has it or one that looks the same."
    )
    email: str = strawberry.field(description="The e-mail address, shown only to the user and admins.")
    password: str = strawberry.field(description=PASSWORD)
    display_name: str | None = strawberry.field(
        default=None, description="The name to show, one line of at most 100 characters; the user name when left out."
    )


@strawberry.input(description="What a user signs in with.")
class SignInInput:
    """What a user signs in with."""

    login: str = strawberry.field(description="The user name or the e-mail address, without regard to case.")
    password: str = strawberry.field(description="The password.")


@strawberry.input(description="The session to refresh.")
class RefreshSessionInput:
    """The session to refresh."""

    refresh_token: str = strawberry.field(description="The newest refresh token of the session; it can be used once.")


@strawberry.input(description="Input for `signOut`.")
class SignOutInput:
    """Input for `signOut`."""

    everywhere: bool = strawberry.field(
        default=False, description="End all sessions of the viewer, not only the current one."
    )


@strawberry.input(description="A new password.")
class ChangePasswordInput:
    """A new password."""

    current_password: str = strawberry.field(description="The password until now.")
    new_password: str = strawberry.field(description=PASSWORD)
    revoke_api_tokens: bool = strawberry.field(
        default=False, description="Revoke all API tokens of the viewer as well, because others may have them."
    )


@strawberry.input(description="An API token.")
class CreateApiTokenInput:
    """An API token."""

    name: str = strawberry.field(description="What the token is for, at most 100 characters.")
    scopes: list[ApiScope] = strawberry.field(description="What it may be used for; at least one.")
    expires_at: datetime | None = strawberry.field(default=None, description="When it expires; never if omitted.")


@strawberry.input(description="A token to be revoked.")
class RevokeApiTokenInput:
    """A token to be revoked."""

    id: strawberry.ID = strawberry.field(description="The id of the token.")


@strawberry.type(description="A new or refreshed session.")
class SessionPayload(Payload):
    """A new or refreshed session; in Python the user is a record."""

    user: User | None = strawberry.field(default=None, description="The user who is signed in; null on failure.")
    access_token: str | None = strawberry.field(
        default=None, description="To be sent as `Authorization: Bearer …` with each request."
    )
    access_token_expires_at: datetime | None = strawberry.field(
        default=None, description="When the access token expires; refresh the session before."
    )
    refresh_token: str | None = strawberry.field(
        default=None, description="To be exchanged once, with `refreshSession`, for the next pair of tokens."
    )


@strawberry.type(description="An API token.")
class ApiTokenPayload(Payload):
    """An API token; in Python it is a record."""

    api_token: ApiToken | None = strawberry.field(default=None, description="The token; null when there is none.")
    secret: str | None = strawberry.field(
        default=None, description="To be sent as `Authorization: Bearer …`. Shown this once and stored nowhere."
    )


@strawberry.type(description="The end of a session.")
class SignOutPayload(Payload):
    """The end of a session."""

    signed_out: bool = strawberry.field(default=False, description="Whether a session ended.")


async def _answer(info: Info, signed_in: SignedIn) -> SessionPayload:
    """Read the user as they see themselves."""
    info.context.act_as(signed_in.viewer)
    assert signed_in.viewer.id is not None  # noqa: S101 - of a user
    user: Any
    (user,) = await info.context.repositories.users.list_by_ids([signed_in.viewer.id])
    return SessionPayload(
        errors=[],
        user=user,
        access_token=signed_in.access_token,
        access_token_expires_at=signed_in.access_token_expires_at,
        refresh_token=signed_in.refresh_token,
    )


@strawberry.type
class AccountMutations:
    """Mutations of the viewer's own account. Passwords are hashed while no connection is held."""

    @mutation(
        SessionPayload,
        description=f"Create an account with the READER role and sign in. Costs {PASSWORD_COST:,} points.",
        rules=ONE_PASSWORD,
        runs_alone=True,
    )
    async def sign_up(self, info: Info, given: Annotated[SignUpInput, INPUT]) -> SessionPayload | None:
        context, accounts = info.context, info.context.accounts
        registration = Registration(given.username, given.email, given.password, given.display_name)
        registration.check(accounts.reserved_names)
        await accounts.throttle.sign_up(context.client.address)
        password_hash = await accounts.passwords.hash(given.password)

        async def body(scope: WriteScope) -> SignedIn:
            user = registration.to_user()
            await register(scope, user, password_hash)
            return await sessions.begin_session(scope, accounts, context.client, user, because=AuditKind.SIGNED_UP)

        return await _answer(info, await context.mutate(body))

    @mutation(
        SessionPayload,
        description="Sign in and start a session. The error does not reveal whether the login or the password was "
        f"wrong. Costs {PASSWORD_COST:,} points.",
        rules=ONE_PASSWORD,
        runs_alone=True,
    )
    async def sign_in(self, info: Info, given: Annotated[SignInInput, INPUT]) -> SessionPayload | None:
        context, accounts = info.context, info.context.accounts
        verified = await verify_login(context, given.login, given.password)
        new_hash = await accounts.passwords.renew(verified.password_hash, given.password)

        async def body(scope: WriteScope) -> SignedIn:
            return await sessions.sign_in(scope, accounts, context.client, verified, new_hash=new_hash)

        return await _answer(info, await context.mutate(body))

    @mutation(
        SessionPayload,
        description="Exchange a refresh token for new tokens. Within 10 seconds it can be exchanged again, because an "
        "answer may be lost; only one of the tokens that it was exchanged for can be used. A later second use, or the "
        "use of two of them, ends the session, because a token must have been stolen.",
        runs_alone=True,
    )
    async def refresh_session(self, info: Info, given: Annotated[RefreshSessionInput, INPUT]) -> SessionPayload | None:
        context, accounts = info.context, info.context.accounts
        await accounts.throttle.refresh(context.client.address)
        # Read first: a made-up token begins no transaction that writes.
        if not await context.repositories.credentials.has_refresh_token(hash_secret(given.refresh_token)):
            raise sessions.session_ended()

        async def body(scope: WriteScope) -> SignedIn | None:
            return await sessions.refresh_session(scope, accounts, given.refresh_token)

        signed_in = await context.mutate(body)
        if signed_in is None:
            raise sessions.session_ended()
        return await _answer(info, signed_in)

    @mutation(SignOutPayload, description="End the current session, or all sessions of the viewer.", runs_alone=True)
    async def sign_out(self, info: Info, given: Annotated[SignOutInput, INPUT]) -> SignOutPayload | None:
        async def body(scope: WriteScope) -> bool:
            return await sessions.sign_out(scope, everywhere=given.everywhere)

        return SignOutPayload(errors=[], signed_out=await info.context.mutate(body))

    @mutation(
        SessionPayload,
        description="Change the password. All sessions end, and a new one begins; API tokens stay unless "
        "`revokeApiTokens` is set.",
        rules=FieldRules(surcharge=lambda _: WRITE_COST + 2 * PASSWORD_COST),
        runs_alone=True,
    )
    async def change_password(self, info: Info, given: Annotated[ChangePasswordInput, INPUT]) -> SessionPayload | None:
        context, accounts = info.context, info.context.accounts
        viewer_id = context.viewer.id
        require(context.viewer, Action.MANAGE_ACCOUNT, viewer_id)
        assert viewer_id is not None  # noqa: S101 - the policy requires a viewer
        reject_if_any(check_password(given.new_password, ("newPassword",)))
        verified = await verify_current_password(context, viewer_id, given.current_password)
        new_hash = await accounts.passwords.hash(given.new_password)

        async def body(scope: WriteScope) -> SignedIn:
            return await sessions.change_password(
                scope, accounts, context.client, verified, new_hash, revoke_api_tokens=given.revoke_api_tokens
            )

        return await _answer(info, await context.mutate(body))

    @mutation(
        ApiTokenPayload,
        description="Create an API token with the given scopes. API tokens cannot create other tokens.",
    )
    async def create_api_token(
        self, info: Info, given: Annotated[CreateApiTokenInput, INPUT]
    ) -> ApiTokenPayload | None:
        viewer = info.context.viewer
        require(viewer, Action.CREATE_TOKEN, viewer.id)

        async def body(scope: WriteScope) -> tuple[UUID, str]:
            return await api_tokens.create_api_token(
                scope, name=given.name, scopes=given.scopes, expires_at=given.expires_at
            )

        id_, secret = await info.context.mutate(body)
        (api_token,) = await info.context.repositories.api_tokens.list_by_ids([id_])
        return ApiTokenPayload(errors=[], api_token=api_token, secret=secret)

    @mutation(DeletePayload, description="Revoke a token of the viewer's; it is refused from now on.")
    async def revoke_api_token(self, info: Info, given: Annotated[RevokeApiTokenInput, INPUT]) -> DeletePayload | None:
        viewer = info.context.viewer
        require(viewer, Action.MANAGE_ACCOUNT, viewer.id)
        id_: UUID = given_id("ApiToken", given.id)
        await info.context.mutate(lambda scope: api_tokens.revoke_api_token(scope, id_))
        return DeletePayload(errors=[], deleted_id=given.id)
