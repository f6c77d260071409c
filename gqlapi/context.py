"""What the resolvers of one operation share."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from graphql import FieldNode
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.accounts import Accounts, Client
from gqlapi.accounts.audit import log_events
from gqlapi.atomic import Atomic
from gqlapi.database.failures import Trouble
from gqlapi.database.gate import Place
from gqlapi.database.positions import NOWHERE
from gqlapi.database.read_unit import ReadUnit
from gqlapi.database.tracing import Trace
from gqlapi.database.unit import Database
from gqlapi.errors import ApiError
from gqlapi.execution.declarations import NOTHING, Prepared
from gqlapi.execution.failures import ErrorMode
from gqlapi.execution.incremental import Delivery
from gqlapi.execution.observing import Observe
from gqlapi.execution.pacing import Pace
from gqlapi.execution.plan import Kind
from gqlapi.execution.reference import Answer
from gqlapi.feed import Feed, LiveQueries
from gqlapi.loaders import Loaders
from gqlapi.models import ANONYMOUS, AuditEvent, Viewer
from gqlapi.operations import BatchBudget, BoundOperation
from gqlapi.operations.caching import Observation
from gqlapi.operations.rate import RateLimited, Rates, Spent
from gqlapi.problems import ForbiddenProblem, ProblemCode, Rejected
from gqlapi.repositories import ReadScope, Repositories, WriteScope
from gqlapi.repositories.positions import record_position
from gqlapi.repositories.viewers import reload_viewer

T = TypeVar("T")

# Mutations that need no viewer: an expired token must not keep its owner from a new one.
SIGNING_IN = frozenset({"signUp", "signIn", "refreshSession"})


class Context:
    """The session, the repositories, the loaders and the viewer of one operation; never shared between two."""

    # The budget of the answer, set where the reference executor runs the operation.
    answer: Answer
    # The turns of the operation; set by who executes it.
    pace: Pace
    # What an error does to the answer; set by the transport.
    error_mode = ErrorMode.PROPAGATE
    # Where the payloads of an operation with @defer or @stream go; without it, there is one answer.
    delivery: Delivery | None = None
    # Shared by the operations of a batch.
    budget: BatchBudget | None = None
    # The points of all clients, and what this one has spent; only contexts of a server have them.
    rates: Rates | None = None
    spent: Spent | None = None
    # What the server follows to answer subscriptions.
    feed: Feed | None = None
    live: LiveQueries | None = None
    # Shown the objects of the answer to a live query.
    observe: Observe | None = None
    # The events of a subscription that has begun, for the transport.
    events: AsyncGenerator[Any] | None = None
    # Set by the transport where a shared cache may keep the answer.
    observation: Observation | None = None
    # How far PostgreSQL had written: before the answers that the caller has seen, set by the transport; and after the
    # writes of this operation. Both are known only where there are replicas.
    seen_position = written_position = NOWHERE
    # Whether an operator has added the document.
    is_of_trusted_document = False
    # Whether results have the cost and the statements in their `extensions`.
    reports_costs = False

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

        `find_viewer` authenticates the caller from the operation's own snapshot; `trace` records the statements where
        it is the current one. A `place`, the limiter's slot that the caller holds, becomes the context's own.
        """
        self.viewer = self._requester = viewer
        self._find_viewer = find_viewer
        self.client = client or Client()
        self.request_id = request_id
        self.trace = trace
        self._accounts = accounts
        self._database = database
        self._unit = database.read(place=place, client=self.client.keys)
        # The points of each root field, known before anything runs.
        self.costs: Mapping[str, int] = {}
        # The limit of the cost, known as soon as the document is.
        self.max_cost = 0
        # The bytes of the long texts of its answer.
        self.text_length = 0
        # The first index that a stream delivers, by the path of its list.
        self.stream_starts: dict[tuple[str | int, ...], int] = {}
        self.operation: BoundOperation | None = None
        self._repositories: Repositories | None = None
        self._loaders: Loaders | None = None
        self._atomic: Atomic | None = None
        self._has_written = False
        # Sessions that have begun in this operation.
        self._new_sessions: set[UUID] = set()

    @property
    def accounts(self) -> Accounts:
        """The account services; only contexts of a server have it."""
        if self._accounts is None:
            raise RuntimeError("this context has no accounts")
        return self._accounts

    def begin(self, operation: BoundOperation) -> None:
        """Start an operation, which is known to be allowed."""
        self.operation = operation
        self.costs = operation.costs
        # Before its first transaction, a mutation reads the caller, and most of them nothing else.
        reads_once = operation.operation.reads_once and not operation.is_incremental
        is_read_at_once = reads_once and self._find_viewer is None
        if operation.operation.is_atomic:
            fields = operation.operation.root.fields
            self._atomic = Atomic([field.name for field in fields if field.kind is Kind.RESOLVER], self._transact)
        # A caller is known to the primary at once, and what comes then may be read elsewhere.
        authenticates_alone = operation.operation.is_serial or self._may_read_replica
        self._unit.expects_one_statement = authenticates_alone or is_read_at_once
        self._forget()

    @property
    def _may_read_replica(self) -> bool:
        """Whether the fields are read from a replica, if one is fit.

        A shared cache would keep an answer that lacks the write after which it was purged, and a subscriber would never
        get what an event has announced.
        """
        if self._database.replicas is None or self.operation is None or self.observation is not None:
            return False
        return not (self.operation.operation.is_serial or self.operation.is_subscription)

    @property
    def has_halted_writing(self) -> bool:
        """Whether an error may hide mutations that are committed, so that the operation must not be repeated."""
        if self.error_mode is not ErrorMode.HALT or self.operation is None:
            return False
        return self.operation.operation.is_serial and len(self.operation.operation.root.fields) > 1

    @property
    def repositories(self) -> Repositories:
        """The repositories, which read from the current unit on behalf of the viewer."""
        if self._repositories is None:
            selected = {} if self.operation is None else self.operation.selected
            scope = ReadScope(self._unit, self._database.dialect_name, viewer=self.viewer, selected=selected)
            self._repositories = Repositories(scope)
        return self._repositories

    @property
    def loaders(self) -> Loaders:
        """The loaders, which load from the current unit."""
        if self._loaders is None:
            self._loaders = Loaders(self, self.pace)
        return self._loaders

    async def authenticate(self) -> None:
        """Find the viewer, after `begin` and before the first field: nothing of a refused operation reaches SQL.

        An operation that only signs in runs without the caller's token, valid or not.

        Raises:
            InvalidToken: the request has a token that is not valid.
            ApiError: the database timed out or is not available.
        """
        if self._find_viewer is not None and not self._only_signs_in:
            self._requester = await self._find_viewer(self._unit)
            self.act_as(self._requester)
        if self._may_read_replica:
            await self._choose_replica()

    async def _choose_replica(self) -> None:
        """Read what comes from a replica that has all that the caller has written or seen, else from the primary."""
        replicas, operation = self._database.replicas, self.operation
        assert replicas is not None and operation is not None  # noqa: S101, PT018 - else nothing is read from one
        replica = await replicas.choose(max(self.seen_position, self._requester.position))
        if replica is None:
            return
        self._read_anew(await self._unit.hand_over())
        self._unit.read_from(replica)
        self._unit.expects_one_statement = operation.operation.reads_once and not operation.is_incremental

    async def record_position(self) -> None:
        """Record how far PostgreSQL has written, after an operation that wrote, for the next reads of its caller.

        What was written stays written if this fails.
        """
        if self._database.replicas is None or not self._has_written:
            return
        ids = {*self._new_sessions, *filter(None, [self._requester.session_id])}
        token_id = self._requester.token_id
        with suppress(ApiError):
            self.written_position = await self._run(lambda session: record_position(session, ids, token_id))

    @property
    def _only_signs_in(self) -> bool:
        if self.operation is None or not self.operation.operation.is_serial:
            return False
        names = {field.nodes[0].name.value for field in self.operation.operation.root.fields}
        return bool(names) and names <= SIGNING_IN

    @property
    def points(self) -> int:
        """What the operation costs its client: at least one point."""
        return max(1, sum(self.costs.values()))

    async def spend(self) -> None:
        """Take the points of the operation from those of the caller, who is authenticated.

        Raises:
            RateLimited: there are not enough of them left.
        """
        if self.rates is None:
            return
        try:
            network = str(self.client.keys[0]) if self.client.keys else ""
            self.spent = await self.rates.spend(self.viewer.id, network, self.points)
        except RateLimited as error:
            self.spent = error.spent
            raise

    async def release(self) -> None:
        """Give the connection back before something that takes long; what is read next is read anew."""
        await self._unit.close()
        self._read_anew()

    def act_as(self, viewer: Viewer) -> None:
        """Resolve the payload of this root field as the user who has just signed in; the next one runs as who asked."""
        self.viewer = viewer
        if viewer.session_id is not None and viewer.session_id != self._requester.session_id:
            self._new_sessions.add(viewer.session_id)
        self._forget()

    def begin_field(self) -> None:
        """Start a root field of a mutation on behalf of the caller, regardless of whom the one before signed in."""
        if self.viewer is not self._requester:
            self.act_as(self._requester)

    def resolving(self, name: str) -> AbstractContextManager[None]:
        """Resolve a root field of a mutation, by its name in the response, in the block."""
        return nullcontext() if self._atomic is None else self._atomic.resolving(name)

    async def mutate(
        self,
        body: Callable[[WriteScope], Awaitable[T]],
        at_once: Callable[[WriteScope], Awaitable[T | None]] | None = None,
    ) -> T:
        """Run `body` in one transaction and commit it; what is read afterwards is read from a new snapshot.

        The bodies of all root fields of an operation with @atomic run in one.

        One connection at a time, and one slot of the limiter until the payload is read. If `body` raises, its
        transaction changed nothing. `at_once` comes before it, and does the same in one statement that commits itself
        and writes only while the viewer's rights are those that are known, or returns None.

        Raises:
            Rejected: the viewer's session or token has ended, `body` rejects, or another field of an operation with
                @atomic has failed.
        """
        if self._atomic is not None:
            outcome: T = await self._atomic.write(body)
            return outcome
        return await self._transact(body, at_once)

    async def _transact(
        self,
        body: Callable[[WriteScope], Awaitable[T]],
        at_once: Callable[[WriteScope], Awaitable[T | None]] | None = None,
    ) -> T:
        audited: list[AuditEvent] = []

        async def transaction(session: AsyncSession) -> T:
            audited.clear()  # of an attempt that was rolled back
            scope = WriteScope(session, self.viewer, address=self.client.address, audited=audited)
            if at_once is not None and (outcome := await at_once(scope)) is not None:
                return outcome
            return await body(replace(scope, viewer=await self._reload_viewer(scope)))

        self._has_written = True
        return await self._run(transaction, lambda: self._note_commit(audited))

    async def _run(
        self, transaction: Callable[[AsyncSession], Awaitable[T]], on_success: Callable[[], None] = lambda: None
    ) -> T:
        place = await self._unit.hand_over()
        self._read_anew()
        if place is None:
            place = await self._database.gate.enter(self.client.keys)
        running = self._database.start(transaction)
        running.add_done_callback(lambda task: on_success() if _has_succeeded(task) else None)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.add_done_callback(lambda _: place.leave())  # until then it holds a connection
            raise
        finally:
            if running.done():
                self._read_anew(place)

    def _note_commit(self, audited: Sequence[AuditEvent]) -> None:
        log_events(audited)
        self._database.on_commit()

    async def _reload_viewer(self, scope: WriteScope) -> Viewer:
        viewer = await reload_viewer(scope)
        if viewer is None:
            raise Rejected(ForbiddenProblem(code=ProblemCode.UNAUTHENTICATED, message="The session has ended."))
        self.viewer = self._requester = viewer
        return viewer

    def _read_anew(self, place: Place | None = None) -> None:
        """Read from a new snapshot from now on."""
        self._unit = self._database.read(place=place, client=self.client.keys)
        self._forget()

    def _forget(self) -> None:
        """Forget what was loaded: it is read again, from the current unit and as the current viewer."""
        self._repositories = self._loaders = None

    def prepared(self, nodes: Sequence[FieldNode]) -> Prepared:
        """Return what the arguments of a field became, once for all objects that the field is resolved for."""
        return NOTHING if self.operation is None else self.operation.prepared_of(nodes)

    def note_timeout(self) -> None:
        """Count an operation that took too long among the incidents of the database."""
        self._database.incidents.record(Trouble.OPERATION_TIMEOUT)

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left for `close` to do."""
        return self._unit.is_released

    async def close(self) -> None:
        """End the snapshot, give the connection back, and forget what was loaded."""
        self._forget()
        await self._unit.close()


def _has_succeeded(task: asyncio.Task[Any]) -> bool:
    return not task.cancelled() and task.exception() is None
