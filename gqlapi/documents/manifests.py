"""Files with documents, as the compilers of clients write them.

A map of ids to texts: graphql-codegen's `persistedDocuments`, and relay-compiler's `persistConfig.file`. A list under
`operations`: Apollo's `generate-persisted-query-manifest`. A `.graphql` file is one document.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gqlapi.documents.ids import normalize_id, sha256_id

DOCUMENT_SUFFIXES = (".graphql", ".gql")
MAX_FILE_BYTES = 32 * 1_048_576
APOLLO_FORMAT = "apollo-persisted-query-manifest"
APOLLO_VERSION = 1
MAX_SHOWN_LENGTH = 80


class UnreadableManifest(Exception):
    """A file has no documents that could be read; the message says why, on one line."""


def read_manifest(path: Path) -> dict[str, str]:
    """Read the texts of a file by their normalized ids.

    Raises:
        UnreadableManifest: the file cannot be read, or is in none of the known forms.
    """
    text = _read(path)
    if path.suffix in DOCUMENT_SUFFIXES:
        return {sha256_id(text): text}
    content = _parse(text)
    if not isinstance(content, dict):
        raise UnreadableManifest("the file is not a JSON object")
    pairs = _of_apollo(content) if content.get("format") == APOLLO_FORMAT else content.items()
    documents = _collect(pairs)
    if not documents:
        raise UnreadableManifest("the file has no documents")
    return documents


def shown(text: object) -> str:
    """Return what a line of output has of a value from a file."""
    line = repr(text)
    return line if len(line) <= MAX_SHOWN_LENGTH else line[:MAX_SHOWN_LENGTH] + "…"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # a ValueError: the path has a NUL
        raise UnreadableManifest(getattr(error, "strerror", None) or str(error)) from None
    if len(content) > MAX_FILE_BYTES:
        raise UnreadableManifest(f"the file has over {MAX_FILE_BYTES} bytes")
    try:
        return content.decode("utf-8-sig" if path.suffix not in DOCUMENT_SUFFIXES else "utf-8")
    except UnicodeDecodeError:
        raise UnreadableManifest("the file is not UTF-8") from None


def _parse(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise UnreadableManifest("the file is nested too deeply") from None
    except ValueError as error:
        raise UnreadableManifest(f"the file is not JSON: {error}") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UnreadableManifest(f"the file has {shown(name)} twice")
        found[name] = value
    return found


def _of_apollo(content: dict[str, Any]) -> Iterable[tuple[Any, Any]]:
    if content.get("version") != APOLLO_VERSION:
        raise UnreadableManifest(f"the version of the manifest is not {APOLLO_VERSION}")
    operations = content.get("operations")
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise UnreadableManifest("`operations` is not a list of objects")
    return [(operation.get("id"), operation.get("body")) for operation in operations]


def _collect(pairs: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    documents: dict[str, str] = {}
    for document_id, text in pairs:
        if not isinstance(document_id, str) or not isinstance(text, str):
            raise UnreadableManifest(f"the document {shown(document_id)} is not an id with a text")
        name = normalize_id(document_id)
        if documents.setdefault(name, text) != text:
            raise UnreadableManifest(f"the file has {shown(document_id)} with two texts")
    return documents
