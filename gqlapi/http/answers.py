"""Responses over HTTP."""

from http import HTTPStatus
from typing import NamedTuple

from gqlapi.errors import ApiError
from gqlapi.http.json import HeaderList, Json, encode_json


class Answer(NamedTuple):
    """A response over HTTP."""

    content: bytes | Json
    status: int = HTTPStatus.OK
    headers: HeaderList = ()

    @classmethod
    def of_error(cls, error: ApiError) -> "Answer":
        """Return the answer of an operation that has an error in the place of its data."""
        errors = [{"message": error.message, "extensions": error.extensions}]
        return cls(encode_json({"data": None, "errors": errors}))
