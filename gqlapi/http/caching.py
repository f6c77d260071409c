"""Answers that caches may keep: those to GET requests for documents with an id, alike for all anonymous callers.

https://www.rfc-editor.org/rfc/rfc9111.html, and for the tags the headers that CDNs read and take away.
"""

from http import HTTPStatus
from math import floor

from starlette.types import Scope
from strawberry.types import ExecutionResult

from gqlapi.database.types import utc_now
from gqlapi.http.clients import headers_of
from gqlapi.http.compression import Compression
from gqlapi.http.conditional import etag_of, has_already
from gqlapi.http.json import HeaderList
from gqlapi.http.requests import GraphQLRequest
from gqlapi.http.responses import Response
from gqlapi.operations.caching import Observation

METHODS = frozenset({"GET", "HEAD"})
# The separator, and the shortest global id: that of a tag.
MIN_TAG_BYTES = 27
NO_CACHE = (b"cache-control", b"no-cache")
OWN_CACHE = (b"cache-control", b"private, no-cache")


class Caching:
    """Decides which answers caches may keep, for how long, and by which tags they are purged."""

    def __init__(self, compression: Compression, *, max_age_seconds: int, max_tag_bytes: int) -> None:
        """Allow shared caches to keep answers for some seconds; with 0 all caches ask the server each time."""
        self._compression = compression
        self._max_age_seconds = max_age_seconds
        self._max_tag_bytes = max_tag_bytes
        self._vary = (b"vary", b"Accept, Authorization" + (b", Accept-Encoding" if compression.is_on else b""))

    def answer_to(self, scope: Scope, request: GraphQLRequest) -> "CacheableAnswer | None":
        """Return what caches may keep as the answer to a request; None if it has a token or the text of a document."""
        if scope["method"] not in METHODS or not request.is_of_known_document:
            return None
        if scope["state"].get("authentication") is not None:
            return None
        observation = Observation(self._max_tag_bytes // MIN_TAG_BYTES) if self._max_age_seconds else None
        return CacheableAnswer(self, scope, observation)

    def present(self, scope: Scope, response: Response, observation: Observation | None, data: object) -> Response:
        """Return a response for caches: 304 without a body for a client that has it (RFC 9110, section 15.4.5)."""
        content, status, (content_type, *_), _ = response
        shared = [self._vary, NO_CACHE] if observation is None else [self._vary, *self._freshness(observation, data)]
        if isinstance(content, bytes):  # the longest ones are not in memory at once
            coding = (
                self._compression.coding_of(scope, headers_of(scope), len(content)) if self._compression.is_on else None
            )
            etag = etag_of(content, "" if coding is None else coding.decode())
            shared.append((b"etag", etag.encode()))
            for name, value in scope["headers"]:
                if name == b"if-none-match" and has_already(value.decode("latin-1"), etag):
                    return Response(b"", HTTPStatus.NOT_MODIFIED, shared, may_be_kept=True)
        return Response(content, status, [content_type, *shared], may_be_kept=True)

    def _freshness(self, observation: Observation, data: object) -> HeaderList:
        """Return Cache-Control, and the tags of an answer that is kept.

        A purge does not reach browsers: they ask each time. `s-maxage` forbids shared caches to keep on sending an
        answer that has expired (RFC 9111, section 5.2.2.10).
        """
        if not isinstance(data, dict):
            return (NO_CACHE,)
        if observation.plan.is_private:
            return (OWN_CACHE,)
        age = min(observation.plan.max_age, self._max_age_seconds)
        if observation.changes_at is not None:
            # Less one second: caches that count whole seconds keep an answer for up to one more.
            age = min(age, floor((observation.changes_at - utc_now()).total_seconds()) - 1)
        if age <= 0:
            return (NO_CACHE,)
        tags = self._tags(observation, data)
        return (
            (b"cache-control", b"public, max-age=0, s-maxage=%d" % age),
            (b"surrogate-key", " ".join(tags).encode()),
            (b"cache-tag", ",".join(tags).encode()),
        )

    def _tags(self, observation: Observation, data: dict[str, object]) -> list[str]:
        """Return the global ids of the objects of an answer, and the types on whose rows it depends.

        Of types whose ids do not fit, the type is sent as one tag for all of its rows.
        """
        types = observation.rows_of(data)
        length = sum(len(name) + 1 for name in {*types, *observation.tags})  # any type may be sent as a tag
        ids: list[str] = []
        for name, tags in sorted(observation.tags.items(), key=lambda item: len(item[1])):
            length += sum(len(tag) + 1 for tag in tags)
            if length > self._max_tag_bytes:
                types.add(name)
                length -= sum(len(tag) + 1 for tag in tags)
            else:
                ids += tags
        return [*sorted(types), *ids]


class CacheableAnswer:
    """An answer that caches may keep, if nothing in it is for the caller alone."""

    def __init__(self, caching: Caching, scope: Scope, observation: Observation | None) -> None:
        """Prepare for an answer; the observation is filled while it is made."""
        self._caching = caching
        self._scope = scope
        self.observation = observation

    def present(self, response: Response, result: ExecutionResult) -> Response:
        """Return the response for caches; errors, and reports about this very execution, are not kept."""
        if result.errors or result.extensions:
            return response
        return self._caching.present(self._scope, response, self.observation, result.data)
