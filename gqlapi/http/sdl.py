"""The schema as a file, for tools of clients: `GET /graphql/schema.graphql`."""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gqlapi.http.conditional import answer_once


class Described(Protocol):
    """What a schema has of itself."""

    @property
    def sdl(self) -> str:
        """The schema as SDL."""


class SchemaFile:
    """Sends the SDL, with the directives that introspection does not show."""

    def __init__(self, schema: Described) -> None:
        """Send the SDL of a schema."""
        self._schema = schema

    async def send(self, request: Request) -> Response:
        """Answer one request."""
        return answer_once(request, PlainTextResponse(self._schema.sdl, headers={"Cache-Control": "no-cache"}))
