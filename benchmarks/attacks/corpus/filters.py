"""Attacks by filters and the query language of search."""

from typing import Any

from benchmarks.attacks.attack import BAD_INPUT, DATA, REFUSED, TOO_LARGE, Attack, HttpRequest, graphql, nest

ANY = DATA | REFUSED
LIGATURE = "\ufdfa"


def posts(condition: Any) -> HttpRequest:
    """Return a request that counts the posts that a filter matches."""
    return graphql("query($v:PostFilter){posts(filter:$v){totalCount}}", {"v": condition})


def search(text: str) -> HttpRequest:
    """Return a request that searches."""
    return graphql("query($v:String!){search(query:$v){totalCount}}", {"v": text})


ATTACKS = (
    Attack("filters-01", "A filter 50 levels deep.", REFUSED, lambda _: posts(nest(50))),
    Attack(
        "filters-02", "A filter of 2,000 branches.", REFUSED, lambda _: posts({"or": [{"slug": {"eq": "a"}}] * 2_000})
    ),
    Attack(
        "filters-03",
        "Fifty branches of 500 values.",
        ANY,
        lambda _: posts({"or": [{"title": {"in": [f"title {b} {n}" for n in range(500)]}} for b in range(49)]}),
    ),
    Attack("filters-04", "A title contains 1 MB.", ANY, lambda _: posts({"title": {"contains": "a" * 1_000_000}})),
    Attack(
        "filters-05",
        "A title contains 340,000 ligatures, which fold to 6 million characters.",
        ANY,
        lambda _: posts({"title": {"contains": LIGATURE * 340_000}}),
    ),
    Attack(
        "filters-06",
        "Five hundred values of 2,000 characters.",
        ANY,
        lambda _: posts({"title": {"in": [f"{n:04}" + "é" * 900 for n in range(500)]}}),
    ),
    Attack(
        "filters-07",
        "A pattern of 200,000 wildcards, each of which must be escaped.",
        ANY,
        lambda _: posts({"title": {"contains": "%_" * 200_000}}),
    ),
    Attack(
        "filters-08",
        "Alternating letters and wildcards: backtracking of LIKE.",
        ANY,
        lambda _: posts({"or": [{"title": {"contains": "p%o%s%t%" * 12 + str(n)}} for n in range(49)]}),
    ),
    Attack(
        "filters-09",
        "Sixteen branches of tags: a subquery each.",
        ANY,
        lambda _: posts({"or": [{"tags": {"some": {"name": {"contains": f"t{n}"}}}} for n in range(16)]}),
    ),
    Attack(
        "filters-10",
        "Twelve negated authors.",
        ANY,
        lambda _: posts({"and": [{"not": {"author": {"username": {"contains": f"x{n}"}}}} for n in range(12)]}),
    ),
    Attack(
        "filters-11",
        "Searches in all branches of a filter.",
        ANY,
        lambda _: posts({"or": [{"search": f"a{n}*"} for n in range(49)]}),
    ),
    Attack(
        "filters-12",
        "Five hundred ids that are none.",
        REFUSED,
        lambda _: posts({"id": {"in": ["not an id" * 100] * 500}}),
    ),
    Attack(
        "filters-13",
        "Times at the ends of the calendar, with offsets beyond them.",
        ANY,
        lambda _: posts({"createdAt": {"gt": "0001-01-01T00:00:00+23:59", "lt": "9999-12-31T23:59:59-23:59"}}),
    ),
    Attack("filters-14", "A slug of 1 MB.", ANY, lambda _: posts({"slug": {"eq": "A" * 1_000_000}})),
    Attack(
        "filters-15",
        "A time with 500,000 digits of a second.",
        ANY,
        lambda _: posts({"createdAt": {"eq": f"2026-01-01T00:00:00.{'1' * 500_000}Z"}}),
    ),
    Attack("filters-16", "A search of 1 MB.", BAD_INPUT | TOO_LARGE, lambda _: search("a " * 500_000)),
    Attack("filters-17", "A search of 250 beginnings of one letter.", BAD_INPUT, lambda _: search("a* " * 166)),
    Attack(
        "filters-18",
        "A search of 20 beginnings.",
        ANY,
        lambda _: search(" ".join(f"{c}*" for c in "abcdefghijklmnopqrst")),
    ),
    Attack("filters-19", "A search of quotes.", ANY, lambda _: search('"' * 500)),
    Attack("filters-20", "A search of 499 exclusions and one word.", ANY, lambda _: search("-b " * 19 + "p*")),
    Attack("filters-21", "A phrase of 250 words.", ANY, lambda _: search('"' + "a " * 249 + '"')),
    Attack(
        "filters-22", "A search of 500 ligatures: 9,000 characters when folded.", ANY, lambda _: search(LIGATURE * 500)
    ),
    Attack(
        "filters-23",
        "A search of operators of the database's own query languages.",
        ANY,
        lambda _: search("a:* & !b | (c <-> d) NEAR(e f, 9) ^g {h} : - OR AND NOT 'x' \\"),
    ),
    Attack(
        "filters-24",
        "Hundreds of filter shapes, each compiled and kept.",
        ANY,
        lambda n: posts({"or": [{"title": {"contains" if n >> bit & 1 else "eq": "q"}} for bit in range(20)]}),
        repeats=200,
    ),
    Attack(
        "filters-25",
        "Hundreds of filters in the document, refused for 220 branches, that are kept as documents.",
        REFUSED,
        lambda n: graphql(f"{{a{n}:posts(filter:{{or:[{'{}' * 220}]}}){{totalCount}}}}"),
        repeats=100,
    ),
    Attack(
        "filters-26",
        "Case-sensitive comparisons that no index serves, in 49 branches.",
        ANY,
        lambda _: posts({"or": [{"title": {"contains": f"x{n}", "caseInsensitive": False}} for n in range(49)]}),
    ),
    Attack(
        "filters-27",
        "A list of 500 statuses, all the same.",
        ANY,
        lambda _: posts({"status": ["PUBLISHED", "DRAFT", "ARCHIVED"] * 300}),
    ),
    Attack(
        "filters-28",
        "An ordering of 10,000 keys.",
        ANY,
        lambda _: graphql("query($v:[PostOrder!]){posts(orderBy:$v){nodes{id}}}", {"v": [{"field": "TITLE"}] * 10_000}),
    ),
    Attack(
        "filters-29",
        "Search for 60 thousand different characters, which caches of characters keep.",
        ANY,
        lambda n: search("".join(chr(0x4E00 + (n * 400 + i) % 20_000) for i in range(400))),
        repeats=50,
    ),
    Attack(
        "filters-30",
        "Nineteen phrases of 240 words in one filter, each word a reader of the index: 276 MB.",
        TOO_LARGE,
        lambda _: posts({"or": [{"search": '"' + "a " * 240 + f'{n}"'} for n in range(19)]}),
    ),
    Attack(
        "filters-31",
        "A phrase of 490 ligatures, which are four words each.",
        TOO_LARGE,
        lambda _: posts({"search": LIGATURE * 490}),
    ),
    Attack(
        "filters-32",
        "As long a phrase as the limit of cost just allows.",
        DATA,
        lambda _: posts({"search": '"' + "a " * 170 + '"'}),
    ),
    Attack(
        "filters-33",
        "Titles in ligatures, each of a length that is folded before it is compared.",
        TOO_LARGE,
        lambda _: posts({"title": {"in": [f"{LIGATURE * 2_370}{n}" for n in range(139)]}}),
    ),
    Attack(
        "filters-34",
        "Five hundred titles of 296 ligatures.",
        TOO_LARGE,
        lambda _: posts({"title": {"in": [f"{LIGATURE * 296}{n}" for n in range(500)]}}),
    ),
)
