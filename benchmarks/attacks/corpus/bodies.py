"""Attacks by bodies that are hardly requests."""

import gzip
import json

from benchmarks.attacks.attack import (
    BAD_BODY,
    DATA,
    INVALID,
    REFUSED,
    TOO_LARGE,
    TOO_LARGE_BODY,
    TOO_LONG_DOCUMENT,
    Attack,
    body,
)

# A body with very many values is refused before it is read as JSON.
NOT_JSON = BAD_BODY | TOO_LARGE
WRONG_TYPE = frozenset({"415"})
INFO = b'"query":"{serverInfo{version}}"'
UNRESOLVED = frozenset({"OPERATION_RESOLUTION_FAILURE"})


def operations(count: int) -> bytes:
    """Return a batch of operations."""
    return json.dumps([{"query": "{serverInfo{version}}"}] * count).encode()


ATTACKS = (
    Attack("bodies-01", "Lists 400,000 deep.", NOT_JSON, lambda _: body(b"[" * 400_000 + b"]" * 400_000)),
    Attack("bodies-02", "Lists 900,000 deep that never end.", NOT_JSON, lambda _: body(b"[" * 900_000)),
    Attack(
        "bodies-03",
        "Objects 100,000 deep.",
        NOT_JSON,
        lambda _: body(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ),
    Attack(
        "bodies-04",
        "The key `query` 70,000 times.",
        DATA | NOT_JSON,
        lambda _: body(b"{" + b'"query":"{a}",' * 70_000 + INFO + b"}"),
    ),
    Attack(
        "bodies-05",
        "Unknown keys, 60,000 of them.",
        DATA | NOT_JSON,
        lambda _: body(b"{" + b"".join(b'"k%d":%d,' % (n, n) for n in range(60_000)) + INFO + b"}"),
    ),
    Attack(
        "bodies-06",
        "A number of 1 MB where an operation is expected.",
        NOT_JSON,
        lambda _: body(b"9" * 1_000_000),
    ),
    Attack(
        "bodies-07",
        "A megabyte of white space.",
        DATA | NOT_JSON,
        lambda _: body(b" " * 1_000_000 + b"{" + INFO + b"}"),
    ),
    Attack(
        "bodies-08",
        "A batch of 25,000 operations.",
        NOT_JSON | REFUSED,
        lambda _: body(operations(25_000)),
    ),
    Attack("bodies-09", "One byte more than is allowed.", TOO_LARGE_BODY, lambda _: body(b" " * 1_048_577)),
    Attack("bodies-10", "Ten megabytes.", TOO_LARGE_BODY | frozenset({"closed"}), lambda _: body(b" " * 10_000_000)),
    Attack(
        "bodies-11", "Bytes that are no UTF-8.", NOT_JSON, lambda _: body(b'{"query":"' + b"\xff" * 500_000 + b'"}')
    ),
    Attack(
        "bodies-12",
        "JSON in UTF-16.",
        NOT_JSON,
        lambda _: body(json.dumps({"query": "{__typename}"}).encode("utf-16")),
    ),
    Attack(
        "bodies-13",
        "Numbers that JSON does not have.",
        NOT_JSON,
        lambda _: body(b'{"variables":{"a":[NaN,-Infinity]},' + INFO + b"}"),
    ),
    Attack(
        "bodies-14",
        "The name of the operation has 1 MB.",
        UNRESOLVED | NOT_JSON | TOO_LARGE_BODY | REFUSED,
        lambda _: body(b'{"operationName":"' + b"a" * 1_000_000 + b'",' + INFO + b"}"),
    ),
    Attack(
        "bodies-15",
        "Extensions of 300,000 values.",
        DATA | NOT_JSON | REFUSED,
        lambda _: body(b'{"extensions":{"a":[' + b"0," * 300_000 + b"0]}," + INFO + b"}"),
    ),
    Attack(
        "bodies-16",
        "Variables are a text of 1 MB.",
        NOT_JSON | REFUSED,
        lambda _: body(b'{"variables":"' + b"a" * 1_000_000 + b'",' + INFO + b"}"),
    ),
    Attack(
        "bodies-17",
        "The document is 170,000 times U+0000.",
        TOO_LONG_DOCUMENT,
        lambda _: body(b'{"query":"' + b"\\u0000" * 170_000 + b'"}'),
    ),
    Attack(
        "bodies-18",
        "A bomb of 50 MB in gzip.",
        NOT_JSON | WRONG_TYPE | TOO_LARGE_BODY,
        lambda _: body(gzip.compress(b" " * 50_000_000, mtime=0), Content_Encoding="gzip"),
    ),
    Attack(
        "bodies-19",
        "A form, which browsers send to other sites.",
        WRONG_TYPE,
        lambda _: body(b"query=" + b"a" * 900_000, "application/x-www-form-urlencoded"),
    ),
    Attack(
        "bodies-20",
        "A multipart body of 20,000 parts.",
        WRONG_TYPE,
        lambda _: body(
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 15_000, "multipart/form-data; boundary=b"
        ),
    ),
    Attack("bodies-21", "No body.", NOT_JSON, lambda _: body(b"")),
    Attack(
        "bodies-22",
        "Floats with 10,000 digits, 90 of them.",
        DATA | NOT_JSON | REFUSED,
        lambda _: body(b'{"variables":{"a":[' + b",".join([b"0." + b"1" * 10_000] * 90) + b"]}," + INFO + b"}"),
    ),
    Attack(
        "bodies-23",
        "Half a million floats.",
        DATA | NOT_JSON | REFUSED,
        lambda _: body(b'{"variables":{"a":[' + b"1e9," * 240_000 + b"1]}," + INFO + b"}"),
    ),
    Attack(
        "bodies-24",
        "A list in the place of the document.",
        NOT_JSON | INVALID,
        lambda _: body(b'{"query":[' + b"[]," * 300_000 + b"[]]}"),
    ),
    Attack(
        "bodies-25",
        "Ninety thousand small objects, which take 40 times their length in memory.",
        DATA | NOT_JSON | REFUSED,
        lambda _: body(b'{"variables":{"a":[' + b'{"b":{}},' * 110_000 + b"{}]}," + INFO + b"}"),
    ),
    Attack(
        "bodies-26",
        "JSON in UTF-16, in which an escaped quote hides 170,000 objects from those who count bytes.",
        BAD_BODY,
        lambda _: body(
            ('{"query":"{__typename}","a":"\\"","variables":{"v":[' + "{}," * 160_000 + "0]}}").encode("utf-16-le")
        ),
    ),
)
