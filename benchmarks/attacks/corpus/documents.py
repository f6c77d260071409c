"""Attacks by the size and the shape of documents."""

from benchmarks.attacks.attack import (
    BAD_INPUT,
    DATA,
    INVALID,
    TOO_LARGE,
    TOO_LONG_DOCUMENT,
    UNPARSED,
    Attack,
    HttpRequest,
    aliased,
    graphql,
    nested,
)

MEGABYTE = 1_000_000
INFO = "serverInfo{version}"
COUNT_OF_MANY = "posts(filter:{title:{in:[" + '"a"' * 490 + "]}}){totalCount}"
FAR_TOO_LARGE = TOO_LONG_DOCUMENT | INVALID


def doubling(size: int, on: str, leaf: str) -> str:
    """Return fragments that each spread the next one twice: 2 to the size leaves."""
    texts = [f"fragment F{n} on {on}{{...F{n + 1} ...F{n + 1}}}" for n in range(size)]
    return " ".join([*texts, f"fragment F{size} on {on}{{{leaf}}}"])


def cycle(size: int) -> str:
    """Return fragments that spread each other in a circle."""
    return " ".join(f"fragment F{n} on Query{{...F{(n + 1) % size}}}" for n in range(size))


def overlapping(size: int) -> str:
    """Return pairs of fragments whose fields the rule of overlapping fields compares with each other."""
    fields = " ".join(f"...F{n}" for n in range(size))
    texts = " ".join(f"fragment F{n} on Post{{author{{...G{n}}}}} fragment G{n} on User{{id}}" for n in range(size))
    return f"{{posts{{nodes{{{fields}}}}}}} {texts}"


def empty_fragments(levels: int, size: int) -> str:
    """Return fragments whose fields double at each level, where each object has so many empty fragments as well."""
    texts = [
        f"fragment F{n} on Post{{...E author{{posts(first:1){{nodes{{...F{n + 1}}} edges{{node{{...F{n + 1}}}}}}}}}}}"
        for n in range(levels)
    ]
    return " ".join([*texts, f"fragment F{levels} on Post{{...E id}} fragment E on Post{{{'...{}' * size}}}"])


def wrong_ids(fields: str) -> HttpRequest:
    """Return a request for fields of which each takes 100 wrong ids."""
    return graphql(f"query($v:[ID!]!){{{fields}}}", {"v": ["x"] * 100})


