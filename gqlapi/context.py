"""What the resolvers of one operation share."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from graphql import Node
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.accounts import Accounts, Client
from gqlapi.database.failures import Trouble
from gqlapi.database.gate import Place
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.tracing import Trace
from gqlapi.database.unit import Database
from gqlapi.execution.executor import Answer
from gqlapi.execution.pacing import Pace, Turns
from gqlapi.loaders import Loaders
from gqlapi.models import ANONYMOUS, Viewer
from gqlapi.problems import ForbiddenProblem, ProblemCode, Rejected
from gqlapi.repositories import ReadScope, Repositories, WriteScope
from gqlapi.repositories.viewers import renew_viewer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the arguments of a field became, and the names of the fields that are selected below it."""

    value: Any
    selection: frozenset[str]


class Context:
    """The session, the repositories, the loaders and the viewer of one operation; never shared between two."""

    repositories: Repositories
    loaders: Loaders
    # The budget of the answer, set by the schema that executes the operation.
    answer: Answer

    def __init__(
        self,
        database: Database,
        *,
        viewer: Viewer = ANONYMOUS,
        accounts: Accounts | None = None,
        client: Client | None = None,
        request_id: str = "",
        trace: Trace | None = None,
        find_viewer: Callable[[ReadUnit], Awaitable[Viewer]] | None = None,
        place: Place | None = None,
    ) -> None:
        """Prepare a context, which holds no connection before the first statement.

        `find_viewer` authenticates the caller from the operation's own snapshot; `trace` records the statements. A
        `place` behind the gate that the caller has taken becomes the context's own.
        """
        self.viewer = self._requester = viewer
        self._find_viewer = find_viewer
        self.pace = Pace(Turns())
        self.client = client or Client()
        self.request_id = request_id
        self.trace = trace
        # The points of each root field, known before anything runs.
        self.costs: Mapping[str, int] = {}
        self._accounts = accounts
        self._database = database
        self._unit = database.read(trace, place=place, client=self.client.keys)
        self._selected: Mapping[str, frozenset[str]] = {}
        self._prepared: Mapping[int, Prepared] = {}

    @property
    def accounts(self) -> Accounts:
        """What signing in needs; only contexts of a server have it."""
        if self._accounts is None:
            raise RuntimeError("this context serves nobody who could sign in")
        return self._accounts

    def begin(self, selected: Mapping[str, frozenset[str]], prepared: Mapping[int, Prepared]) -> None:
        """Start the operation: which attributes it reads of each type, and the prepared arguments of its fields."""
        self._selected = selected
        self._prepared = prepared
        self._read_as(self.viewer)

    async def authenticate(self) -> None:
        """Find the viewer, after `begin` and before the first field: nothing of a refused operation reaches SQL.

        Raises:
            InvalidToken: the request has a token that is not valid.
            ApiError: the database timed out or is not available.
        """
        if self._find_viewer is not None:
            self._requester = await self._find_viewer(self._unit)
            self.answer_as(self._requester)

    async def release(self) -> None:
        """Give the connection back before something that takes long; what is read next is read anew."""
        await self._unit.close()
        self._read_anew()

    def answer_as(self, viewer: Viewer) -> None:
        """Resolve the payload of this root field as the user who has just signed in; the next one runs as who asked."""
        self.viewer = viewer
        self._read_as(viewer)

    def begin_field(self) -> None:
        """Start a root field of a mutation on behalf of who asks, whoever the one before signed in."""
        if self.viewer is not self._requester:
            self.answer_as(self._requester)

    async def mutate(self, body: Callable[[WriteScope], Awaitable[T]]) -> T:
        """Run `body` in one transaction and commit it; what is read afterwards is read from a new snapshot.

        One connection at a time, and one place behind the gate until the payload is read. Whatever `body` raises, its
        transaction changed nothing.

        Raises:
            Rejected: the viewer's session or token has ended, or `body` rejects.
        """
        place = await self._unit.hand_over()
        self._read_anew()
        if place is None:
            place = await self._database.gate.enter(self.client.keys)

        async def transaction(session: AsyncSession) -> T:
            scope = WriteScope(session, self.viewer)
            viewer = await renew_viewer(scope)
            if viewer is None:
                raise Rejected(ForbiddenProblem(code=ProblemCode.UNAUTHENTICATED, message="The session has ended."))
            self.viewer = self._requester = viewer
            return await body(replace(scope, viewer=viewer))

        running = self._database.start(transaction, self.trace)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.add_done_callback(lambda _: place.leave())  # until then it holds a connection
            raise
        finally:
            if running.done():
                self._read_anew(place)

    def _read_anew(self, place: Place | None = None) -> None:
        """Read from a new snapshot from now on."""
        self._unit = self._database.read(self.trace, place=place, client=self.client.keys)
        self._read_as(self.viewer)

    def _read_as(self, viewer: Viewer) -> None:
        """Read from the current unit on somebody's behalf; nothing that was loaded before is seen again."""
        scope = ReadScope(self._unit, self._database.dialect_name, viewer=viewer, selected=self._selected)
        self.repositories = Repositories(scope)
        self.loaders = Loaders(self.repositories, self.pace)

    def prepared(self, nodes: Sequence[Node]) -> Prepared:
        """Return what the arguments of a field became, once for all objects that the field is resolved for.

        A field that a document names several times is one field: its arguments agree, its selections add up.
        """
        first, *others = (self._prepared[id(node)] for node in nodes)
        if not others:
            return first
        return Prepared(first.value, first.selection.union(*(other.selection for other in others)))

    def note_timeout(self) -> None:
        """Count an operation that took too long among the incidents of the database."""
        self._database.incidents.record(Trouble.OPERATION_TIMEOUT)

    async def close(self) -> None:
        """End the snapshot and give the connection back."""
        await self._unit.close()
