"""Ids of documents (GraphQL over HTTP, appendix A: persisted documents)."""

import re
from hashlib import sha256

from gqlapi.models.trusted_document import MAX_DOCUMENT_ID_LENGTH

PREFIX = "sha256:"
OWN_PREFIX = "x-"
DIGEST_LENGTH = 64
DIGEST = re.compile(rf"[0-9a-f]{{{DIGEST_LENGTH}}}")
# Those that need no escapes in a URL (RFC 3986, section 2.3), and colons.
CHARACTERS = re.compile(r"[A-Za-z0-9._~:-]+")


def sha256_id(text: str) -> str:
    """Return the id that follows from the text of a document."""
    return PREFIX + sha256(text.encode(errors="surrogatepass")).hexdigest()


def normalize_id(document_id: str) -> str:
    """Return an id with the prefix that it is kept under: Apollo and Relay send SHA-256 without one."""
    is_digest = len(document_id) == DIGEST_LENGTH and DIGEST.fullmatch(document_id)
    return PREFIX + document_id if is_digest else document_id


def id_problem(document_id: str, text: str) -> str | None:
    """Return why a document cannot be kept under a normalized id, None if it can."""
    prefix, colon, _ = document_id.partition(":")
    if len(document_id) > MAX_DOCUMENT_ID_LENGTH:
        return f"the id has over {MAX_DOCUMENT_ID_LENGTH} characters"
    if not CHARACTERS.fullmatch(document_id):
        return "an id has letters, digits, and . _ ~ : - only"
    if document_id.startswith(PREFIX):
        return None if document_id == sha256_id(text) else "the id is not the SHA-256 hash of the text"
    if colon and not prefix.startswith(OWN_PREFIX):
        return f"the prefix {prefix}: is reserved; use {PREFIX} or one that begins with {OWN_PREFIX}"
    return None
