"""Attacks by the values of variables."""

import json

from benchmarks.attacks.attack import (
    BAD_BODY,
    BAD_INPUT,
    DATA,
    INVALID,
    REFUSED,
    TOO_LARGE,
    Attack,
    body,
    graphql,
    nest,
)

FILTER = "query($v:PostFilter){posts(filter:$v){totalCount}}"
FILTERS = "query($v:[PostFilter!]){posts(filter:{or:$v}){totalCount}}"
STATUSES = "query($v:[PostStatus!]){posts(filter:{status:$v}){totalCount}}"
IDS = "query($v:[ID!]!){nodes(ids:$v){id}}"
NOTHING = "{__typename}"
MEGABYTE = 1_000_000
LIGATURE = "\ufdfa"  # NFKC makes 18 characters of it


def keys(count: int) -> dict[str, int]:
    """Return an object with so many fields that no input type has."""
    return {f"unknown{number}": number for number in range(count)}


def numbers(count: int, name: str) -> bytes:
    """Return a body with one variable whose value is JSON that no encoder of ours writes."""
    return b'{"query":"query($v:Int){posts(first:$v){totalCount}}","variables":{"v":' + name.encode() * count + b"}}"


ATTACKS = (
    Attack(
        "variables-01",
        "A text of 1 MB in 980 places is scanned at each of them.",
        REFUSED,
        lambda _: graphql(f"query($v:ID!){{nodes(ids:[{'$v ' * 980}]){{id}}}}", {"v": "a" * 1_000_000}),
    ),
    Attack(
        "variables-02",
        "Each of 8,000 unknown fields gets an error that prints the whole object.",
        REFUSED,
        lambda _: graphql(FILTER, {"v": keys(8_000)}),
    ),
    Attack(
        "variables-03",
        "The same with 40,000 unknown fields, nearly 1 MB.",
        REFUSED,
        lambda _: graphql(FILTER, {"v": keys(40_000)}),
    ),
    Attack(
        "variables-04",
        "Each of 130,000 wrong enum values gets an error with suggestions.",
        REFUSED,
        lambda _: graphql(STATUSES, {"v": ["NOPE"] * 130_000}),
    ),
    Attack(
        "variables-05",
        "A list of 260,000 empty filters is converted before it is counted.",
        REFUSED,
        lambda _: graphql(FILTERS, {"v": [{}] * 260_000}),
    ),
    Attack(
        "variables-06",
        "The same list in 20 root fields is converted 20 times.",
        REFUSED,
        lambda _: graphql(
            f"query($v:[PostFilter!]){{{' '.join(f'a{n}:posts(filter:{{or:$v}}){{totalCount}}' for n in range(20))}}}",
            {"v": [{}] * 260_000},
        ),
    ),
    Attack(
        "variables-07",
        "A list of 100,000 valid enum values.",
        REFUSED,
        lambda _: graphql(STATUSES, {"v": ["DRAFT"] * 100_000}),
    ),
    Attack(
        "variables-08",
        "Thirty thousand posts from an anonymous client are converted before they are counted.",
        REFUSED,
        lambda _: graphql(
            "mutation($v:[NewPostInput!]!){createPosts(input:{posts:$v}){createdCount}}",
            {"v": [{"title": "t", "markdown": ""}] * 30_000},
        ),
    ),
    Attack(
        "variables-09",
        "A disjunction of 300,000 empty filters inside one variable.",
        REFUSED,
        lambda _: graphql(FILTER, {"v": {"or": [{}] * 300_000}}),
    ),
    Attack("variables-10", "A filter nested 400 levels deep.", REFUSED, lambda _: graphql(FILTER, {"v": nest(400)})),
    Attack(
        "variables-11",
        "A filter nested 40,000 levels deep, which is more than recursion bears.",
        BAD_BODY | REFUSED,
        lambda _: body(
            b'{"query":"query($v:PostFilter){posts(filter:$v){totalCount}}","variables":{"v":'
            + b'{"not":' * 40_000
            + b"{}"
            + b"}" * 40_000
            + b"}}"
        ),
    ),
    Attack("variables-12", "A list of 40,000 nulls.", REFUSED, lambda _: graphql(IDS, {"v": [None] * 40_000})),
    Attack(
        "variables-13",
        "A variable that the operation does not declare holds 340,000 empty lists.",
        DATA | REFUSED,
        lambda _: graphql(NOTHING, {"v": [[]] * 340_000}),
    ),
    Attack(
        "variables-14",
        "There are 45,000 variables that the operation does not declare.",
        DATA | REFUSED,
        lambda _: graphql(NOTHING, keys(45_000)),
    ),
    Attack("variables-15", "A text holds U+0000.", BAD_INPUT, lambda _: graphql(IDS, {"v": ["a\x00"] * 100})),
    Attack("variables-16", "Texts hold lone surrogates.", BAD_INPUT, lambda _: graphql(IDS, {"v": ["\ud800"] * 100})),
    Attack(
        "variables-17",
        "A number of 900,000 digits.",
        BAD_BODY | REFUSED,
        lambda _: body(numbers(900_000, "9")),
    ),
    Attack(
        "variables-18",
        "A number of 4,000 digits, below the limit of Python, in an error message.",
        BAD_BODY | REFUSED,
        lambda _: body(numbers(4_000, "9")),
    ),
    Attack(
        "variables-19",
        "Two hundred numbers of 4,000 digits, whose conversion is quadratic.",
        DATA | BAD_BODY | REFUSED,
        lambda _: body(b'{"query":"{__typename}","variables":{"v":[' + b",".join([b"9" * 4_000] * 200) + b"]}}"),
    ),
    Attack(
        "variables-20",
        "A float of 900,000 digits.",
        BAD_BODY | REFUSED | DATA,
        lambda _: body(numbers(1, "1." + "9" * 900_000)),
    ),
    Attack("variables-21", "A float that is infinite.", REFUSED | BAD_BODY, lambda _: body(numbers(1, "1e999999999"))),
    Attack(
        "variables-22",
        "A filter with 500 values is shared by 20 root fields.",
        REFUSED | DATA,
        lambda _: graphql(
            "query($v:PostFilter){" + " ".join(f"a{n}:posts(filter:$v){{totalCount}}" for n in range(20)) + "}",
            {"v": {"title": {"in": [f"title {n}" for n in range(500)]}}},
        ),
    ),
    Attack(
        "variables-23",
        "A text of 1 MB is searched for in 20 root fields.",
        REFUSED | DATA,
        lambda _: graphql(
            "query($v:String){"
            + " ".join(f"a{n}:posts(filter:{{title:{{contains:$v}}}}){{totalCount}}" for n in range(20))
            + "}",
            {"v": "a" * MEGABYTE},
        ),
    ),
    Attack(
        "variables-24",
        "A wrong enum value of 1 MB is compared with the right ones and repeated in the answer.",
        REFUSED,
        lambda _: graphql(STATUSES, {"v": "DRAFT" * 200_000}),
    ),
    Attack(
        "variables-25",
        "A text of 1 MB where a number is expected is repeated in the answer.",
        REFUSED,
        lambda _: graphql("query($v:Int){posts(first:$v){totalCount}}", {"v": "1" * MEGABYTE}),
    ),
    Attack(
        "variables-26",
        "A text of 1 MB where a time is expected.",
        REFUSED,
        lambda _: graphql(FILTER, {"v": {"createdAt": {"eq": "2026-01-01T00:00:00." + "0" * MEGABYTE}}}),
    ),
    Attack(
        "variables-27",
        "Lists of 100,000 values where one is expected.",
        REFUSED,
        lambda _: graphql(FILTER, {"v": {"title": {"eq": ["a"] * 100_000}, "search": ["a"] * 100_000}}),
    ),
    Attack(
        "variables-28",
        "Objects with ten fields where 20,000 ids are expected.",
        REFUSED,
        lambda _: graphql(IDS, {"v": [keys(3)] * 20_000}),
    ),
    Attack(
        "variables-29",
        "The name of a variable has 1 MB.",
        DATA | REFUSED,
        lambda _: graphql(NOTHING, {"v" * MEGABYTE: 1}),
    ),
    Attack(
        "variables-30",
        "A hundred variables of one type share a list of 2,000 filters each.",
        REFUSED | INVALID,
        lambda _: graphql(
            f"query({' '.join(f'$v{n}:[PostFilter!]' for n in range(100))})"
            f"{{posts(filter:{{or:[{' '.join(f'{{and:$v{n}}}' for n in range(100))}]}}){{totalCount}}}}",
            {f"v{n}": [{}] * 2_000 for n in range(100)},
        ),
    ),
    Attack(
        "variables-31",
        "Unknown fields that resemble known ones: a suggestion for each of 8,000.",
        REFUSED,
        lambda _: graphql(FILTER, {"v": {f"publishedAt{n:05}": 1 for n in range(8_000)}}),
    ),
    Attack(
        "variables-32",
        "Wrong values at 300 places of a list, each printed with its whole parent of 3 KB.",
        REFUSED,
        lambda _: graphql(FILTERS, {"v": [{"title": {"eq": 5}, "search": "x" * 3_000}] * 300}),
    ),
    Attack(
        "variables-33",
        "The same key 100,000 times.",
        DATA | REFUSED | BAD_BODY,
        lambda _: body(
            b'{"query":' + json.dumps(FILTER).encode() + b',"variables":{' + b'"v":{},' * 100_000 + b'"v":{}}}'
        ),
    ),
    Attack(
        "variables-34",
        "A text whose folding is 18 times as long, in 49 branches.",
        REFUSED | DATA,
        lambda _: graphql(
            "query($v:String){posts(filter:{or:[" + "{title:{eq:$v}}" * 49 + "]}){totalCount}}",
            {"v": LIGATURE * 340_000},
        ),
    ),
    Attack(
        "variables-35",
        "Twenty lists of 12,000 ids, each under its own name.",
        TOO_LARGE | BAD_INPUT | INVALID,
        lambda _: graphql(
            f"query({' '.join(f'$v{n}:[ID!]!' for n in range(20))})"
            f"{{{' '.join(f'a{n}:nodes(ids:$v{n}){{id}}' for n in range(20))}}}",
            {f"v{n}": ["a"] * 12_000 for n in range(20)},
        ),
    ),
    Attack(
        "variables-36",
        "Text full of characters outside the basic plane, as escaped pairs of surrogates.",
        REFUSED | DATA,
        lambda _: graphql(FILTER, {"v": {"title": {"contains": "\U0001f389" * 80_000}}}),
    ),
    Attack(
        "variables-37",
        "One object that is nested in itself by lists 300 deep where a list of ids is expected.",
        REFUSED | BAD_BODY,
        lambda _: graphql("query($v:[ID!]!){nodes(ids:$v){id}}", {"v": [json.loads("[" * 300 + "]" * 300)] * 1_500}),
    ),
    Attack(
        "variables-38",
        "A @skip directive reads a variable of 1 MB of the wrong type.",
        REFUSED | INVALID,
        lambda _: graphql("query($v:Boolean!){posts @skip(if:$v){totalCount}}", {"v": ["true"] * 100_000}),
    ),
)
