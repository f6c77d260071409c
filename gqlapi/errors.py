"""Errors that a client may see, each with a stable code.

ApiError
├── BadUserInput          BAD_USER_INPUT: an argument or variable has a wrong value
│   └── InvalidCursor     INVALID_CURSOR: a cursor is damaged or belongs to another type or ordering
├── LimitExceeded         LIMIT_EXCEEDED: the operation is larger than the server allows
├── PositionExpired       POSITION_EXPIRED: the change feed no longer keeps what came after (in `feed/feed.py`)
├── Unauthenticated       UNAUTHENTICATED: the field needs a signed-in viewer
├── Forbidden             FORBIDDEN: the viewer may not do this
├── BadRequest            BAD_REQUEST: the request contradicts itself
├── PersistedQueryNotFound        PERSISTED_QUERY_NOT_FOUND: no document that may run has the id
├── PersistedQueryNotSupported    PERSISTED_QUERY_NOT_SUPPORTED: clients cannot register documents here
├── RateLimited           RATE_LIMITED: the client has spent its points (in `operations/rate.py`)
├── OperationTimeout      TIMEOUT: the operation or one of its statements took too long
└── Unavailable           UNAVAILABLE: the database cannot be reached or all connections are busy

Every other exception is masked as INTERNAL_SERVER_ERROR. `docs/errors.md` lists the codes for clients.
"""

from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """The whole vocabulary of `extensions.code`."""

    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    BAD_REQUEST = "BAD_REQUEST"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    INVALID_CURSOR = "INVALID_CURSOR"
    POSITION_EXPIRED = "POSITION_EXPIRED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    RATE_LIMITED = "RATE_LIMITED"
    TIMEOUT = "TIMEOUT"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class ApiError(Exception):
    """A failure whose message and details are safe to show to a client.

    graphql-core copies `extensions` of a resolver's exception into the response.
    """

    code = Code.INTERNAL_SERVER_ERROR

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions: dict[str, Any] = {"code": str(self.code), **details}


class BadUserInput(ApiError):
    """An argument or a variable has a value that the field does not take."""

    code = Code.BAD_USER_INPUT


class InvalidCursor(BadUserInput):
    """A cursor cannot be decoded, or was made for another type or ordering."""

    code = Code.INVALID_CURSOR


class LimitExceeded(ApiError):
    """The operation, or its answer, is larger than the server allows."""

    code = Code.LIMIT_EXCEEDED


class Unauthenticated(ApiError):
    """The field needs a signed-in viewer."""

    code = Code.UNAUTHENTICATED


class Forbidden(ApiError):
    """The viewer may not do this."""

    code = Code.FORBIDDEN


class BadRequest(ApiError):
    """The parts of the request contradict each other."""

    code = Code.BAD_REQUEST


class PersistedQueryNotFound(ApiError):
    """No document that may run has the id of the request.

    Clients of Apollo's protocol for automatic persisted queries compare the message.
    """

    code = Code.PERSISTED_QUERY_NOT_FOUND

    def __init__(self, message: str = "PersistedQueryNotFound") -> None:
        super().__init__(message)


class PersistedQueryNotSupported(ApiError):
    """Clients cannot register documents; they send texts without ids instead, and compare the message."""

    code = Code.PERSISTED_QUERY_NOT_SUPPORTED

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


class OperationTimeout(ApiError):
    """The operation, or one of its statements, took longer than allowed."""

    code = Code.TIMEOUT


class Unavailable(ApiError):
    """The database cannot be reached, or every connection stayed busy."""

    code = Code.UNAVAILABLE


def answer_too_large(limit: int) -> LimitExceeded:
    """Return the error of an answer that exceeds its budget of bytes."""
    return LimitExceeded(f"The answer has over {limit} bytes.", limit=limit)
