"""What a viewer may do; the API's `viewerCan…` fields ask here, and so must everything that writes."""

from uuid import UUID

from gqlapi.models import UserRole, Viewer

EDITORS = frozenset({UserRole.EDITOR, UserRole.ADMIN})


def may_change_post(viewer: Viewer, author_id: UUID) -> bool:
    """Editors and admins change every post, authors their own."""
    if viewer.id is None:
        return False
    return viewer.role in EDITORS or (viewer.role is UserRole.AUTHOR and viewer.id == author_id)


def may_change_user(viewer: Viewer, user_id: UUID) -> bool:
    """Admins change every user, everybody themselves."""
    return viewer.id is not None and (viewer.role is UserRole.ADMIN or viewer.id == user_id)


def may_change_tag(viewer: Viewer) -> bool:
    """Editors and admins change tags."""
    return viewer.id is not None and viewer.role in EDITORS


def may_read_email(viewer: Viewer, user_id: UUID) -> bool:
    """Admins read every e-mail address, everybody their own."""
    return may_change_user(viewer, user_id)
