"""Statuses and media types of GraphQL responses, from tables that are built once.

https://graphql.github.io/graphql-over-http/draft/#sec-Status-Codes
"""

import math
from http import HTTPStatus
from typing import NamedTuple

from starlette.types import Scope
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from gqlapi.errors import Code, answer_too_large
from gqlapi.http.clients import Headers
from gqlapi.http.events import EVENT_FRAMINGS, EventFraming
from gqlapi.http.failures import RETRY_AFTER, HttpFailure
from gqlapi.http.json import HeaderList, Json, encode_json
from gqlapi.http.media_types import GRAPHQL_RESPONSE, JSON, accept_of, preferred, stream_of_events
from gqlapi.http.streaming import Streaming, choose_streaming
from gqlapi.operations.rate import WINDOW_SECONDS, Spent
from gqlapi.settings import HttpStatus

# The specification's own; HTTP has no status for this.
PARTIAL_SUCCESS = 294
VARY = (b"vary", b"Accept")
OK = 200
# Clients send few different Accept headers; a hostile one may have 32 KiB.
MAX_KNOWN_BYTES = 65_536


class Response(NamedTuple):
    """A response over HTTP; the headers include its media type.

    `may_be_kept`: they say what caches may do with it. No cache keeps any other response.
    """

    content: bytes | Json
    status: int
    headers: HeaderList
    may_be_kept: bool = False


class Representation(NamedTuple):
    """The headers of a successful response, and the statuses of the others, for one media type.

    `streaming` is how answers of several payloads are sent, if the client reads such, `events` how the answers of a
    subscription are.
    """

    headers: HeaderList
    partial: int
    unparsable: int
    request_error: int
    streaming: Streaming | None = None
    events: EventFraming | None = None

    def of_errors(self, result: ExecutionResult, *, may_repeat: bool) -> tuple[int, HeaderList]:
        """Return status and headers of a result with errors; with 400 or more the response must have no `data`.

        Clients repeat what got 503: `may_repeat` says whether that is harmless.
        """
        codes = {str((error.extensions or {}).get("code")) for error in result.errors or ()}
        if may_repeat and codes == {Code.UNAVAILABLE} and all(value is None for value in (result.data or {}).values()):
            return HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE_HEADERS
        if not isinstance(result, PreExecutionError):
            return self.partial, self.headers
        if Code.RATE_LIMITED in codes:
            return HTTPStatus.TOO_MANY_REQUESTS, FAILURE_HEADERS
        status = self.unparsable if Code.GRAPHQL_PARSE_FAILED in codes else self.request_error
        return status, self.headers if status < HTTPStatus.BAD_REQUEST else FAILURE_HEADERS

    def too_large(self, limit: int) -> "Response":
        """Return the response of an operation whose answer is over the limit of its size."""
        error = answer_too_large(limit)
        errors = [{"message": error.message, "extensions": error.extensions}]
        return Response(encode_json({"data": None, "errors": errors}), self.partial, self.headers)


def headers_of_rate(spent: Spent, status: int) -> HeaderList:
    """Return what a client has left, in whole seconds.

    https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10
    """
    seconds = b"%d" % math.ceil(spent.reset_seconds)
    policy = (b"ratelimit-policy", b'"points";q=%d;w=%d' % (spent.limit, WINDOW_SECONDS))
    state = (b"ratelimit", b'"points";r=%d;t=%s' % (spent.remaining, seconds))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return policy, state, (b"retry-after", seconds)
    return policy, state


def headers_of_type(media_type: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of a response that was negotiated."""
    return (b"content-type", media_type + b"; charset=utf-8"), VARY


# All failures are well-formed GraphQL responses. Legacy clients get this type too: by it they see that a failure comes
# from GraphQL and not from a server between.
FAILURE_HEADERS = headers_of_type(GRAPHQL_RESPONSE)
UNAVAILABLE_HEADERS = (*FAILURE_HEADERS, *RETRY_AFTER)
EDITION = {
    media_type: Representation(
        headers_of_type(media_type), PARTIAL_SUCCESS, HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY
    )
    for media_type in (GRAPHQL_RESPONSE, JSON)
}
# What the drafts before the edition said, and what the audits of npm `graphql-http` check.
OLD_DRAFTS = {
    GRAPHQL_RESPONSE: Representation(
        headers_of_type(GRAPHQL_RESPONSE), HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.BAD_REQUEST
    ),
    JSON: Representation(headers_of_type(JSON), HTTPStatus.OK, HTTPStatus.OK, HTTPStatus.OK),
}


class Negotiation:
    """Chooses how a request is answered."""

    def __init__(self, http_status: HttpStatus) -> None:
        """Answer with the statuses of the specification's edition, or with those of old drafts."""
        self._follows_edition = http_status == "422"
        self._by_type = EDITION if self._follows_edition else OLD_DRAFTS
        self._known: dict[bytes | None, Representation] = {}
        self._known_bytes = 0

    def choose(self, scope: Scope, headers: Headers) -> Representation:
        """Return the representation that a client prefers; without Accept header it accepts everything.

        Raises:
            HttpFailure: 406, no media type is acceptable.
        """
        accept = headers.get(b"accept") if len(headers) == len(scope["headers"]) else accept_of(scope)
        return self._known.get(accept) or self._remember(accept)

    def _remember(self, accept: bytes | None) -> Representation:
        """Parse a header once for all requests that send it, as long as there are not too many of them."""
        media_type = preferred(accept) if accept else JSON
        if media_type is None:
            types = f"{GRAPHQL_RESPONSE.decode()} or {JSON.decode()}"
            raise HttpFailure(HTTPStatus.NOT_ACCEPTABLE, f"The Accept header must allow {types}.")
        self._known_bytes += len(accept or b"")
        if self._known_bytes > MAX_KNOWN_BYTES:
            self._known, self._known_bytes = {}, len(accept or b"")
        representation = self._by_type[media_type]
        if accept and (streaming := choose_streaming(accept)) is not None:
            representation = representation._replace(streaming=streaming)
        if accept and (media_type := stream_of_events(accept)) is not None:
            representation = representation._replace(events=EVENT_FRAMINGS[media_type])
        return self._known.setdefault(accept, representation)

    def failure(self, failure: HttpFailure) -> Response:
        """Return the response of a request that was refused before GraphQL began."""
        status = failure.status_code
        if status == HTTPStatus.UNPROCESSABLE_ENTITY and not self._follows_edition:
            status = HTTPStatus.BAD_REQUEST
        return Response(failure.content, status, (*FAILURE_HEADERS, *failure.headers))
