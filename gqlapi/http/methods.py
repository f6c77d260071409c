"""The methods of the GraphQL endpoint, and the operations that each may run."""

from http import HTTPStatus

from strawberry.types.graphql import OperationType

from gqlapi.http.failures import HttpFailure
from gqlapi.http.media_types import ACCEPT_QUERY

QUERIES = frozenset({OperationType.QUERY})
SUBSCRIPTIONS = frozenset({OperationType.SUBSCRIPTION})
# GET, HEAD and QUERY (RFC 10008) are safe: they change nothing (RFC 9110, section 9.2.1).
OPERATIONS: dict[str, frozenset[OperationType]] = {
    "GET": QUERIES,
    "HEAD": QUERIES,
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
    "QUERY": QUERIES,
}
# Methods whose request is in the body.
BODIES = frozenset({"POST", "QUERY"})
ALLOW = (b"allow", ", ".join(OPERATIONS).encode())
ALLOW_POST = (b"allow", b"POST")


def method_not_allowed(method: str) -> HttpFailure:
    """Return the refusal of a method that the endpoint does not have."""
    message = f"The method {method} is not supported. Use POST, QUERY or GET."
    return HttpFailure(HTTPStatus.METHOD_NOT_ALLOWED, message, headers=(ALLOW, *ACCEPT_QUERY))


def type_not_allowed(method: str, type_: OperationType) -> HttpFailure:
    """Return the refusal of a mutation in a request that must be safe, or of a subscription that gets one answer."""
    if type_ is OperationType.SUBSCRIPTION:
        message = "A subscription needs a WebSocket, or one of these in Accept: text/event-stream, "
        message += 'multipart/mixed; subscriptionSpec="1.0".'
        return HttpFailure(HTTPStatus.NOT_ACCEPTABLE, message)
    message = f"Mutations are not allowed with {method}. Use POST."
    return HttpFailure(HTTPStatus.METHOD_NOT_ALLOWED, message, headers=(ALLOW_POST,))
