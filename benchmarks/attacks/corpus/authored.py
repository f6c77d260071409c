"""Attacks by what an author may write."""

from typing import Any

from benchmarks.attacks.attack import BAD_INPUT, DATA, REJECTED, TOO_LARGE, Attack, HttpRequest, author
from benchmarks.attacks.content import OWN_POST_ID, OWN_USER_ID

REFUSED = REJECTED | TOO_LARGE | BAD_INPUT
ANY = REFUSED | DATA
LIGATURE = "\ufdfa"
MOST = 100_000  # characters of a body
ERRORS = "errors{code message}"


def create(markdown: str, title: str = "A hostile post", **fields: Any) -> HttpRequest:
    """Return a request to create a post."""
    return author(
        f"mutation($v:CreatePostInput!){{createPost(input:$v){{{ERRORS} post{{id}}}}}}",
        {"v": {"title": title, "markdown": markdown, **fields}},
    )


def create_all(markdown: str, count: int) -> HttpRequest:
    """Return a request to create posts with one body."""
    return author(
        f"mutation($v:CreatePostsInput!){{createPosts(input:$v){{{ERRORS} createdCount}}}}",
        {"v": {"posts": [{"title": f"Post {n}", "markdown": markdown} for n in range(count)]}},
    )


def update(markdown: str) -> HttpRequest:
    """Return a request to change the author's own post."""
    return author(
        f"mutation($v:UpdatePostInput!){{updatePost(input:$v){{{ERRORS} post{{id}}}}}}",
        {"v": {"id": OWN_POST_ID, "patch": {"markdown": markdown}}},
    )


def profile(**patch: Any) -> HttpRequest:
    """Return a request to change the author's profile."""
    return author(
        f"mutation($v:UpdateUserInput!){{updateUser(input:$v){{{ERRORS}}}}}", {"v": {"id": OWN_USER_ID, "patch": patch}}
    )


def formatting(count: int) -> str:
    """Return unclosed formatting elements, which a sanitiser opens again in each block."""
    opened = "".join(f"<b a{n}>" for n in range(count)) + "".join(f"<i a{n}>" for n in range(count))
    return f"<div>{opened}{'x</b>' * count}"


def references(length: int, count: int) -> str:
    """Return a long link and short references to it."""
    return f"[x]: /{'a' * length}\n\n{'[x]' * count}"


def titled_images(length: int) -> str:
    """Return references to an image with a long title."""
    return f'[a]: / "{"u" * length}"\n\n{"![a]" * (length // 2)}'


def table(columns: int, rows: int, rule: str = "-") -> str:
    """Return a table whose rows have one cell each."""
    return f"|{'a|' * columns}\n|{f'{rule}|' * columns}\n" + "a\n" * rows


def titles(count: int) -> HttpRequest:
    """Return a request that changes the title of the author's own post so many times."""
    fields = (
        f'a{n}:updatePost(input:{{id:"{OWN_POST_ID}",patch:{{title:"Title {n}"}}}}){{{ERRORS}}}' for n in range(count)
    )
    return author(f"mutation{{{' '.join(fields)}}}")


