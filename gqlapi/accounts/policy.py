"""Who may do what: one table, which the mutations, the API's `viewerCan…` fields and the docs read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from gqlapi.models import ApiScope, UserRole, Viewer
from gqlapi.problems import ForbiddenProblem, ProblemCode, Rejected


class Action(StrEnum):
    """What can be done."""

    CREATE_POST = "create a post"
    CHANGE_POST = "change, publish, archive, delete or restore a post"
    CREATE_TAG = "create a tag by naming it in a post"
    CHANGE_TAG = "create, change, delete or merge tags"
    CREATE_USER = "create a user"
    CHANGE_USER = "change or delete a user"
    READ_EMAIL = "read an e-mail address"
    READ_ROLE = "read a role, and see users who have not published"
    SET_ROLE = "set the role of a user"
    CREATE_TOKEN = "create an API token"  # noqa: S105 - no secret
    MANAGE_ACCOUNT = "change a password, end sessions, revoke API tokens"


@dataclass(frozen=True, slots=True)
class Rule:
    """The roles that may do it to everything, those that may do it to their own, and the scope that a token needs.

    Without a scope no token may, only a person who has signed in.
    """

    any: frozenset[UserRole]
    own: frozenset[UserRole]
    scope: ApiScope | None


NO_ROLE: frozenset[UserRole] = frozenset()
EVERYBODY = frozenset(UserRole)
AUTHORS = frozenset({UserRole.AUTHOR, UserRole.EDITOR, UserRole.ADMIN})
EDITORS = frozenset({UserRole.EDITOR, UserRole.ADMIN})
ADMINS = frozenset({UserRole.ADMIN})

POLICY: Mapping[Action, Rule] = {
    Action.CREATE_POST: Rule(any=EDITORS, own=AUTHORS, scope=ApiScope.WRITE_POSTS),
    Action.CHANGE_POST: Rule(any=EDITORS, own=AUTHORS, scope=ApiScope.WRITE_POSTS),
    Action.CREATE_TAG: Rule(any=AUTHORS, own=AUTHORS, scope=ApiScope.WRITE_POSTS),
    Action.CHANGE_TAG: Rule(any=EDITORS, own=EDITORS, scope=ApiScope.WRITE_TAGS),
    Action.CREATE_USER: Rule(any=ADMINS, own=ADMINS, scope=None),
    Action.CHANGE_USER: Rule(any=ADMINS, own=EVERYBODY, scope=ApiScope.ADMIN),
    Action.READ_EMAIL: Rule(any=ADMINS, own=EVERYBODY, scope=ApiScope.READ),
    Action.READ_ROLE: Rule(any=EDITORS, own=EVERYBODY, scope=ApiScope.READ),
    Action.SET_ROLE: Rule(any=ADMINS, own=ADMINS, scope=None),
    Action.CREATE_TOKEN: Rule(any=NO_ROLE, own=EVERYBODY, scope=None),
    Action.MANAGE_ACCOUNT: Rule(any=NO_ROLE, own=EVERYBODY, scope=ApiScope.ADMIN),
}


def objection(viewer: Viewer, action: Action, owner_id: UUID | None = None) -> ForbiddenProblem | None:
    """Return why the viewer may not do this to what `owner_id` owns, or None if they may.

    The scope is asked for last: the error does not reveal that another token would do.
    """
    rule = POLICY[action]
    if viewer.id is None:
        return ForbiddenProblem(code=ProblemCode.UNAUTHENTICATED, message="Sign in first.")
    if viewer.role not in (rule.any | rule.own if viewer.id == owner_id else rule.any):
        return ForbiddenProblem(message=f"You may not {action}.")
    if rule.scope is None:
        # A role or a token that a token gave could outlive it.
        return None if viewer.scopes is None else ForbiddenProblem(message=f"Sign in: no token may {action}.")
    if not viewer.has_scope(rule.scope):
        message = f"The token lacks the scope {rule.scope.name}."
        return ForbiddenProblem(message=message, required_scope=rule.scope)
    return None


def may(viewer: Viewer, action: Action, owner_id: UUID | None = None) -> bool:
    """Return whether the viewer may do this to what `owner_id` owns."""
    return objection(viewer, action, owner_id) is None


def require(viewer: Viewer, action: Action, owner_id: UUID | None = None) -> None:
    """Raise unless the viewer may do this.

    Raises:
        Rejected: they may not.
    """
    if (problem := objection(viewer, action, owner_id)) is not None:
        raise Rejected(problem)
