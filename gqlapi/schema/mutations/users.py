"""Mutations of users."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import strawberry

from gqlapi import models
from gqlapi.accounts import users
from gqlapi.accounts.policy import Action, require
from gqlapi.accounts.registration import Registration
from gqlapi.accounts.users import UserPatch
from gqlapi.checks import required
from gqlapi.execution.declarations import FieldRules
from gqlapi.idempotency import Outcome
from gqlapi.models import Viewer
from gqlapi.problems import Rejected
from gqlapi.repositories import WriteScope
from gqlapi.schema.enums import UserRole
from gqlapi.schema.fields import Info
from gqlapi.schema.mutations.accounts import SignUpInput
from gqlapi.schema.mutations.base import (
    EXPECTED_VERSION,
    IDEMPOTENCY_KEY,
    INPUT,
    DeletePayload,
    Payload,
    carry_out,
    given_id,
    mutation,
)
from gqlapi.schema.mutations.normal_forms import nickname, normal
from gqlapi.schema.mutations.proofs import verify_current_password
from gqlapi.schema.pricing import PASSWORD_COST, WRITE_COST
from gqlapi.schema.types import User

USER_ID = "The id of the user."


@strawberry.input(name="UserPatch", description="What changes of a profile; what is left out stays as it is.")
class UserPatchInput:
    """What changes of a profile."""

    display_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The name to show, one line of 1 to 100 characters.",
        metadata=normal(nickname),
    )
    bio: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What the user says about themselves, at most 2,000 characters; null clears it.",
    )
    avatar_url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The http or https URL of a picture, without credentials and quotes; null clears it.",
    )


@strawberry.input(description="A change of a profile.")
class UpdateUserInput:
    """A change of a profile."""

    id: strawberry.ID = strawberry.field(description=USER_ID)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    patch: UserPatchInput = strawberry.field(description="What changes.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="A new user, created by an admin.")
class CreateUserInput(SignUpInput):
    """A new user, created by an admin."""

    role: UserRole = strawberry.field(default=UserRole.READER, description="What the user may do.")


@strawberry.input(description="What a user may do from now on.")
class SetUserRoleInput:
    """What a user may do from now on."""

    id: strawberry.ID = strawberry.field(description=USER_ID)
    role: UserRole = strawberry.field(description="The new role.")
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.input(description="A user to be deleted.")
class DeleteUserInput:
    """A user to be deleted."""

    id: strawberry.ID = strawberry.field(description=USER_ID)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    current_password: str | None = strawberry.field(
        default=None, description="The viewer's password; required to delete oneself, ignored otherwise."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=IDEMPOTENCY_KEY)


@strawberry.type(description="The result of a user mutation.")
class UserPayload(Payload):
    """The result of a user mutation; in Python it is a record."""

    user: User | None = strawberry.field(default=None, description="The current user; null if nothing was written.")


async def _answer(info: Info, id_: UUID) -> UserPayload:
    user: Any
    (user,) = await info.context.repositories.users.list_by_ids([id_])
    return UserPayload(errors=[], user=user)


def _to_patch(given: UserPatchInput) -> UserPatch:
    values = {name: getattr(given, name) for name in ("display_name", "bio", "avatar_url")}
    return UserPatch({name: value for name, value in values.items() if value is not strawberry.UNSET})


def _permitted_id(viewer: Viewer, action: Action, text: str) -> UUID:
    """Decode the id of a user to whom the viewer may do this; a missing permission is reported before other errors.

    Raises:
        Rejected: they may not, or it is no such id.
    """
    try:
        id_: UUID = given_id("User", text)
    except Rejected:
        require(viewer, action, viewer.id)
        raise
    require(viewer, action, id_)
    return id_


@strawberry.type
class UserMutations:
    """Mutations of users."""

    @mutation(
        UserPayload,
        description=f"Create a user with a password and a role, for admins who have signed in. Costs {PASSWORD_COST:,} "
        "points. With `@atomic`, a user and a first post of theirs are created together.",
        rules=FieldRules(surcharge=lambda _: WRITE_COST + PASSWORD_COST),
    )
    async def create_user(self, info: Info, given: Annotated[CreateUserInput, INPUT]) -> UserPayload | None:
        context = info.context
        require(context.viewer, Action.CREATE_USER)
        registration = Registration(given.username, given.email, given.password, given.display_name)
        registration.check(context.accounts.reserved_names)
        password_hash = await context.accounts.passwords.hash(given.password)
        id_ = await context.mutate(lambda scope: users.create_user(scope, registration, password_hash, given.role))
        return await _answer(info, id_)

    @mutation(
        UserPayload, description="Change a profile. Leave out what stays as it is; an empty patch writes nothing."
    )
    async def update_user(self, info: Info, given: Annotated[UpdateUserInput, INPUT]) -> UserPayload | None:
        id_ = _permitted_id(info.context.viewer, Action.CHANGE_USER, given.id)
        patch = _to_patch(given.patch)
        patch.check()

        async def body(scope: WriteScope) -> Outcome:
            await users.update_user(scope, id_, given.expected_version, patch)
            return Outcome(id_)

        await carry_out(info, given, body, shows=models.User)
        return await _answer(info, id_)

    @mutation(
        UserPayload,
        description="Change what a user may do. For admins who have signed in, not for API tokens. The only admin "
        "stays one.",
    )
    async def set_user_role(self, info: Info, given: Annotated[SetUserRoleInput, INPUT]) -> UserPayload | None:
        id_ = _permitted_id(info.context.viewer, Action.SET_ROLE, given.id)

        async def body(scope: WriteScope) -> Outcome:
            await users.set_user_role(scope, id_, given.role)
            return Outcome(id_)

        await carry_out(info, given, body, shows=models.User)
        return await _answer(info, id_)

    @mutation(
        DeletePayload,
        description="Delete a user. Their posts stay, under a placeholder name; the user name and the e-mail address "
        "are free again. It cannot be undone. Deleting oneself takes the password; the only admin cannot be deleted. "
        f"Costs {PASSWORD_COST:,} points.",
        rules=FieldRules(surcharge=lambda _: WRITE_COST + PASSWORD_COST),
        runs_alone=True,
    )
    async def delete_user(self, info: Info, given: Annotated[DeleteUserInput, INPUT]) -> DeletePayload | None:
        context, id_ = info.context, _permitted_id(info.context.viewer, Action.CHANGE_USER, given.id)
        if id_ == context.viewer.id:
            if not given.current_password:
                raise Rejected(required(("currentPassword",), "Give your password to delete yourself."))
            await verify_current_password(context, id_, given.current_password)

        async def body(scope: WriteScope) -> Outcome:
            await users.delete_user(scope, id_, given.expected_version)
            return Outcome(id_)

        # Without the password, of which no fast hash may be kept.
        await carry_out(info, replace(given, current_password=None), body)
        return DeletePayload(errors=[], deleted_id=given.id)
