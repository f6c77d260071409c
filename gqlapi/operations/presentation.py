"""How errors are presented to clients."""

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from gqlapi.errors import ApiError, Code, LimitExceeded

# How graphql-core and Python begin messages that say more than a syntax error.
TOO_LONG = "Document contains more than"
TOO_COMPLEX = "Validation aborted."
TOO_MANY_DIGITS = "Exceeds the limit"
# A message may repeat what the client sent.
MAX_MESSAGE_LENGTH = 500

logger = structlog.get_logger()


def present(error: GraphQLError, request_id: str, *, is_refused: bool) -> GraphQLError:
    """Return the error for a client: our own errors and the specification's as they are, all others masked.

    `is_refused`: nothing ran, so a ValueError is that of a scalar that refuses a literal.
    """
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    if is_refused and isinstance(original, RecursionError):  # how deep is too deep depends on the server's own stack
        original = LimitExceeded("The operation is nested too deeply.")
        error = GraphQLError(original.message, error.nodes, path=error.path, original_error=original)
    if original is None or isinstance(original, ApiError) or (is_refused and isinstance(original, ValueError)):
        details = original.extensions if isinstance(original, ApiError) else {}
        fallback = Code.GRAPHQL_VALIDATION_FAILED if is_refused else Code.BAD_USER_INPUT
        return GraphQLError(
            _message_of(error, original),
            error.nodes,
            error.source,
            error.positions,
            error.path,
            extensions={**details, **(error.extensions or {}), "code": _code_of(error, original, fallback)},
        )
    logger.error("masked error", request_id=request_id, path=error.path, exc_info=original)
    message = f"Internal server error. The server's log has details under request id {request_id}."
    extensions = {"code": str(Code.INTERNAL_SERVER_ERROR), "requestId": request_id}
    return GraphQLError(message, error.nodes, path=error.path, extensions=extensions)


def _message_of(error: GraphQLError, original: Exception | None) -> str:
    message = error.message
    if message == TOO_COMPLEX:
        return "The document selects the same fields too often to be checked."
    if isinstance(original, ValueError) and str(original).startswith(TOO_MANY_DIGITS):
        return "A number has too many digits."
    return message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"


def _code_of(error: GraphQLError, original: Exception | None, fallback: Code) -> str:
    if isinstance(original, ApiError):
        return str(original.code)
    if isinstance(error, GraphQLSyntaxError):
        too_long = TOO_LONG in error.message
        return str(Code.LIMIT_EXCEEDED if too_long else Code.GRAPHQL_PARSE_FAILED)
    if error.message == TOO_COMPLEX:
        return str(Code.LIMIT_EXCEEDED)
    return str((error.extensions or {}).get("code", fallback))


def no_operation(name: str | None) -> GraphQLError:
    """Return the error of a request that names no operation of its document, or one that is not there."""
    message = "Name one of the document's operations in `operationName`."
    if name is not None:
        message = f"The document has no operation named {name[:MAX_MESSAGE_LENGTH]!r}."
    return GraphQLError(message, extensions={"code": str(Code.OPERATION_RESOLUTION_FAILURE)})
