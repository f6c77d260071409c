"""The author of a post that somebody writes for another user."""

from dataclasses import dataclass
from uuid import UUID

from gqlapi.accounts.policy import AUTHORS, Action, require
from gqlapi.checks import invalid
from gqlapi.models import GlobalId
from gqlapi.problems import NotFoundProblem, Path, Rejected
from gqlapi.repositories import WriteScope
from gqlapi.repositories.user_writes import UserWriteRepository

AUTHOR_PATH: Path = ("author",)


@dataclass(frozen=True, slots=True)
class AuthorRef:
    """A user by one of their keys; the name is folded."""

    id: UUID | None = None
    username_key: str | None = None


async def find_author(scope: WriteScope, ref: AuthorRef) -> UUID:
    """Return the key of a user for whom the viewer may write posts, and lock the row; one statement.

    Raises:
        Rejected: there is no such user, they may not write posts, or the viewer may not write for them.
    """
    repository = UserWriteRepository(scope)
    if ref.id is not None:
        user = await repository.get_for_update(ref.id)
    else:
        user = await repository.get_by_username_key(ref.username_key or "")
    # Only those who may write for everybody learn which users exist.
    if user is None or user.id != scope.viewer.id:
        require(scope.viewer, Action.CREATE_POST)
    if user is None:
        given = GlobalId("User", ref.id).encode() if ref.id else None
        raise Rejected(NotFoundProblem(message="There is no such user.", path=AUTHOR_PATH, id=given))
    if user.role not in AUTHORS:
        raise Rejected(invalid(AUTHOR_PATH, "This user may not write posts."))
    return user.id
