"""Who asks."""

from dataclasses import dataclass
from uuid import UUID

from gqlapi.models.user import UserRole


@dataclass(frozen=True, slots=True)
class Viewer:
    """The user on whose behalf an operation runs; nobody, when `id` is None."""

    id: UUID | None = None
    role: UserRole = UserRole.READER

    @property
    def sees_everything(self) -> bool:
        """Editors and admins read every post that is not deleted."""
        return self.role in {UserRole.EDITOR, UserRole.ADMIN}

    @property
    def sees_own_drafts(self) -> bool:
        """Authors read their own posts in every state."""
        return self.id is not None and self.role is UserRole.AUTHOR


ANONYMOUS = Viewer()
