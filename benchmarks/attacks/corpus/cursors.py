"""Attacks by forged cursors and ids. What is inside a cursor is no secret."""

import json
from base64 import urlsafe_b64encode
from typing import Any

from benchmarks.attacks.attack import BAD_CURSOR, DATA, REFUSED, Attack, HttpRequest, graphql
from benchmarks.attacks.content import POST_IDS
from gqlapi.repositories.pages import Ordering
from gqlapi.schema.ordering import (
    PostOrder,
    PostOrderField,
    TagOrder,
    TagOrderField,
    UserOrder,
    UserOrderField,
    to_ordering,
)

SOME_UUID = "01932c07-209c-7000-8000-000000000000"
PUBLISHED = to_ordering((PostOrder(field=PostOrderField.PUBLISHED_AT),))
TITLE = to_ordering((PostOrder(field=PostOrderField.TITLE),))
USERNAME = to_ordering((UserOrder(field=UserOrderField.USERNAME),))
NAME = to_ordering((TagOrder(field=TagOrderField.NAME),))
ANY_REFUSAL = BAD_CURSOR | REFUSED


def encode(text: str | bytes) -> str:
    """Return what a cursor makes of its JSON."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def cursor(ordering: Ordering, values: Any) -> str:
    """Return a cursor of an ordering with any values."""
    return encode(json.dumps([ordering.digest, values]))


def page(after: str, field: str = "PUBLISHED_AT", name: str = "posts") -> HttpRequest:
    """Return a request for the page behind a cursor."""
    return graphql(f"query($v:Cursor){{{name}(orderBy:{{field:{field}}},after:$v){{nodes{{id}}}}}}", {"v": after})


def node(id_: str) -> HttpRequest:
    """Return a request for one id."""
    return graphql("query($v:ID!){node(id:$v){id}}", {"v": id_})


def nodes(ids: list[str]) -> HttpRequest:
    """Return a request for several ids."""
    return graphql("query($v:[ID!]!){nodes(ids:$v){id}}", {"v": ids})


ATTACKS = (
    Attack(
        "cursors-01",
        "A time that is before the first year in UTC.",
        ANY_REFUSAL,
        lambda _: page(cursor(PUBLISHED, ["0001-01-01T00:00:00+23:59", SOME_UUID])),
    ),
    Attack(
        "cursors-02",
        "A time that is after the last year in UTC.",
        ANY_REFUSAL | DATA,
        lambda _: page(cursor(PUBLISHED, ["9999-12-31T23:59:59-23:59", SOME_UUID])),
    ),
    Attack(
        "cursors-03",
        "U+0000 in a title.",
        ANY_REFUSAL,
        lambda _: page(cursor(TITLE, ["\x00", SOME_UUID]), "TITLE"),
    ),
    Attack(
        "cursors-04",
        "U+0000 in a user name.",
        ANY_REFUSAL,
        lambda _: page(cursor(USERNAME, ["a\x00", SOME_UUID][: len(USERNAME.terms)]), "USERNAME", "users"),
    ),
    Attack(
        "cursors-05",
        "U+0000 in the name of a tag.",
        ANY_REFUSAL,
        lambda _: page(cursor(NAME, ["a\x00", SOME_UUID][: len(NAME.terms)]), "NAME", "tags"),
    ),
    Attack(
        "cursors-06",
        "A lone surrogate in a title.",
        ANY_REFUSAL,
        lambda _: page(cursor(TITLE, ["\ud800", SOME_UUID]), "TITLE"),
    ),
    Attack(
        "cursors-07",
        "A title of 700,000 characters.",
        ANY_REFUSAL | DATA,
        lambda _: page(cursor(TITLE, ["a" * 700_000, SOME_UUID]), "TITLE"),
    ),
    Attack("cursors-08", "A million characters that are no base64.", ANY_REFUSAL, lambda _: page("*" * 1_000_000)),
    Attack("cursors-09", "Base64 of 500,000 brackets.", ANY_REFUSAL, lambda _: page(encode("[" * 500_000))),
    Attack(
        "cursors-10", "Base64 of 1,000 nested lists.", ANY_REFUSAL, lambda _: page(encode("[" * 1_000 + "]" * 1_000))
    ),
    Attack(
        "cursors-11", "A number of 500,000 digits.", ANY_REFUSAL, lambda _: page(encode(f'["x",[{"9" * 500_000}]]'))
    ),
    Attack(
        "cursors-12",
        "An infinite number in the place of a time.",
        ANY_REFUSAL,
        lambda _: page(encode(f'["{PUBLISHED.digest}",[1e999,"{SOME_UUID}"]]')),
    ),
    Attack(
        "cursors-13",
        "Lists in the place of values.",
        ANY_REFUSAL,
        lambda _: page(cursor(PUBLISHED, [[[["2026-01-01"]]], {"a": 1}])),
    ),
    Attack("cursors-14", "Bytes that are no text.", ANY_REFUSAL, lambda _: page(encode(b"\xff\xfe" * 1_000))),
    Attack(
        "cursors-15",
        "A time of 700,000 characters.",
        ANY_REFUSAL | DATA,
        lambda _: page(cursor(PUBLISHED, ["2026-01-01T00:00:00." + "1" * 700_000 + "+00:00", SOME_UUID])),
    ),
    Attack(
        "cursors-16",
        "A UUID in each of the forms that Python reads.",
        ANY_REFUSAL | DATA,
        lambda _: page(cursor(PUBLISHED, ["2026-01-01T00:00:00+00:00", "urn:uuid:{" + SOME_UUID + "}"])),
    ),
    Attack(
        "cursors-17",
        "A score that is no number in the cursor of a search.",
        ANY_REFUSAL,
        lambda _: graphql(
            'query($v:Cursor){search(query:"a",after:$v){nodes{__typename}}}',
            {"v": encode(f'["000000",[1e999,"{SOME_UUID}"]]')},
        ),
    ),
    Attack("cursors-18", "An id of 1 MB.", REFUSED | DATA, lambda _: node("a" * 1_000_000)),
    Attack(
        "cursors-19", "An id of 330,000 characters outside ASCII.", REFUSED | DATA, lambda _: node("\u4e2d" * 330_000)
    ),
    Attack("cursors-20", "A hundred ids of 10 KB.", REFUSED | DATA, lambda _: nodes(["QUJD" * 2_500] * 100)),
    Attack("cursors-21", "Thirty thousand valid ids.", REFUSED, lambda _: nodes([POST_IDS[0]] * 30_000)),
    Attack(
        "cursors-22",
        "An id of a type that does not exist.",
        REFUSED | DATA,
        lambda _: node(encode(b"Nope" + b"\x00" * 16)),
    ),
    Attack(
        "cursors-23", "An id whose type has 600,000 letters.", REFUSED | DATA, lambda _: node(encode(b"P" * 600_000))
    ),
    Attack(
        "cursors-24",
        "Ids with foreign characters, white space and padding inside.",
        REFUSED | DATA,
        lambda _: nodes([POST_IDS[0] + tail for tail in ("=", "==", "\n", " ", "\u200b", "%00", "'--")]),
    ),
)
