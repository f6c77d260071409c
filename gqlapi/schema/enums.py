"""The models' enums, described for clients."""

from gqlapi.models import ApiScope, ChangeKind, PostStatus, UserRole
from gqlapi.problems import ProblemCode
from gqlapi.schema.fields import describe_enum

__all__ = ["ApiScope", "ChangeKind", "PostStatus", "ProblemCode", "UserRole"]

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
describe_enum(
    ApiScope,
    "What an API token may be used for; its owner's role limits it as well.",
    READ="Reading what the user may read; every token may.",
    WRITE_POSTS="Writing posts, and creating tags by naming them in a post.",
    WRITE_TAGS="Creating, changing, deleting and merging tags.",
    ADMIN="Managing the account: password, sessions, tokens, profile; for admins, users as well.",
)
describe_enum(
    ChangeKind,
    "What happened to a post.",
    CREATED="It was created, in any state.",
    UPDATED="It was changed, and is as public as before.",
    PUBLISHED="It became public: now, or because its scheduled time has come.",
    UNPUBLISHED="It became a draft, or is to be published later.",
    ARCHIVED="It was archived.",
    DELETED="It was deleted.",
    RESTORED="It was restored after it had been deleted.",
)
describe_enum(
    ProblemCode,
    "Why a mutation failed.",
    name="ErrorCode",
    REQUIRED="A value is missing or empty.",
    INVALID="The value is invalid; the message says why.",
    TOO_LONG="A text is too long.",
    TOO_MANY="A list has too many items.",
    NOT_UNIQUE="Another row has this value already.",
    NOT_FOUND="There is no such row, or it is not visible to the viewer.",
    UNAUTHENTICATED="The caller is not signed in, or the credentials are wrong.",
    FORBIDDEN="The viewer may not do this.",
    VERSION_CONFLICT="The row has changed since it was read.",
    IDEMPOTENCY_MISMATCH="The key was used for another input before.",
    RATE_LIMITED="There were too many attempts.",
    ROLLED_BACK="Another root field of the operation with @atomic failed.",
)
