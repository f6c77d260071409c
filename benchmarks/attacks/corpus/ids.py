"""Attacks by the ids of documents."""

import json
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from benchmarks.attacks.attack import BAD_BODY, BAD_HEAD, DATA, TOO_LARGE, Attack, HttpRequest, body, graphql

UNKNOWN = frozenset({"PERSISTED_QUERY_NOT_FOUND"})
COMMENT = f"#{'é' * 60_000}\n{{__typename}}"


def named(document_id: Any, **fields: Any) -> HttpRequest:
    """Return a POST of an id without a text."""
    return body(json.dumps({"documentId": document_id, **fields}).encode())


def registration(text: str, hash_: str) -> HttpRequest:
    """Return a POST of a text with a hash."""
    return graphql(text, extensions={"persistedQuery": {"version": 1, "sha256Hash": hash_}})


ATTACKS = (
    Attack("ids-01", "An id of a million characters.", UNKNOWN, lambda _: named("x" * 1_000_000)),
    Attack("ids-02", "An unknown id.", UNKNOWN, lambda n: named(f"sha256:{n:064x}"), repeats=20),
    Attack(
        "ids-03",
        "An id of 60 KB in the path.",
        UNKNOWN | BAD_HEAD,
        lambda _: HttpRequest("GET", f"/documents/{quote('é' * 10_000)}"),
    ),
    Attack(
        "ids-04",
        "The hash of another text, with a text of 120 KB.",
        BAD_BODY,
        lambda _: registration(COMMENT, "0" * 64),
    ),
    Attack(
        "ids-05",
        "Texts of 120 KB, all registered.",
        DATA | TOO_LARGE,
        lambda n: registration(f"#{n}{COMMENT}", sha256(f"#{n}{COMMENT}".encode()).hexdigest()),
        repeats=20,
    ),
    Attack(
        "ids-06",
        "A protocol that is a tower of objects.",
        BAD_BODY,
        lambda _: body(b'{"extensions":{"persistedQuery":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_002),
    ),
    Attack("ids-07", "An id that is a list of 9,000 ids.", BAD_BODY, lambda _: named(["x"] * 9_000)),
)
