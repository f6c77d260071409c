"""Failures of a request before GraphQL begins, answered in GraphQL's own shape."""

from collections.abc import Mapping

from starlette.responses import Response

from gqlapi.errors import Code
from gqlapi.http.json import GraphQLJSONResponse

HTTP_SERVICE_UNAVAILABLE = 503
RETRY_AFTER_SECONDS = "1"


class HttpFailure(Exception):
    """A request that is refused with a status."""

    def __init__(
        self,
        status_code: int,
        message: str,
        *,
        code: Code = Code.BAD_REQUEST,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say why, for the client's developer."""
        super().__init__(message)
        self.status_code = status_code
        self.message = message
        self.code = code
        self.headers = headers

    def to_response(self, headers: Mapping[str, str] | None = None) -> Response:
        """Return the answer."""
        error = {"message": self.message, "extensions": {"code": str(self.code)}}
        return GraphQLJSONResponse({"errors": [error]}, self.status_code, headers)


def busy() -> HttpFailure:
    """Return the refusal of a request for want of a place."""
    headers = {"Retry-After": RETRY_AFTER_SECONDS}
    return HttpFailure(
        HTTP_SERVICE_UNAVAILABLE, "The server is busy. Try again.", code=Code.UNAVAILABLE, headers=headers
    )
