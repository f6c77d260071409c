"""Who a request's token belongs to."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.accounts.tokens import API_TOKEN_PREFIX, AccessTokens, InvalidToken, hash_secret
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.models import Viewer
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import AccountWriteRepository, use_of_api_token, viewer_of_session

# `lastUsedAt` is that precise; a write with each request would be more expensive than most requests.
USE_PRECISION = timedelta(minutes=5)
# How often it is looked whether the session of a subscriber has ended to whom nothing is sent.
SESSION_SECONDS = 30.0


class Authentication:
    """One request's token, and what became known of it."""

    def __init__(self, access_tokens: AccessTokens, token: str) -> None:
        """Take a token that nothing is known of yet."""
        self._access_tokens = access_tokens
        self.token = token
        self._stale_token_id: UUID | None = None

    async def find_viewer(self, unit: ReadUnit) -> Viewer:
        """Return who the token belongs to, in at most one statement.

        A forged access token costs none, an unknown API token one.

        Raises:
            InvalidToken: it is not valid, or was revoked, or its user is deleted.
        """
        now = utc_now()
        if self.token.startswith(API_TOKEN_PREFIX):
            return await self._find_by_api_token(unit, now)
        claims = self._access_tokens.read(self.token)
        viewer = await viewer_of_session(unit, claims.user_id, claims.session_id, now)
        if viewer is None:
            raise InvalidToken
        return viewer

    def record_use(self, database: Database) -> None:
        """Write in the background when an API token was used, if that was long ago and a connection is free."""
        token_id = self._stale_token_id
        if token_id is None:
            return

        async def touch(session: AsyncSession) -> None:
            scope = WriteScope(session)
            await AccountWriteRepository(scope).touch_api_token(token_id, before=scope.now - USE_PRECISION)

        database.start_if_free(touch, "use of an API token")

    async def _find_by_api_token(self, unit: ReadUnit, now: datetime) -> Viewer:
        use = await use_of_api_token(unit, hash_secret(self.token), now)
        if use is None:
            raise InvalidToken
        if use.last_used_at is None or use.last_used_at < now - USE_PRECISION:
            self._stale_token_id = use.viewer.token_id
        return use.viewer
