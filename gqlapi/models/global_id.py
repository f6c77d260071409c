"""Global object identification: opaque ids of the GraphQL `Node` interface.

https://relay.dev/graphql/objectidentification.htm
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import ClassVar, NamedTuple
from uuid import UUID

UUID_BYTES = 16
# Twice the length of the longest one.
MAX_ID_LENGTH = 64
# From so many on.
MANY_IDS = 4
URL_SAFE = bytes.maketrans(b"+/", b"-_")
STANDARD = bytes.maketrans(b"-_", b"+/")


def encode_global_id(typename: str, id_: UUID) -> str:
    """Return the opaque text: base64url without padding of the type's name, then the 16 bytes of the key."""
    return b2a_base64(typename.encode() + id_.bytes, newline=False).translate(URL_SAFE, b"=").decode()


def encode_global_ids(nodes: Sequence["GlobalIdMixin"]) -> list[str]:
    """Return the ids of nodes of one type: of many together in a quarter of the time of one after the other."""
    if len(nodes) < MANY_IDS:
        return [node.global_id for node in nodes]
    typename = nodes[0].typename.encode()
    length = len(typename) + UUID_BYTES
    # Base64 encodes three bytes as four characters: zeros make each type's ids begin with a distinct character.
    padding = bytes(-length % 3)
    data = (padding + typename).join(node.id.bytes for node in nodes)
    text = b2a_base64(typename + data + padding, newline=False).translate(URL_SAFE).decode()
    width, shown = (length + len(padding)) // 3 * 4, -(-length * 4 // 3)
    return [text[start : start + shown] for start in range(0, len(text), width)]


class GlobalId(NamedTuple):
    """The type and the key of a node."""

    typename: str
    id: UUID

    def encode(self) -> str:
        """Return the opaque text."""
        return encode_global_id(self.typename, self.id)


def decode_global_id(text: str) -> GlobalId:
    """Read an opaque id back.

    Raises:
        ValueError: the text is not one that `encode` makes.
    """
    if len(text) > MAX_ID_LENGTH:
        raise ValueError("not a global id")
    try:
        data = a2b_base64(text.encode("ascii").translate(STANDARD) + b"=" * (-len(text) % 4))
        decoded = GlobalId(data[:-UUID_BYTES].decode("ascii"), UUID(bytes=data[-UUID_BYTES:]))
    except (Base64Error, ValueError) as error:
        raise ValueError("not a global id") from error
    # base64 decoders skip foreign characters: only the canonical text of a key is that key's id.
    if not decoded.typename.isalpha() or decoded.encode() != text:
        raise ValueError("not a global id")
    return decoded


class GlobalIdMixin:
    """Gives entities and records their `global_id`."""

    __slots__ = ()
    typename: ClassVar[str]
    id: UUID

    @property
    def global_id(self) -> str:
        """The opaque id that the API shows."""
        return encode_global_id(self.typename, self.id)
