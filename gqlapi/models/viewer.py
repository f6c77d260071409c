"""The viewer: the user on whose behalf an operation runs."""

from dataclasses import dataclass, field
from uuid import UUID

from gqlapi.models.account import ApiScope
from gqlapi.models.user import UserRole


@dataclass(frozen=True, slots=True)
class Viewer:
    """The user on whose behalf an operation runs; anonymous if `id` is None.

    `session_id` is that of a signed-in person, `token_id` and `scopes` are those of an API token; without a token
    nothing is out of scope. `position` is how far PostgreSQL had written when the session or token last wrote; 0 where
    there are no replicas.
    """

    id: UUID | None = None
    role: UserRole = UserRole.READER
    session_id: UUID | None = None
    token_id: UUID | None = None
    scopes: frozenset[ApiScope] | None = None
    position: int = field(default=0, compare=False)

    @property
    def sees_everything(self) -> bool:
        """Editors and admins read every post that is not deleted."""
        return self.role in {UserRole.EDITOR, UserRole.ADMIN}

    @property
    def sees_own_drafts(self) -> bool:
        """Authors read their own posts in every state."""
        return self.id is not None and self.role is UserRole.AUTHOR

    def has_scope(self, scope: ApiScope) -> bool:
        """Return whether the viewer's token, if it is one, may be used for this; every token may read."""
        return self.scopes is None or scope is ApiScope.READ or scope in self.scopes


ANONYMOUS = Viewer()
