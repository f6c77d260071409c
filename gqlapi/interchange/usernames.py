"""User names for authors whom a blog only names."""

import hashlib

from gqlapi.accounts.registration import check_username
from gqlapi.models.user import MAX_USERNAME_LENGTH
from gqlapi.names import normalize_username
from gqlapi.words import fold, slug_of

HASH_LENGTH = 12


def username_for(name: str) -> str:
    """Return the name itself if a user may have it, else the same valid one each time."""
    if _is_valid(name):
        return normalize_username(name) or name
    slug = slug_of(name, MAX_USERNAME_LENGTH)
    return slug if _is_valid(slug) else f"author-{hashlib.sha256(fold(name).encode()).hexdigest()[:HASH_LENGTH]}"


def _is_valid(username: str) -> bool:
    return not any(check_username(username, ()))
