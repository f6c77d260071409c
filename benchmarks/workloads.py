"""The workloads, and the requests that are sent for them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from benchmarks.documents import GQLAPI, PEER
from benchmarks.targets import Targets

# What takes a place in a list is named by a cursor in gqlapi, and by the id of the object before it elsewhere.
Variables = Callable[[Targets], Sequence[Mapping[str, Any]]]
MARKDOWN = "Bench body "
TITLE = "Bench post @@N@@"


def _none(_: Targets) -> Sequence[Mapping[str, Any]]:
    return [{}]


@dataclass(frozen=True, slots=True)
class Workload:
    """One operation; `@@N@@` in its text becomes another number in each request.

    `generated` names the leaves that differ from server to server, `servers` those that have it, if not all.
    """

    name: str
    title: str
    document: str
    variables: Variables = _none
    peer_variables: Variables = _none
    method: str = "POST"
    is_signed_in: bool = False
    generated: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()
    peer_operation: str = ""

    def requests(self, targets: Targets, *, is_peer: bool) -> list[str]:
        """Return the bodies that are sent in turn, or the paths of GETs."""
        documents, variables = (PEER, self.peer_variables) if is_peer else (GQLAPI, self.variables)
        text = documents[self.document]
        name = (is_peer and self.peer_operation) or text.split("(")[0].split("{")[0].split()[1]
        return [self._request(text, name, values) for values in variables(targets)]

    def _request(self, text: str, name: str, variables: Mapping[str, Any]) -> str:
        if self.method == "GET":
            parameters = {"query": text, "variables": json.dumps(variables), "operationName": name}
            return f"/graphql?{urlencode(parameters)}"
        body = {"query": text, "variables": variables, "operationName": name}
        return json.dumps(body, separators=(",", ":"))


def _posts(targets: Targets) -> Sequence[Mapping[str, Any]]:
    return [{"id": id_} for id_ in targets.post_ids]


def _places(after: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    return [{f"after{number}": place for number, place in enumerate(after, 1)}]


def _growth(first: int) -> Workload:
    def variables(_: Targets) -> Sequence[Mapping[str, Any]]:
        return [{"n": first}]

    return Workload(f"N{first}", f"home feed, first {first}", "GROWTH", variables, variables)


def _after_user(targets: Targets) -> Sequence[Mapping[str, Any]]:
    return [{"after": targets.users.cursor}]


def _after_user_id(targets: Targets) -> Sequence[Mapping[str, Any]]:
    return [{"after": targets.users.id}]


def _input(_: Targets) -> Sequence[Mapping[str, Any]]:
    return [{"input": {"title": TITLE, "markdown": MARKDOWN}}]


def _columns(targets: Targets) -> Sequence[Mapping[str, Any]]:
    return [{"title": TITLE, "markdown": MARKDOWN, "authorId": targets.author_id}]


ID = frozenset({"id"})
GROWTH = (10, 20, 50, 100)
WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1", "one post with its author and tags", "W1", _posts, _posts),
        Workload("W2", "the 20 newest posts with author and tags", "W2"),
        Workload("W3", "50 users, 5 posts of each, their tags", "W3", _after_user, _after_user_id),
        Workload(
            "W4",
            "five pages of 100 posts with six fields and author",
            "W4",
            lambda targets: _places([place.cursor for place in targets.feed]),
            lambda targets: _places([place.id for place in targets.feed]),
        ),
        Workload("W5", "`{ __typename }`", "W5"),
        Workload("W6", "createPost", "W6", _input, _columns, is_signed_in=True, generated=ID),
        Workload("W7", "as W3, with the number of posts of each user", "W7", _after_user, _after_user_id),
        Workload("GET", "W1 by GET", "W1", _posts, _posts, method="GET"),
        Workload("COLD", "W2 in a new document each time", "COLD"),
        Workload(
            "INSERT",
            "W6 as one INSERT, not signed in",
            "W6",
            peer_variables=_columns,
            generated=ID,
            servers=frozenset({"limit"}),
            peer_operation="Insert",
        ),
        *map(_growth, GROWTH),
        Workload(
            "INTROSPECTION", "the introspection query of graphql-core", "INTROSPECTION", servers=frozenset({"gqlapi"})
        ),
    )
}