ATTACKS = (
    Attack(
        "authored-01",
        "Formatting elements that are opened again in each block.",
        ANY,
        lambda _: create(formatting(500)),
    ),
    Attack("authored-02", "The same, as many as fit.", ANY, lambda _: create(formatting(4_400))),
    Attack(
        "authored-03",
        "Three thousand references to a link of 10,000 characters.",
        ANY,
        lambda _: create(references(10_000, 3_000)),
    ),
    Attack("authored-04", "The same, as many as fit.", ANY, lambda _: create(references(50_000, 16_000))),
    Attack("authored-05", "References to an image with a long title.", ANY, lambda _: create(titled_images(33_000))),
    Attack("authored-06", "A bomb in an update.", ANY, lambda _: update(references(50_000, 16_000))),
    Attack("authored-07", "Nine bombs in one request.", ANY, lambda _: create_all(references(50_000, 16_000), 9)),
    Attack(
        "authored-08", "A hundred small bombs in one request.", ANY, lambda _: create_all(references(4_900, 1_500), 100)
    ),
    Attack(
        "authored-09", "Ligatures that fold to more than a text index holds.", ANY, lambda _: create(LIGATURE * 35_156)
    ),
    Attack("authored-10", "The same, as many as fit.", ANY, lambda _: create(LIGATURE * MOST)),
    Attack("authored-11", "Brackets without end.", ANY, lambda _: create("[" * MOST)),
    Attack(
        "authored-12",
        "Brackets on their own lines, rendered in the event loop.",
        ANY,
        lambda _: create("[\n" * 5_000),
    ),
    Attack("authored-13", "Quotes nested without end.", ANY, lambda _: create(">" * MOST)),
    Attack("authored-14", "Lists nested without end.", ANY, lambda _: create("- " * (MOST // 2))),
    Attack(
        "authored-15",
        "Lists nested by indentation, a level for each line.",
        ANY,
        lambda _: create("\n".join(" " * (2 * n) + "- x" for n in range(300))),
    ),
    Attack("authored-16", "Emphasis that opens and never closes.", ANY, lambda _: create("*a _b " * (MOST // 6))),
    Attack(
        "authored-17",
        "Emphasis nested without end.",
        ANY,
        lambda _: create("*" * (MOST // 2) + "a" + "*" * (MOST // 2 - 1)),
    ),
    Attack(
        "authored-18",
        "Runs of backticks of growing length.",
        ANY,
        lambda _: create("".join(f"a{'`' * n}" for n in range(440))),
    ),
    Attack("authored-19", "Opening angles.", ANY, lambda _: create("<" * MOST)),
    Attack("authored-20", "Comments that open and never close.", ANY, lambda _: create("<!-- a " * (MOST // 7))),
    Attack("authored-21", "Elements nested 20,000 deep.", ANY, lambda _: create("<div>" * 20_000)),
    Attack("authored-22", "Table elements, which parsers move about.", ANY, lambda _: create("<table><b>" * 10_000)),
    Attack("authored-23", "Links inside links.", ANY, lambda _: create("[" * 30_000 + "a" + "](b)" * 17_000)),
    Attack("authored-24", "Images inside images.", ANY, lambda _: create("![" * 19_000 + "a" + "](b)" * 15_000)),
    Attack("authored-25", "Entities.", ANY, lambda _: create("&CounterClockwiseContourIntegral;" * 3_000)),
    Attack(
        "authored-26",
        "Thousands of definitions that nothing uses.",
        ANY,
        lambda _: create("\n".join(f"[a{n}]: /b" for n in range(8_000))),
    ),
    Attack(
        "authored-27",
        "A reference that becomes many characters by folding.",
        ANY,
        lambda _: create("[" + LIGATURE * 900 + "]\n\n" + "[x]: /\n" * 9_000),
    ),
    Attack(
        "authored-28",
        "Attributes, 20,000 of one element.",
        ANY,
        lambda _: create(f"<a {' '.join(f'b{n}' for n in range(14_000))}>x</a>"),
    ),
    Attack("authored-29", "A code block of 100,000 backslashes.", ANY, lambda _: create("\\" * MOST)),
    Attack("authored-30", "Nothing but line ends.", ANY, lambda _: create("\n" * MOST)),
    Attack(
        "authored-31",
        "A hundred thousand combining marks on one letter.",
        ANY,
        lambda _: create("a" + "\u0301" * (MOST - 1)),
    ),
    Attack(
        "authored-32",
        "Fifty thousand different words.",
        ANY,
        lambda _: create(" ".join(f"{n:x}" for n in range(17_000))),
    ),
    Attack("authored-33", "A million characters.", REFUSED, lambda _: create("a" * 1_000_000)),
    Attack(
        "authored-34",
        "A hundred bodies of 10,000 characters each that are words.",
        ANY,
        lambda _: create_all("lorem ipsum " * 830, 100),
    ),
    Attack("authored-35", "A title of 1 MB.", REFUSED, lambda _: create("a", "t" * 1_000_000)),
    Attack("authored-36", "A title of 300,000 ligatures.", REFUSED, lambda _: create("a", LIGATURE * 300_000)),
    Attack(
        "authored-37",
        "A slug of 300,000 ligatures, folded before it is measured.",
        REFUSED,
        lambda _: create("a", slug=LIGATURE * 300_000),
    ),
    Attack(
        "authored-38",
        "Thirty thousand tags.",
        REFUSED,
        lambda _: create("a", tags=[{"name": f"t{n}"} for n in range(30_000)]),
    ),
    Attack(
        "authored-39",
        "Twenty tags of 16,000 ligatures.",
        REFUSED,
        lambda _: create("a", tags=[{"name": LIGATURE * 16_000}] * 20),
    ),
    Attack(
        "authored-40", "A key of idempotency of 1 MB.", REFUSED, lambda _: create("a", idempotencyKey="k" * 1_000_000)
    ),
    Attack("authored-41", "A biography of 1 MB.", REFUSED, lambda _: profile(bio="b" * 1_000_000)),
    Attack(
        "authored-42",
        "The URL of a picture has 1 MB.",
        REFUSED,
        lambda _: profile(avatarUrl="http://a.example/" + "a" * 1_000_000),
    ),
    Attack(
        "authored-43",
        "A URL that is all ports, brackets and at signs.",
        REFUSED,
        lambda _: profile(avatarUrl="http://" + "[@:" * 300_000),
    ),
    Attack(
        "authored-44",
        "Ten posts by one document, a transaction each.",
        ANY,
        lambda _: author(
            "mutation($v:CreatePostInput!){"
            + " ".join(f"a{n}:createPost(input:$v){{{ERRORS}}}" for n in range(10))
            + "}",
            {"v": {"title": "One of ten", "markdown": "[" * 20_000}},
        ),
    ),
    Attack(
        "authored-45",
        "Ten payloads with the bodies of 100 posts each.",
        TOO_LARGE,
        lambda _: author(
            "mutation($v:UpdatePostInput!){"
            + " ".join(
                f"a{n}:updatePost(input:$v){{{ERRORS} post{{author{{posts(first:100){{nodes{{content{{html}}}}}}}}}}}}"
                for n in range(10)
            )
            + "}",
            {"v": {"id": OWN_POST_ID, "patch": {"title": "Post 0"}}},
        ),
    ),
    Attack(
        "authored-46",
        "A hundred posts with 20 new tags each: 2,000 rows in one transaction.",
        ANY,
        lambda _: author(
            f"mutation($v:CreatePostsInput!){{createPosts(input:$v){{{ERRORS}}}}}",
            {
                "v": {
                    "posts": [
                        {"title": f"P{p}", "markdown": "", "tags": [{"name": f"New {p} {t}"} for t in range(20)]}
                        for p in range(100)
                    ]
                }
            },
        ),
    ),
    Attack(
        "authored-47",
        "A hundred posts of one title, each of which needs its own slug.",
        ANY,
        lambda _: author(
            f"mutation($v:CreatePostsInput!){{createPosts(input:$v){{{ERRORS}}}}}",
            {"v": {"posts": [{"title": "Same " * 60, "markdown": ""}] * 100}},
        ),
    ),
    Attack(
        "authored-48",
        "One body of 100,000 characters by one variable in ten fields.",
        ANY,
        lambda _: author(
            "mutation($v:CreatePostInput!){"
            + " ".join(f"a{n}:createPost(input:$v){{{ERRORS}}}" for n in range(10))
            + "}",
            {"v": {"title": "One of ten", "markdown": references(10_000, 3_000)}},
        ),
    ),
    Attack(
        "authored-49",
        "Ten bodies of 9,900 brackets, below the length that is rendered in a thread.",
        ANY,
        lambda _: create_all("[\n" * 4_950, 10),
    ),
    Attack(
        "authored-50",
        "Letters that become several by folding, in words that are all different.",
        ANY,
        lambda _: create(" ".join(f"{LIGATURE}{n}" for n in range(14_000))),
    ),
    Attack(
        "authored-51",
        "Ten new bodies of one post, 100,000 characters each.",
        TOO_LARGE,
        lambda _: author(
            "mutation($v:UpdatePostInput!){"
            + " ".join(f"a{n}:updatePost(input:$v){{{ERRORS}}}" for n in range(10))
            + "}",
            {"v": {"id": OWN_POST_ID, "patch": {"markdown": "[a](b) " * 14_000}}},
        ),
    ),
    Attack(
        "authored-52",
        "Ten new titles of one post, whose text is indexed again with each.",
        TOO_LARGE,
        lambda _: titles(10),
    ),
    Attack("authored-53", "As many new titles as the limit of cost just allows.", DATA | REJECTED, lambda _: titles(3)),
    Attack(
        "authored-54",
        "Sixty bodies of 3,300 ligatures, less than is cut from a long one.",
        TOO_LARGE,
        lambda _: create_all(LIGATURE * 3_300, 60),
    ),
    Attack(
        "authored-55",
        "As much in letters that are words by themselves as the limit of cost just allows.",
        DATA,
        lambda _: create_all("\u4e2d" * 10_000, 6),
    ),
    Attack(
        "authored-56",
        "A table whose rows are filled up to 16 columns.",
        REFUSED,
        lambda _: create(table(16, 49_000)),
    ),
    Attack(
        "authored-57",
        "The same with as many lines as are allowed, and aligned.",
        REFUSED,
        lambda _: create(table(8, 19_900, ":-:")),
    ),
    Attack(
        "authored-58",
        "Ideographs, each of which is a word.",
        DATA,
        lambda _: create("".join(chr(0x4E00 + n * 7_919 % 20_000) for n in range(99_000))),
    ),
)
