"""Media types: of the bodies that clients send, and of the answers that they accept."""

from http import HTTPStatus
from typing import NamedTuple

from starlette.types import Scope

from gqlapi.http.clients import Headers
from gqlapi.http.failures import HttpFailure

JSON = b"application/json"
# Mandatory for servers: https://graphql.github.io/graphql-over-http/draft/#sec-Media-Types
GRAPHQL_RESPONSE = b"application/graphql-response+json"
# Of answers to batches, a line for each: https://github.com/graphql/graphql-over-http/pull/307
JSON_LINES = b"application/jsonl"
# Of answers of several payloads: `rfcs/IncrementalDelivery.md` and `rfcs/GraphQLOverSSE.md` of graphql-over-http.
MULTIPART = b"multipart/mixed"
EVENT_STREAM = b"text/event-stream"
UTF_8 = frozenset({b"utf-8", b"utf8"})
# Formats of multipart answers, as Accept names them; all in lower case.
DEFER_SPEC = b"deferspec=20220824"
INCREMENTAL_SPEC = b"incrementalspec=v0.2"
SUBSCRIPTION_SPEC = b"subscriptionspec=1.0"
LEAST_WEIGHT = 0.001
# The more specific one first.
WILDCARDS = (b"application/*", b"*/*")
# Media types that a 415 offers (RFC 10008, section 3).
ACCEPT_QUERY = ((b"accept-query", JSON),)


def check_media_type(headers: Headers) -> None:
    """Refuse bodies that are not JSON in UTF-8: browsers send `text/plain` of other sites without a preflight.

    Raises:
        HttpFailure: 415, also if the Content-Type is missing.
    """
    declared = headers.get(b"content-type", b"")
    if declared != JSON and not _is_json(declared):
        message = f"The Content-Type must be {JSON.decode()}, encoded in UTF-8."
        raise HttpFailure(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, headers=ACCEPT_QUERY)


def accept_of(scope: Scope) -> bytes | None:
    """Return the Accept header; several lines are one list (RFC 9110, section 5.3)."""
    values = [value for name, value in scope["headers"] if name == b"accept"]
    return b",".join(values) if values else None


def preferred(accept: bytes) -> bytes | None:
    """Return the media type that an Accept header prefers, or None if it accepts neither (RFC 9110, section 12.5.1).

    A wildcard alone gets `application/json`: clients that read the other type name it.
    """
    weights = weights_of(accept)
    # For some requests only; all others are answered as those of a legacy client.
    if any(weights.get(name) for name in (JSON_LINES, MULTIPART, EVENT_STREAM)):
        weights.setdefault(JSON, LEAST_WEIGHT)
    weight, _, _, media_type = max(_rate(weights, GRAPHQL_RESPONSE), _rate(weights, JSON))
    return media_type if weight else None


class Preference(NamedTuple):
    """The stream that a client prefers for answers of several payloads.

    `parameters` are those of the media range, without spaces; `is_only`: all answers have to be one.
    """

    media_type: bytes
    parameters: frozenset[bytes]
    is_only: bool


def preferred_stream(accept: bytes) -> Preference | None:
    """Return the stream that an Accept header prefers, None where it prefers JSON, or names none.

    A wildcard names none. Events come after multipart, because some clients name both and read only the latter.
    """
    ranges = [_range(part) for part in accept.lower().split(b",")]
    json = max((weight for name, _, weight in ranges if name in {JSON, GRAPHQL_RESPONSE}), default=0.0)
    streams = [
        (weight, name == MULTIPART, -place, Preference(name, parameters, is_only=not json))
        for place, (name, parameters, weight) in enumerate(ranges)
        if weight and weight >= json and (name == EVENT_STREAM or (name == MULTIPART and _is_read(parameters)))
    ]
    return max(streams)[-1] if streams else None


def stream_of_events(accept: bytes) -> bytes | None:
    """Return the media type in which a client that sends this Accept header reads the events of subscriptions, if any.

    Weights do not matter: there is no other answer.
    """
    ranges = [_range(part) for part in accept.lower().split(b",")]
    if any(name == EVENT_STREAM and weight for name, _, weight in ranges):
        return EVENT_STREAM
    reads = any(name == MULTIPART and weight and SUBSCRIPTION_SPEC in parameters for name, parameters, weight in ranges)
    return MULTIPART if reads else None


def _is_read(parameters: frozenset[bytes]) -> bool:
    """Whether this server has the format that the parameters name; without one, it is that of 2022."""
    named = {parameter for parameter in parameters if parameter.partition(b"=")[0].endswith(b"spec")}
    return named <= {DEFER_SPEC, INCREMENTAL_SPEC}


def _range(part: bytes) -> tuple[bytes, frozenset[bytes], float]:
    name, *parameters = (text.strip() for text in part.split(b";"))
    return name, frozenset(text.replace(b" ", b"").replace(b'"', b"") for text in parameters), _quality(parameters)


def _rate(weights: dict[bytes, float], media_type: bytes) -> tuple[float, bool, bool, bytes]:
    """Return what decides between the media types, in order, and the type: only the most specific range counts."""
    matching = next((name for name in (media_type, *WILDCARDS) if name in weights), None)
    is_named = matching == media_type
    weight = 0.0 if matching is None else weights[matching]
    return weight, is_named, is_named == (media_type == GRAPHQL_RESPONSE), media_type


def weights_of(accept: bytes) -> dict[bytes, float]:
    """Return the weight of each item of an Accept header; all parameters but `q` are ignored."""
    weights: dict[bytes, float] = {}
    for part in accept.lower().split(b","):
        name, *parameters = (text.strip() for text in part.split(b";"))
        weights[name] = max(_quality(parameters), weights.get(name, 0.0))
    return weights


def _quality(parameters: list[bytes]) -> float:
    """Return the value of `q`: 1 if it is missing, 0 if it is not a number from 0 to 1."""
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name == b"q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0


def _is_json(declared: bytes) -> bool:
    """Whether a Content-Type is JSON in UTF-8; case does not matter (RFC 9110, section 8.3.1)."""
    media_type, *parameters = (text.strip() for text in declared.lower().split(b";"))
    named = [parameter.partition(b"=") for parameter in parameters]
    charsets = {value.strip(b'"') for name, _, value in named if name == b"charset"}
    return media_type == JSON and charsets <= UTF_8
