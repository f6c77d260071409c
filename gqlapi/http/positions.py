"""The position that a client has from the answers of its mutations, and sends with what it reads afterwards."""

from gqlapi.database.positions import NOWHERE, parse_position
from gqlapi.http.clients import Headers
from gqlapi.http.requests import GraphQLRequest, malformed

POSITION_HEADER = b"x-position"
MEMBER = "position"


def position_of(headers: Headers, request: GraphQLRequest) -> int:
    """Return the later one of the positions in the header and in `extensions` of a request, 0 if it has none.

    Raises:
        HttpFailure: 422, one of them is not a position.
    """
    in_header = headers.get(POSITION_HEADER)
    in_extensions = (request.extensions or {}).get(MEMBER)
    try:
        return max(
            NOWHERE if in_header is None else parse_position(in_header.decode("latin-1")),
            NOWHERE if in_extensions is None else parse_position(in_extensions),
        )
    except (TypeError, ValueError):
        raise malformed("X-Position, and `position` in `extensions`, must be a position such as 0/16B3748.") from None
