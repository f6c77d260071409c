"""Pages of other origins: which of them may call the API, and what the others get."""

import re
from collections.abc import Collection
from http import HTTPStatus

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from gqlapi.errors import Code
from gqlapi.http.clients import Headers
from gqlapi.http.failures import HttpFailure
from gqlapi.http.methods import OPERATIONS

# Headers that scripts may read, in addition to those that CORS always exposes.
EXPOSED_HEADERS = (
    "X-Request-Id",
    "X-Position",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "WWW-Authenticate",
    "Allow",
)
# No page sends one of these to another origin without a preflight, which only allowed origins pass.
PREFLIGHT_HEADERS = (b"graphql-require-preflight", b"apollo-require-preflight", b"x-apollo-operation-name")
# `none` is a person who opens an address: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
OWN_SITES = (b"same-origin", b"none")


class Origins:
    """The origins that browsers may call from."""

    def __init__(self, names: Collection[str], pattern: str | None = None) -> None:
        """Allow the named ones, all if one is `*`, and those that match a pattern."""
        self._names = frozenset(names)
        self._pattern = pattern

    def allow(self, origin: str) -> bool:
        """Whether an origin is allowed."""
        if "*" in self._names or origin in self._names:
            return True
        return self._pattern is not None and re.fullmatch(self._pattern, origin) is not None

    def check(self, headers: Headers) -> None:
        """Refuse a request that a page of another origin made without a preflight.

        Browsers send these for every image and link: the answer stays unread, but its work is done, and the time that
        it takes can be measured. Older browsers send no Sec-Fetch-Site.

        Raises:
            HttpFailure: 403.
        """
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if site in OWN_SITES or (site is None and origin is None):
            return
        if origin is not None and (_is_own(origin, headers, site) or self.allow(origin.decode("latin-1"))):
            return
        if any(name in headers for name in PREFLIGHT_HEADERS):
            return
        message = "The request comes from a page of another origin. Send the header GraphQL-Require-Preflight."
        raise HttpFailure(HTTPStatus.FORBIDDEN, message, code=Code.FORBIDDEN)

    def middleware(self, *, allow_credentials: bool, max_age_seconds: int) -> list[Middleware]:
        """Return the middleware that answers preflights; none if no origin is allowed."""
        if not self._names and self._pattern is None:
            return []
        cors = Middleware(
            CORSMiddleware,
            allow_origins=self._names,
            allow_origin_regex=self._pattern,
            allow_methods=tuple(OPERATIONS),
            allow_headers=("*",),
            allow_credentials=allow_credentials,
            expose_headers=EXPOSED_HEADERS,
            max_age=max_age_seconds,
        )
        return [cors]


def _is_own(origin: bytes, headers: Headers, site: bytes | None) -> bool:
    """Whether an Origin is the server's own; a proxy may have changed the scheme."""
    return site is None and origin.partition(b"://")[2] == headers.get(b"host")
