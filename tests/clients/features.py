"""What each client must show, and the table of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.clients.place import TITLES, USERNAME


class Observation(NamedTuple):
    """What a program saw of a feature, and the requests of its client: method, what they held, status."""

    seen: Any
    sent: list[str]


# The programs, and the names of the clients in the table.
CLIENTS = {
    "apollo": "Apollo Client 4",
    "urql": "urql 6",
    "relay": "Relay 21",
    "graphql-request": "graphql-request 7",
    "gql": "gql 4 (Python)",
}
# Rows of the table.
FEATURES = {
    "query": "query",
    "GET": "query by GET",
    "mutation": "mutation, typed errors",
    "errors": "code of a refused document (422)",
    "partial data": "data with errors (294)",
    "refresh": "refresh of an expired token (401)",
    "sign in": "sign-in that sends an expired token",
    "limits": "limits of a form, in its errors",
    "lookups": "lookups by what is no id",
    "cache": "parts of objects in a normalised cache",
    "pages": "pages of a list in a normalised cache",
    "APQ": "automatic persisted queries",
    "APQ by GET": "the same by GET",
    "trusted documents": "trusted documents",
    "batch": "batch",
    "defer": "`@defer`",
    "stream": "`@stream`",
    "WebSocket": "subscription over WebSocket, resumed",
    "SSE": "the same by server-sent events",
    "multipart": "the same by multipart HTTP",
}
PAGE = TITLES[:2]
HTML = "<p><em>Text.</em></p>\n"
ROUNDS = [PAGE] * 4


def expected(client: str) -> dict[str, Observation]:
    """Return what a client shows when everything works: the same for all, but for what they name."""
    register = "GET" if client == "urql" else "POST"
    # These have a place where requests that are refused at the same time share one refresh.
    requests = 2 if client in {"apollo", "urql"} else 1
    # Apollo Client reads two formats of several payloads.
    formats = 2 if client == "apollo" else 1
    deferred = [[PAGE, [], "undefined"], [PAGE, [USERNAME] * 2, "number"]]
    streamed = [[PAGE[:1], [], "undefined"], [PAGE, [], "undefined"]]
    resumed = [["CREATED", "first"], ["CREATED", "second"]]
    conflict = ["ConflictError", "NOT_UNIQUE", ["slug"], {"__typename": "Post", "title": client}]
    return {
        "query": Observation(PAGE, ["POST text 200"]),
        "GET": Observation(PAGE, ["GET text 200"]),
        "mutation": Observation([client, conflict], ["POST text 200"] * 2),
        "errors": Observation(["GRAPHQL_VALIDATION_FAILED"], ["POST text 422"]),
        "partial data": Observation([["BAD_USER_INPUT"], "number"], ["POST text 294"]),
        "refresh": Observation(USERNAME, ["POST text 401"] * requests + ["POST text 200"] * (1 + requests)),
        "sign in": Observation("string", ["POST text 200"]),
        "limits": Observation([["ValidationError", "TOO_LONG", ["title"], 300]], ["POST text 200"]),
        "lookups": Observation([None] * 4, ["POST text 200"]),
        # The third time everything is in the cache, which has not complained.
        "cache": Observation([HTML, "*Text.*", 3, 1, "string", "number", []], ["POST text 200"] * 2),
        "pages": Observation(TITLES, ["POST text 200"] * 2),
        # One miss, one registration, then hits.
        "APQ": Observation(ROUNDS, ["POST id 422", "POST id text 200", *["POST id 200"] * 3]),
        "APQ by GET": Observation(ROUNDS, ["GET id 422", f"{register} id text 200", *["GET id 200"] * 3]),
        "trusted documents": Observation(PAGE, ["POST id 200"]),
        "defer": Observation([deferred] * formats, ["POST text 200"] * formats),
        "stream": Observation([streamed] * formats, ["POST text 200"] * formats),
        # The second is the code for the socket of an expired token.
        "WebSocket": Observation([resumed, 4403], []),
        "SSE": Observation(resumed, ["POST text 200"] * 2),
        "multipart": Observation(resumed, ["POST text 200"] * 2),
        "batch": Observation([PAGE, "number"], ["POST batch of 2 200"]),
    }


def table(shown: Mapping[str, Mapping[str, Observation]]) -> str:
    """Return the table of the features that each client has shown."""
    lines = [["", *(CLIENTS[client] for client in shown)], ["---"] * (len(shown) + 1)]
    for feature, name in FEATURES.items():
        lines.append([name, *("yes" if feature in features else "-" for features in shown.values())])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
