"""One hostile request, and the answers that a correct server may give."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

# What each may cost.
MAX_CPU_SECONDS = 0.1
MAX_MEMORY_MB = 20.0
# The p99 of a light query beside it.
MAX_LIGHT_MS = 50.0
JSON_TYPE = "application/json"
# Of an author in the rows that attacks are sent against; see `rows.py`.
AUTHOR_TOKEN = "gqlapi_a-token-of-an-author-who-means-harm"  # noqa: S105 - of a user who exists in no real database
AUTHOR = {"Authorization": f"Bearer {AUTHOR_TOKEN}"}

# What an answer is called: a code of `extensions.code` or of a payload's errors; its status where the code is
# BAD_REQUEST or where the body is not GraphQL's; "data" if there are no errors; "closed" without an answer.
DATA = frozenset({"data"})
UNPARSED = frozenset({"GRAPHQL_PARSE_FAILED"})
INVALID = frozenset({"GRAPHQL_VALIDATION_FAILED"})
TOO_LARGE = frozenset({"LIMIT_EXCEEDED"})
BAD_INPUT = frozenset({"BAD_USER_INPUT"})
BAD_CURSOR = frozenset({"INVALID_CURSOR"})
BAD_BODY = frozenset({"400", "422"})
BAD_TOKEN = frozenset({"UNAUTHENTICATED"})
TOO_LARGE_BODY = frozenset({"413"})
# A limit may look at the variables before or while they are coerced.
REFUSED = TOO_LARGE | BAD_INPUT
# A limit on the length of a document may come before the parser and its own limits.
TOO_LONG_DOCUMENT = TOO_LARGE | UNPARSED | TOO_LARGE_BODY | BAD_BODY
# HTTP servers bound the head of a request by themselves, with a bare answer or none.
BAD_HEAD = frozenset({"400", "414", "431", "closed"})
# Errors of a payload.
REJECTED = frozenset({"REQUIRED", "INVALID", "TOO_LONG", "TOO_MANY", "NOT_FOUND", "FORBIDDEN", "UNAUTHENTICATED"})
THROTTLED = frozenset({"RATE_LIMITED"})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request to `/graphql`; `target` is the path with its query."""

    method: str = "POST"
    target: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def by_author(self) -> "HttpRequest":
        """Return the request with the token of an author."""
        return replace(self, headers={**self.headers, **AUTHOR})


@dataclass(frozen=True, slots=True)
class Attack:
    """A hostile request; `make` gets a number: below `repeats`, each number makes a different request."""

    id: str
    purpose: str
    answers: frozenset[str]
    make: Callable[[int], HttpRequest]
    repeats: int = 1

    @property
    def kind(self) -> str:
        """The kind of attack, which the id begins with."""
        return self.id.rpartition("-")[0]


def body(content: bytes, media_type: str = JSON_TYPE, **headers: str) -> HttpRequest:
    """Return a POST of these bytes; `_` in the name of a header means `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(headers={"Content-Type": media_type, **named}, body=content)


def graphql(query: str, variables: Any = None, **fields: Any) -> HttpRequest:
    """Return a POST of a document."""
    text = json.dumps({"query": query, "variables": variables, **fields}, ensure_ascii=False, separators=(",", ":"))
    # What cannot be UTF-8 is a lone surrogate: JSON has an escape for it.
    return body(text.encode("utf-8", "backslashreplace"))


def author(query: str, variables: Any = None) -> HttpRequest:
    """Return a POST of a document with the token of an author."""
    return graphql(query, variables).by_author()


def get(query: str, variables: Any = None, **headers: str) -> HttpRequest:
    """Return a GET of a document."""
    parameters = {"query": query, **({} if variables is None else {"variables": json.dumps(variables)})}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("GET", f"?{urlencode(parameters, quote_via=quote)}", named)


def aliased(count: int, selection: str, prefix: str = "a") -> str:
    """Return a selection as often as given, under an alias each."""
    return " ".join(f"{prefix}{number}:{selection}" for number in range(count))


def nested(depth: int, before: str, after: str, inside: str = "") -> str:
    """Return a text inside so many pairs of other texts."""
    return before * depth + inside + after * depth


def nest(depth: int, key: str = "not", inside: Any = None) -> Any:
    """Return an object inside so many others."""
    value = {} if inside is None else inside
    for _ in range(depth):
        value = {key: value}
    return value


# What a server has seen before it is attacked: a first statement of each kind takes 40 ms more than the next one.
WARM_UP = (
    graphql("{serverInfo{version}}"),
    graphql('{posts(first:1){totalCount nodes{id author{id} tags{id}}} search(query:"a"){totalCount}}'),
    graphql('{search(query:"a",types:[POST]){edges{highlight}}}'),
    author("{viewer{id}}"),
    author('mutation{createPost(input:{title:"Warm",markdown:"*a*"}){errors{code} post{id}}}'),
)
