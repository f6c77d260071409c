"""Answers that a client may have already: RFC 9110, section 13."""

import hashlib
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

OF_BODY = {"content-encoding", "content-length", "content-type"}


def etag_of(content: bytes, coding: str = "") -> str:
    """Return the strong validator of a body; each content coding has its own."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return f'"{digest}-{coding}"' if coding else f'"{digest}"'


def has_already(if_none_match: str, etag: str) -> bool:
    """Whether a client has the body of an ETag; a proxy may have made its ETag a weak one (section 13.1.2)."""
    known = {text.strip().removeprefix("W/") for text in if_none_match.split(",")}
    return etag in known or "*" in known


def answer_once(request: Request, response: Response) -> Response:
    """Add the ETag of a body, and leave the body out for a client that has it."""
    etag = etag_of(bytes(response.body))
    response.headers["ETag"] = etag
    if not has_already(request.headers.get("if-none-match", ""), etag):
        return response
    kept = {name: value for name, value in response.headers.items() if name not in OF_BODY}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
