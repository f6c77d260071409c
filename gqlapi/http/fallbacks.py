"""Answers of the router, in the shape of the API's errors."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gqlapi.http.failures import HttpFailure
from gqlapi.http.json import MEDIA_TYPE


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """Answer a request for a path or a method that is not served."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these only
    content = HttpFailure(error.status_code, error.detail).content
    return Response(content, error.status_code, error.headers, MEDIA_TYPE)
