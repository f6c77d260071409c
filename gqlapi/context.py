"""What the resolvers of one operation share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import Node

from gqlapi.database.tracing import Trace
from gqlapi.database.unit import Database
from gqlapi.loaders import Loaders
from gqlapi.models import ANONYMOUS, Viewer
from gqlapi.repositories import ReadScope, Repositories


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the arguments of a field became, and the names of the fields that are selected below it."""

    value: Any
    selection: frozenset[str]


class Context:
    """The session, the repositories, the loaders and the viewer of one operation; never shared between two."""

    repositories: Repositories
    loaders: Loaders

    def __init__(
        self, database: Database, *, viewer: Viewer = ANONYMOUS, request_id: str = "", trace: Trace | None = None
    ) -> None:
        """Prepare a context; it holds no connection before the first statement, and tells `trace` of each."""
        self.viewer = viewer
        self.request_id = request_id
        self.trace = trace
        # The points of each root field, known before anything runs.
        self.costs: Mapping[str, int] = {}
        self._unit = database.read(trace)
        self._dialect_name = database.dialect_name
        self._prepared: Mapping[int, Prepared] = {}

    def begin(self, selected: Mapping[str, frozenset[str]], prepared: Mapping[int, Prepared]) -> None:
        """Start the operation: which attributes it reads of each type, and the prepared arguments of its fields."""
        scope = ReadScope(self._unit, self._dialect_name, viewer=self.viewer, selected=selected)
        self._prepared = prepared
        self.repositories = Repositories(scope)
        self.loaders = Loaders(self.repositories)

    def prepared(self, nodes: Sequence[Node]) -> Prepared:
        """Return what the arguments of a field became, once for all objects that the field is resolved for.

        A field that a document names several times is one field: its arguments agree, its selections add up.
        """
        first, *others = (self._prepared[id(node)] for node in nodes)
        if not others:
            return first
        return Prepared(first.value, first.selection.union(*(other.selection for other in others)))

    async def close(self) -> None:
        """End the snapshot and give the connection back."""
        await self._unit.close()
