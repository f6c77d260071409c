"""Opaque ids in arguments."""

from uuid import UUID

from gqlapi.errors import BadUserInput
from gqlapi.models import GlobalId, decode_global_id


def decode_id(text: str) -> GlobalId:
    """Decode an id of any type.

    Raises:
        BadUserInput: it is not one that this server made.
    """
    try:
        return decode_global_id(text)
    except ValueError:
        raise BadUserInput("The id is not one that this server made.") from None


def decode_id_of(typename: str, text: str) -> UUID:
    """Decode an id that must be of one type.

    Raises:
        BadUserInput: it is not one that this server made, or is of another type.
    """
    global_id = decode_id(text)
    if global_id.typename != typename:
        raise BadUserInput(f"The id is not that of a {typename}.")
    return global_id.id
