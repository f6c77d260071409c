"""What keeps documents from being trusted."""

from collections.abc import Mapping

from gqlapi.documents.ids import id_problem
from gqlapi.documents.manifests import shown
from gqlapi.documents.trusted import Check
from gqlapi.operations.presentation import present


def find_problems(documents: Mapping[str, str], max_cost: int | None, check: Check) -> list[str]:
    """Return a line for each document that cannot be kept under its id, or could never run."""
    found: list[str] = []
    for document_id, text in documents.items():
        if problem := id_problem(document_id, text) or _text_problem(text):
            found.append(f"{shown(document_id)}: {problem}.")
        elif errors := check(text, max_cost):
            found.append(f"{document_id}: {present(errors[0], '', is_refused=True).message}")
    return found


def _text_problem(text: str) -> str | None:
    """Return why a database cannot keep a text."""
    if "\0" in text:
        return "the text has a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "the text has half of a surrogate pair"
    return None
