"""GraphQL requests, read from a body or from the parameters of a URL."""

from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from gqlapi.errors import Code
from gqlapi.execution import ErrorMode
from gqlapi.http.body import parse_json
from gqlapi.http.clients import Headers
from gqlapi.http.failures import HttpFailure

MEDIA_TYPE = b"application/json"
# What browsers accept when they open an address.
PAGES = (b"text/html", b"*/*")
ERROR_MODES = {mode.value: mode for mode in ErrorMode}


class GraphQLRequest(NamedTuple):
    """One operation to execute."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None
    error_mode: ErrorMode = ErrorMode.PROPAGATE


def check_media_type(headers: Headers) -> None:
    """Refuse everything but JSON: browsers send other sites' `text/plain` without asking first.

    Media types are compared without regard to case (RFC 9110, section 8.3.1).

    Raises:
        HttpFailure: the Content-Type is another one, or missing.
    """
    declared = headers.get(b"content-type", b"")
    if declared != MEDIA_TYPE and declared.partition(b";")[0].strip().lower() != MEDIA_TYPE:
        message = f"The Content-Type must be {MEDIA_TYPE.decode()}."
        raise HttpFailure(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)


def read_object(data: Any) -> GraphQLRequest:
    """Read the request that a value of JSON is.

    Raises:
        HttpFailure: it is not a request.
    """
    if not isinstance(data, dict):
        raise bad_request("A request must be a JSON object.")
    return _request(data)


def read_parameters(query_string: bytes, headers: Headers) -> GraphQLRequest:
    """Read the request that the parameters of a URL hold; one that is empty is as good as left out.

    Raises:
        HttpFailure: they are not a request; 404 for a browser that opens the address without any.
    """
    data: dict[str, Any] = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    if "query" not in data and any(page in headers.get(b"accept", b"").lower() for page in PAGES):
        raise HttpFailure(HTTPStatus.NOT_FOUND, "Not Found")
    for name in ("variables", "extensions"):
        if data.get(name):
            data[name] = parse_json(data[name])
    return _request({name: value for name, value in data.items() if value != ""})


def bearer_token(headers: Headers) -> str | None:
    """Return the token of a request, if it has one (RFC 6750, section 2.1).

    Raises:
        HttpFailure: the header is there, and is not that of a bearer token.
    """
    header = headers.get(b"authorization")
    if header is None:
        return None
    scheme, _, token = header.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated()
    return token.strip()


def unauthenticated() -> HttpFailure:
    """Return the refusal of a request whose token is not valid."""
    message = "The token is not valid: it has expired, was revoked, or is none of this server's."
    headers = ((b"www-authenticate", b'Bearer error="invalid_token"'),)
    return HttpFailure(HTTPStatus.UNAUTHORIZED, message, code=Code.UNAUTHENTICATED, headers=headers)


def bad_request(message: str) -> HttpFailure:
    """Return the refusal of a body that is not a request."""
    return HttpFailure(HTTPStatus.BAD_REQUEST, message)


def _request(data: dict[str, Any]) -> GraphQLRequest:
    query, name = _text(data, "query"), _text(data, "operationName")
    variables, extensions, mode = _object(data, "variables"), _object(data, "extensions"), _error_mode(data)
    if not query:
        raise bad_request("No GraphQL query found in the request")
    return GraphQLRequest(query, variables, name, extensions, mode)


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    raise bad_request(f"`{name}` must be a string or null.")


def _object(data: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = data.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise bad_request(f"`{name}` must be an object or null.")


def _error_mode(data: dict[str, Any]) -> ErrorMode:
    """Return what errors do to the answer: https://github.com/graphql/graphql-spec/pull/1236."""
    value = data.get("onError")
    if value is None:
        return ErrorMode.PROPAGATE
    mode = ERROR_MODES.get(value) if isinstance(value, str) else None
    if mode is None:
        raise bad_request(f"`onError` must be {', '.join(ERROR_MODES)} or null.")
    return mode
