"""JSON responses."""

from typing import Any

import orjson
from starlette.responses import Response


class GraphQLJSONResponse(Response):
    """A response encoded by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return orjson.dumps(content)
