"""Answers that a client may have already: RFC 9110, section 13."""

import hashlib
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

OF_BODY = {"content-encoding", "content-length", "content-type"}


def answer_once(request: Request, response: Response) -> Response:
    """Add the ETag of a body, and leave the body out for a client that has it."""
    etag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    response.headers["ETag"] = etag
    if etag not in request.headers.get("if-none-match", ""):
        return response
    kept = {name: value for name, value in response.headers.items() if name not in OF_BODY}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