ATTACKS = (
    Attack("documents-01", "A document of 100,000 tokens.", FAR_TOO_LARGE, lambda _: graphql(f"{{{' x' * 100_000}}}")),
    Attack(
        "documents-02",
        "A comment of 1 MB is no token.",
        DATA | FAR_TOO_LARGE,
        lambda _: graphql(f"#{'x' * MEGABYTE}\n{{__typename}}"),
    ),
    Attack(
        "documents-03",
        "A string of 1 MB is one token.",
        FAR_TOO_LARGE | BAD_INPUT,
        lambda _: graphql('{node(id:"' + "a" * MEGABYTE + '"){id}}'),
    ),
    Attack("documents-04", "A name of 1 MB is one token.", FAR_TOO_LARGE, lambda _: graphql(f"{{{'a' * MEGABYTE}}}")),
    Attack(
        "documents-05",
        "A million commas are no tokens.",
        DATA | FAR_TOO_LARGE,
        lambda _: graphql(f"{{{',' * MEGABYTE}__typename}}"),
    ),
    Attack(
        "documents-06",
        "A block string of 300,000 lines is dedented line by line.",
        FAR_TOO_LARGE | BAD_INPUT,
        lambda _: graphql('{node(id:"""' + " a" + "\n" * 480_000 + '"""){id}}'),
    ),
    Attack(
        "documents-07",
        "Half a million blank lines.",
        DATA | FAR_TOO_LARGE,
        lambda _: graphql("\n" * 500_000 + "{__typename}"),
    ),
    Attack(
        "documents-08",
        "A string of 160,000 escapes.",
        FAR_TOO_LARGE | BAD_INPUT,
        lambda _: graphql('{node(id:"' + "\\u0061" * 140_000 + '"){id}}'),
    ),
    Attack(
        "documents-09",
        "A number of 1 MB is one token.",
        FAR_TOO_LARGE,
        lambda _: graphql(f"{{posts(first:{'1' * MEGABYTE}){{totalCount}}}}"),
    ),
    Attack(
        "documents-10",
        "A float with an exponent that no float has.",
        INVALID | TOO_LARGE,
        lambda _: graphql("{posts(first:1e999999999){totalCount}}"),
    ),
    Attack(
        "documents-11",
        "Selections 480 levels deep.",
        FAR_TOO_LARGE,
        lambda _: graphql(nested(240, "{posts{nodes", "}}", "{id}")),
    ),
    Attack(
        "documents-12",
        "A list literal 900 levels deep.",
        FAR_TOO_LARGE,
        lambda _: graphql(f"{{nodes(ids:{nested(900, '[', ']')}){{id}}}}"),
    ),
    Attack(
        "documents-13",
        "An object literal 400 levels deep.",
        FAR_TOO_LARGE,
        lambda _: graphql(f"{{posts(filter:{nested(400, '{not:', '}', '{}')}){{totalCount}}}}"),
    ),
    Attack(
        "documents-14",
        "Brackets without end, deeper than recursion bears.",
        UNPARSED | TOO_LONG_DOCUMENT,
        lambda _: graphql("{a" * 1_900),
    ),
    Attack(
        "documents-15",
        "Sixty fragments that double: 2 to the 60 leaves.",
        TOO_LARGE,
        lambda _: graphql(f"{{...F0}} {doubling(60, 'Query', INFO)}"),
    ),
    Attack(
        "documents-16",
        "The same below nested lists.",
        TOO_LARGE,
        lambda _: graphql(f"{{posts{{nodes{{author{{...F0}}}}}}}} {doubling(60, 'User', 'id')}"),
    ),
    Attack(
        "documents-17", "A circle of 150 fragments.", INVALID | TOO_LARGE, lambda _: graphql(f"{{...F0}} {cycle(150)}")
    ),
    Attack(
        "documents-18",
        "Two hundred fields of one name, each compared with each other.",
        TOO_LARGE | INVALID | DATA,
        lambda _: graphql(f"{{{'posts{nodes{id title slug}}' * 200}}}"),
    ),
    Attack(
        "documents-19",
        "Ninety pairs of fragments that are compared with each other.",
        TOO_LARGE | INVALID | DATA,
        lambda _: graphql(overlapping(90)),
    ),
    Attack(
        "documents-20",
        "One leaf selected 1,900 times.",
        TOO_LARGE | INVALID | DATA,
        lambda _: graphql(f"{{serverInfo{{{'version ' * 1_900}}}}}"),
    ),
    Attack(
        "documents-21",
        "Two hundred and seventy directives.",
        TOO_LARGE | INVALID,
        lambda _: graphql(f"{{serverInfo {'@skip(if:false)' * 270}{{version}}}}"),
    ),
    Attack("documents-22", "Unknown directives, 900 of them.", INVALID, lambda _: graphql(f"{{a {'@no' * 900}}}")),
    Attack(
        "documents-23",
        "Six hundred aliases.",
        TOO_LARGE,
        lambda _: graphql(f"{{serverInfo{{{aliased(600, 'version')}}}}}"),
    ),
    Attack("documents-24", "Three hundred and ninety root fields.", TOO_LARGE, lambda _: graphql(f"{{{INFO * 390}}}")),
    Attack(
        "documents-25",
        "Thirty root fields inside a fragment, where nothing counts them.",
        TOO_LARGE,
        lambda _: graphql(f"{{...F}} fragment F on Query{{{aliased(30, INFO)}}}"),
    ),
    Attack(
        "documents-26",
        "Twenty-five mutations inside an inline fragment.",
        TOO_LARGE,
        lambda _: graphql(f"mutation{{...{{{aliased(25, 'signOut(input:{}){signedOut}')}}}}}"),
    ),
    Attack(
        "documents-27",
        "Six hundred unknown fields, each with suggestions.",
        INVALID,
        lambda _: graphql("{" + " ".join(f"postz{n}" for n in range(900)) + "}"),
    ),
    Attack(
        "documents-28",
        "An unknown field of 60,000 characters is compared with all known ones.",
        INVALID | TOO_LARGE,
        lambda _: graphql(f"{{{'postAggregates' * 4_000}}}"),
    ),
    Attack(
        "documents-29",
        "Six hundred unknown arguments.",
        INVALID,
        lambda _: graphql("{posts(" + " ".join(f"filte{n}:1" for n in range(600)) + "){totalCount}}"),
    ),
    Attack(
        "documents-30",
        "Four hundred variables of unknown types.",
        INVALID,
        lambda _: graphql("query(" + " ".join(f"$v{n}:Postt{n}" for n in range(450)) + "){__typename}"),
    ),
    Attack(
        "documents-31",
        "Two hundred operations in one document.",
        frozenset({"OPERATION_RESOLUTION_FAILURE"}) | INVALID | TOO_LARGE,
        lambda _: graphql(" ".join(f"query Q{n}{{{INFO}}}" for n in range(200))),
    ),
    Attack(
        "documents-32",
        "Three hundred fragments that nothing spreads.",
        INVALID,
        lambda _: graphql(f"{{__typename}} {' '.join(f'fragment F{n} on Post{{id}}' for n in range(250))}"),
    ),
    Attack(
        "documents-33",
        "One variable in 980 places that take another type.",
        INVALID | TOO_LARGE,
        lambda _: graphql(f"query($v:Boolean){{nodes(ids:[{'$v ' * 980}]){{id}}}}"),
    ),
    Attack(
        "documents-34",
        "A hundred levels of inline fragments with a type each.",
        TOO_LARGE | INVALID | DATA | BAD_INPUT | UNPARSED,
        lambda _: graphql(f'{{node(id:"a"){nested(100, "{...on Node", "}", "{id}")}}}'),
    ),
    Attack(
        "documents-35",
        "The operation `subscription`, which the schema lacks.",
        INVALID | frozenset({"OPERATION_RESOLUTION_FAILURE"}),
        lambda _: graphql(f"subscription{{{aliased(20, 'posts{nodes{id}}')}}}"),
    ),
    Attack(
        "documents-36",
        "Incremental delivery of 25 parts.",
        INVALID | TOO_LARGE | DATA,
        lambda _: graphql("{posts(first:50){nodes{" + "...@defer{author{displayName}}" * 25 + "}}}"),
    ),
    Attack(
        "documents-37",
        "A schema of 300 types instead of an operation.",
        INVALID | UNPARSED | frozenset({"OPERATION_RESOLUTION_FAILURE"}),
        lambda _: graphql(" ".join(f"type T{n}{{a:Int}}" for n in range(280))),
    ),
    Attack(
        "documents-38",
        "Arguments of one field differ 190 times.",
        INVALID | TOO_LARGE,
        lambda _: graphql("{" + " ".join(f"posts(first:{n + 1}){{totalCount}}" for n in range(190)) + "}"),
    ),
    Attack(
        "documents-39",
        "Hundreds of documents of 12 KB that limits refuse are kept in memory.",
        TOO_LARGE,
        lambda n: graphql(f"{{serverInfo{{{aliased(620, 'version', f'a{n}b')}}}}}"),
        repeats=100,
    ),
    Attack(
        "documents-40",
        "Hundreds of valid documents of 1,900 tokens are kept in memory.",
        DATA | TOO_LARGE,
        lambda n: graphql(f"query Q{n}{{{aliased(3, COUNT_OF_MANY)}}}"),
        repeats=100,
    ),
    Attack(
        "documents-41",
        "The default value of a variable is a list of 1,900 filters.",
        TOO_LARGE | BAD_INPUT | INVALID,
        lambda _: graphql(f"query($v:[PostFilter!]=[{'{}' * 950}]){{posts(filter:{{or:$v}}){{totalCount}}}}"),
    ),
    Attack(
        "documents-42",
        "Nothing but opening quotes: each starts a block string.",
        UNPARSED | TOO_LONG_DOCUMENT,
        lambda _: graphql('"""' + '\\"""' * 100_000),
    ),
    Attack(
        "documents-43",
        "Two hundred and eighty root fields under their own names.",
        TOO_LARGE,
        lambda _: graphql(f"{{{aliased(280, INFO)}}}"),
    ),
    Attack(
        "documents-44",
        "One field with a filter of 300 places that is compared with itself in 3 fragments.",
        TOO_LARGE | INVALID | DATA | BAD_INPUT,
        lambda _: graphql(
            "{...A ...B ...C}" + " ".join(f"fragment {name} on Query{{{COUNT_OF_MANY}}}" for name in "ABC")
        ),
    ),
    Attack(
        "documents-45",
        "Mistakes of ten kinds in each of 60 fields, each of which a rule describes.",
        INVALID | TOO_LARGE,
        lambda _: graphql(
            "{" + " ".join(f"postz(firzt:$v{n},filter:{{titel:1}})@skipp{{titel}}" for n in range(100)) + "}"
        ),
    ),
    Attack(
        "documents-46",
        "An argument of 480 wrong values, each of which is printed.",
        INVALID | TOO_LARGE,
        lambda _: graphql("{posts(filter:{status:[" + "PUBLISHD " * 1_900 + "]}){totalCount}}"),
    ),
    Attack(
        "documents-47",
        "An enum value of 900 KB is compared with the right ones.",
        INVALID | FAR_TOO_LARGE,
        lambda _: graphql("{posts(filter:{status:[" + "PUBLISHED" * 100_000 + "]}){totalCount}}"),
    ),
    Attack(
        "documents-48",
        "Names of 60 KB in 15 places, each in a message.",
        INVALID | FAR_TOO_LARGE,
        lambda _: graphql("{" + " ".join("f" * 60_000 + str(n) for n in range(15)) + "}"),
    ),
    Attack(
        "documents-49",
        "Errors at 1,900 indexes of a document of 60 KB, which is searched for the line of each.",
        BAD_INPUT,
        lambda _: wrong_ids("\n" * 30_000 + " ".join(f"{'a' * 1_500}{n}:nodes(ids:$v){{id}}" for n in range(19))),
    ),
    Attack(
        "documents-50",
        "The same for fields that are named twice.",
        BAD_INPUT,
        lambda _: wrong_ids(
            "\n" * 58_000 + " ".join(f"a{n}:nodes(ids:$v){{id}} a{n}:nodes(ids:$v){{__typename}}" for n in range(15))
        ),
    ),
    Attack(
        "documents-51",
        "Fields that conflict after 58,000 lines.",
        INVALID,
        lambda _: graphql(
            "\n" * 58_000 + "{" + " ".join(f"a{n}:{INFO} a{n}:posts{{totalCount}}" for n in range(15)) + "}"
        ),
    ),
    Attack(
        "documents-52",
        "Names of 60 KB, each of which is in a generated function.",
        DATA,
        lambda n: graphql(f"{{{INFO} {'a' * 60_000}{n}:__typename}}"),
        repeats=60,
    ),
    Attack(
        "documents-53",
        "Four hundred empty fragments on each of 63 objects, which are merged before the cost is known.",
        TOO_LARGE,
        lambda _: graphql(f'{{post(by:{{slug:"a"}}){{...F0}}}} {empty_fragments(5, 400)}'),
    ),
)
