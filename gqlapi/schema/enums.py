"""The models' enums, described for clients."""

from gqlapi.models import PostStatus, UserRole
from gqlapi.schema.fields import describe_enum

__all__ = ["PostStatus", "UserRole"]

describe_enum(
    UserRole,
    "What a user may do; each role may do more than the one before.",
    READER="Reads published posts.",
    AUTHOR="Writes posts.",
    EDITOR="Edits the posts of all authors, and organises tags.",
    ADMIN="Manages users as well.",
)
describe_enum(
    PostStatus,
    "The state of a post.",
    DRAFT="Not published yet; seen by its author, editors and admins.",
    SCHEDULED="Published with a time that lies ahead: becomes PUBLISHED by the clock alone.",
    PUBLISHED="Seen by everybody.",
    ARCHIVED="No longer public; seen by its author, editors and admins.",
)
