"""Attacks by URLs."""

from benchmarks.attacks.attack import (
    BAD_BODY,
    BAD_HEAD,
    BAD_INPUT,
    DATA,
    INVALID,
    REFUSED,
    TOO_LONG_DOCUMENT,
    Attack,
    HttpRequest,
    get,
)

FORBIDDEN = frozenset({"FORBIDDEN", "403"})
ANY_REFUSAL = REFUSED | BAD_HEAD | TOO_LONG_DOCUMENT | FORBIDDEN
IDS = f"query($v:ID!){{nodes(ids:[{'$v ' * 980}]){{id}}}}"
FILTER = "query($v:PostFilter){posts(filter:$v){totalCount}}"


def parameters(text: str) -> HttpRequest:
    """Return a GET with these raw parameters."""
    return HttpRequest("GET", f"?{text}")


ATTACKS = (
    Attack("urls-01", "A text of 40 KB in 980 places.", ANY_REFUSAL, lambda _: get(IDS, {"v": "a" * 40_000})),
    Attack(
        "urls-02",
        "The same from an image on another site.",
        ANY_REFUSAL,
        lambda _: get(IDS, {"v": "a" * 40_000}, Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="image"),
    ),
    Attack("urls-03", "A URL of 900 KB.", ANY_REFUSAL | DATA, lambda _: get(f"#{'a' * 900_000}\n{{__typename}}")),
    Attack(
        "urls-04",
        "Parameters without a name, 20,000 of them.",
        ANY_REFUSAL | DATA,
        lambda _: parameters("&" * 20_000 + "query=%7B__typename%7D"),
    ),
    Attack(
        "urls-05",
        "The parameter `query` 5,000 times.",
        ANY_REFUSAL | DATA,
        lambda _: parameters("&".join(["query=%7B__typename%7D"] * 2_500)),
    ),
    Attack("urls-06", "Percent signs that encode nothing.", ANY_REFUSAL, lambda _: parameters(f"query={'%' * 60_000}")),
    Attack("urls-07", "Bytes that are no UTF-8.", ANY_REFUSAL, lambda _: parameters(f"query={'%ff%fe' * 5_000}")),
    Attack(
        "urls-08",
        "Five thousand unknown fields in the variables.",
        ANY_REFUSAL,
        lambda _: get(FILTER, {"v": {f"k{n}": 1 for n in range(4_000)}}),
    ),
    Attack(
        "urls-09",
        "Variables 20,000 levels deep.",
        ANY_REFUSAL,
        lambda _: parameters(f"query=%7B__typename%7D&variables={'[' * 20_000}"),
    ),
    Attack(
        "urls-10",
        "A mutation.",
        BAD_BODY | INVALID | FORBIDDEN | BAD_INPUT | frozenset({"405"}),
        lambda _: get("mutation{signOut(input:{}){signedOut}}"),
    ),
    Attack(
        "urls-11",
        "U+0000 in each parameter.",
        ANY_REFUSAL,
        lambda _: parameters("query=%00&variables=%00&operationName=%00"),
    ),
)
