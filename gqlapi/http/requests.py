"""GraphQL requests, read from a body or from the parameters of a URL."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from gqlapi.errors import Code
from gqlapi.execution import ErrorMode
from gqlapi.http.body import parse_json
from gqlapi.http.clients import Headers
from gqlapi.http.document_ids import read_document_id
from gqlapi.http.failures import HttpFailure

PAGE = b"text/html"
# So many of the last query strings are kept, if they are short: at most 2 MB with what was read from them.
MAX_SHORT, MAX_SHORT_BYTES = 256, 512
ERROR_MODES = {mode.value: mode for mode in ErrorMode}


class GraphQLRequest(NamedTuple):
    """One operation to execute: of a document whose text is `query`, or that is known by an id, or both."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None
    document_id: str | None = None
    error_mode: ErrorMode = ErrorMode.PROPAGATE

    @property
    def is_of_known_document(self) -> bool:
        """Whether the request has an id and no text: with a text, any client can compute the id."""
        return self.document_id is not None and not self.query


def read_object(data: Any, path_id: str | None = None) -> GraphQLRequest:
    """Read the request that a value of JSON is; `path_id` is the id of a document that the URL has.

    Raises:
        HttpFailure: it is not a request.
    """
    if not isinstance(data, dict):
        raise malformed("A request must be a JSON object.")
    return _request(data, path_id)


def refuse_page(query_string: bytes, headers: Headers) -> None:
    """Refuse a browser that opens the address itself.

    Raises:
        HttpFailure: 404, there are no parameters, and the client accepts HTML.
    """
    if not query_string and PAGE in headers.get(b"accept", b"").lower():
        raise HttpFailure(HTTPStatus.NOT_FOUND, "Not Found")


def read_parameters(query_string: bytes, path_id: str | None = None) -> GraphQLRequest:
    """Read the request that the parameters of a URL hold; an empty one counts as missing.

    Raises:
        HttpFailure: they are not a request.
    """
    return (_read_short if len(query_string) <= MAX_SHORT_BYTES else _read)(query_string, path_id)


def _read(query_string: bytes, path_id: str | None) -> GraphQLRequest:
    data: dict[str, Any] = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    for name in ("variables", "extensions"):
        if data.get(name):
            data[name] = parse_json(data[name])
    return _request({name: value for name, value in data.items() if value != ""}, path_id)


# Clients repeat their GETs: parsing takes a fifth of a small request. The values of a request are never changed.
_read_short = lru_cache(maxsize=MAX_SHORT)(_read)


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


def malformed(message: str) -> HttpFailure:
    """Return the refusal of JSON that is not a well-formed request."""
    return HttpFailure(HTTPStatus.UNPROCESSABLE_ENTITY, message)


def _request(data: dict[str, Any], path_id: str | None) -> GraphQLRequest:
    query, name, extensions = _text(data, "query"), _text(data, "operationName"), _object(data, "extensions")
    variables = _object(data, "variables")
    names_document = path_id is not None or extensions is not None or "documentId" in data
    document_id = read_document_id(data, extensions, path_id) if names_document else None
    if not query and document_id is None:
        raise malformed("No GraphQL query found in the request")
    return GraphQLRequest(query or "", variables, name or None, extensions, document_id, _error_mode(data))


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    raise malformed(f"`{name}` must be a string or null.")


def _object(data: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = data.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise malformed(f"`{name}` must be an object or null.")


def _error_mode(data: dict[str, Any]) -> ErrorMode:
    """Return what errors do to the answer: https://github.com/graphql/graphql-spec/pull/1236."""
    value = data.get("onError")
    if value is None:
        return ErrorMode.PROPAGATE
    mode = ERROR_MODES.get(value) if isinstance(value, str) else None
    if mode is None:
        raise malformed(f"`onError` must be {', '.join(ERROR_MODES)} or null.")
    return mode
