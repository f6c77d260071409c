"""GraphQL requests, read from a body or from the parameters of a URL."""

from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from gqlapi.errors import Code
from gqlapi.http.body import parse_json
from gqlapi.http.clients import Headers
from gqlapi.http.document_ids import read_document_id
from gqlapi.http.failures import HttpFailure

MEDIA_TYPE = b"application/json"
# What browsers accept when they open an address.
PAGES = (b"text/html", b"*/*")
# The parameters of a URL that may say which document to run.
NAMES_DOCUMENT = frozenset({"query", "documentId", "extensions"})


class GraphQLRequest(NamedTuple):
    """One operation to execute: of a document whose text is `query`, or that is known by an id, or both."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None
    document_id: str | None = None


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


def read_body(body: bytes, path_id: str | None = None) -> GraphQLRequest:
    """Read the request that a body holds; `path_id` is the id of a document that the URL has.

    Raises:
        HttpFailure: it is not JSON, or not a request.
    """
    data = parse_json(body)
    if isinstance(data, list):
        raise _bad_request("Batching is not enabled.")
    if not isinstance(data, dict):
        raise _bad_request("The body must be a JSON object.")
    return _request(data, path_id)


def read_parameters(query_string: bytes, headers: Headers, path_id: str | None = None) -> GraphQLRequest:
    """Read the request that the parameters of a URL hold; one that is empty is as good as left out.

    Raises:
        HttpFailure: they are not a request; 404 for a browser that opens the address without any.
    """
    data: dict[str, Any] = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    is_empty = path_id is None and NAMES_DOCUMENT.isdisjoint(data)
    if is_empty and any(page in headers.get(b"accept", b"").lower() for page in PAGES):
        raise HttpFailure(HTTPStatus.NOT_FOUND, "Not Found")
    for name in ("variables", "extensions"):
        if data.get(name):
            data[name] = parse_json(data[name])
    return _request({name: value for name, value in data.items() if value != ""}, path_id)


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


def _request(data: dict[str, Any], path_id: str | None) -> GraphQLRequest:
    query, name, extensions = _text(data, "query"), _text(data, "operationName"), _object(data, "extensions")
    names_document = path_id is not None or extensions is not None or "documentId" in data
    document_id = read_document_id(data, extensions, path_id) if names_document else None
    request = GraphQLRequest(query or "", _object(data, "variables"), name, extensions, document_id)
    if not query and document_id is None:
        raise _bad_request("No GraphQL query found in the request")
    return request


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _bad_request(f"`{name}` must be a string or null.")


def _object(data: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = data.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise _bad_request(f"`{name}` must be an object or null.")


def _bad_request(message: str) -> HttpFailure:
    return HttpFailure(HTTPStatus.BAD_REQUEST, message)
