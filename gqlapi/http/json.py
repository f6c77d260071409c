"""JSON responses."""

import json
from typing import Any

import orjson
from starlette.responses import Response


def encode_json(content: Any) -> bytes:
    """Encode as UTF-8; a lone surrogate, which a message may repeat from the request, becomes a question mark."""
    try:
        return orjson.dumps(content)
    except TypeError:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


class GraphQLJSONResponse(Response):
    """A response encoded by `encode_json`."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return encode_json(content)
