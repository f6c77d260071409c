"""Ids of documents in requests: `documentId`, Apollo's `persistedQuery`, and the path of a URL."""

from http import HTTPStatus
from typing import Any

from gqlapi.documents.ids import normalize_id
from gqlapi.http.failures import HttpFailure

APQ = "persistedQuery"
APQ_VERSION = 1


def read_document_id(data: dict[str, Any], extensions: dict[str, Any] | None, path_id: str | None) -> str | None:
    """Return the normalized id that a request names, or None; `path_id` is that of its URL.

    Raises:
        HttpFailure: it is not a string, the protocol is not version 1 of Apollo's, or the URL has another id.
    """
    document_id = data.get("documentId")
    if document_id is None and extensions is not None and extensions.get(APQ) is not None:
        document_id = _of_apollo(extensions[APQ])
    if document_id is None:
        return path_id if path_id is None else normalize_id(path_id)
    if not isinstance(document_id, str):
        raise _malformed("`documentId` must be a string or null.")
    document_id = normalize_id(document_id)
    if path_id is not None and document_id != normalize_id(path_id):
        raise _malformed("The URL has the id of another document.")
    return document_id


def _of_apollo(persisted: object) -> str:
    if not isinstance(persisted, dict) or not isinstance(persisted.get("sha256Hash"), str):
        raise _malformed(f"`extensions.{APQ}` must be an object with a string `sha256Hash`.")
    if persisted.get("version") != APQ_VERSION:
        raise _malformed(f"`extensions.{APQ}.version` must be {APQ_VERSION}.")
    document_id: str = persisted["sha256Hash"]
    return document_id


def _malformed(message: str) -> HttpFailure:
    return HttpFailure(HTTPStatus.UNPROCESSABLE_ENTITY, message)
