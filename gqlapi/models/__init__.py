"""The tables, and the values that all layers share."""

from gqlapi.models.account import ApiScope, ApiToken, RefreshToken, Session, UserCredential
from gqlapi.models.audit_event import AuditEvent, AuditKind
from gqlapi.models.base import Base, Row, created_at_of, new_id
from gqlapi.models.field_usage import FieldUsage
from gqlapi.models.global_id import GlobalId, decode_global_id
from gqlapi.models.idempotency_key import IdempotencyKey
from gqlapi.models.post import Post, PostState, PostStatus, SlugRule
from gqlapi.models.post_change import ChangeKind, FeedState, PostChange
from gqlapi.models.slug import PostSlug, TagSlug
from gqlapi.models.tag import PostTag, Tag
from gqlapi.models.trusted_document import TrustedDocument
from gqlapi.models.user import User, UserRole
from gqlapi.models.viewer import ANONYMOUS, Viewer

__all__ = [
    "ANONYMOUS",
    "ApiScope",
    "ApiToken",
    "AuditEvent",
    "AuditKind",
    "Base",
    "ChangeKind",
    "FeedState",
    "FieldUsage",
    "GlobalId",
    "IdempotencyKey",
    "Post",
    "PostChange",
    "PostSlug",
    "PostState",
    "PostStatus",
    "PostTag",
    "RefreshToken",
    "Row",
    "Session",
    "SlugRule",
    "Tag",
    "TagSlug",
    "TrustedDocument",
    "User",
    "UserCredential",
    "UserRole",
    "Viewer",
    "created_at_of",
    "decode_global_id",
    "new_id",
]
