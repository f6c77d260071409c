"""Tokens: signed ones that identify the caller, and random ones that are known by their hash."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import jwt

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "gqlapi"
REQUIRED_CLAIMS = ["iss", "aud", "sub", "sid", "iat", "exp"]
KEY_ID_LENGTH = 16
SECRET_BYTES = 32
# Lets a person, and a scanner of repositories, see what a leaked text is.
API_TOKEN_PREFIX = "gqlapi_"  # noqa: S105 - not a secret, but how one begins


class InvalidToken(Exception):
    """A token is not one that is valid now."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says."""

    user_id: UUID
    session_id: UUID


class AccessTokens:
    """Creates and reads access tokens: JWTs (RFC 7519) that name a user and a session.

    The first secret signs; those after it are still accepted, each under its own `kid`, so that secrets can be
    replaced while tokens are in use.
    """

    def __init__(self, secret_keys: Sequence[str], lifetime: timedelta) -> None:
        """Derive the signing keys."""
        # Separate keys: nothing else that the secret may sign is an access token.
        keys = [hmac.digest(secret.encode(), b"gqlapi access token", "sha256") for secret in secret_keys]
        self._keys = {hashlib.sha256(key).hexdigest()[:KEY_ID_LENGTH]: key for key in keys}
        self._current = next(iter(self._keys))
        self.lifetime = lifetime

    def issue(self, claims: Claims, now: datetime) -> tuple[str, datetime]:
        """Return a token, and when it expires."""
        expires_at = now.replace(microsecond=0) + self.lifetime
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(claims.user_id),
            "sid": str(claims.session_id),
            "iat": now,
            "exp": expires_at,
        }
        return jwt.encode(payload, self._keys[self._current], ALGORITHM, headers={"kid": self._current}), expires_at

    def read(self, token: str) -> Claims:
        """Return what a token says.

        Raises:
            InvalidToken: it is expired, tampered with, signed by another key or algorithm, or lacks a claim.
        """
        try:
            key = self._keys[jwt.get_unverified_header(token).get("kid", "")]
            payload = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                # A server whose clock is behind would refuse what another has just signed.
                options={"require": REQUIRED_CLAIMS, "verify_iat": False},
            )
            return Claims(UUID(payload["sub"]), UUID(payload["sid"]))
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, AttributeError):
            raise InvalidToken from None


def new_secret(prefix: str = "") -> str:
    """Return a random token of 256 bits."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """Return what is stored of a random token: with 256 random bits a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
