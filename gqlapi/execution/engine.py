"""Executes compiled operations breadth-first: each field once for all objects of its scope.

The leaves of a scope are set by one generated function; relations collect the keys of a whole level and load them
together; resolvers are called for each object and awaited together. Objects of the answer are complete but for what is
still to be loaded, which is set later. https://spec.graphql.org/September2025/#sec-Execution
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from graphql import GraphQLError, GraphQLResolveInfo, default_field_resolver
from graphql.execution.values import VariableValues, get_argument_values
from graphql.pyutils import Path, gather_with_cancel, is_awaitable
from graphql.type.definition import GraphQLResolveInfoHelpers

from gqlapi.execution.awaiting import settle
from gqlapi.execution.building import Made, build, build_leaves
from gqlapi.execution.completion import Completion
from gqlapi.execution.declarations import UNKNOWN, Prepared, Relation
from gqlapi.execution.failures import ErrorMode, Finisher
from gqlapi.execution.plan import Field, Kind, Operation, Scope

# Objects that are made before other work has its turn.
SLICE = 250

Objects = list[Any]


class Bound(Protocol):
    """An operation with the values of its variables."""

    operation: Operation
    variables: VariableValues

    def prepared(self, field: Field) -> Prepared:
        """Return what the arguments of a field became."""

    def arguments(self, field: Field) -> dict[str, Any]:
        """Return the arguments of a field.

        Raises:
            GraphQLError: an argument has a wrong value.
        """


class PlainBound:
    """An operation with the values of its variables, whose arguments are read when they are needed."""

    def __init__(self, operation: Operation, variables: VariableValues) -> None:
        """Bind an operation."""
        self.operation = operation
        self.variables = variables

    def prepared(self, field: Field) -> Prepared:
        """Return the selection of a field: nothing prepares its arguments."""
        return Prepared(None, field.selection)

    def arguments(self, field: Field) -> dict[str, Any]:
        """Return the arguments of a field.

        Raises:
            GraphQLError: an argument has a wrong value.
        """
        if not field.definition.args:
            return {}
        return get_argument_values(field.definition, field.nodes[0], self.variables)


class Pace(Protocol):
    """Turns between slices of work."""

    @property
    def expired(self) -> bool:
        """Whether the slice has taken its time."""

    async def turn(self) -> None:
        """Wait for the next slice."""


class Unpaced:
    """No turns."""

    expired = False

    async def turn(self) -> None:
        """Return at once."""


class Engine:
    """Executes one operation."""

    def __init__(self, bound: Bound, context: Any, root: Any, pace: Pace | None = None) -> None:
        """Prepare to execute; `root` is the object of the root fields."""
        self.bound = bound
        self.context = context
        self.pace = pace or Unpaced()
        self._root = root
        self._completion = Completion(self)
        self._awaited: list[tuple[Field, Made, list[int], list[Awaitable[Any]]]] = []
        self._requests: dict[Any, list[tuple[Field, list[Any], Made]]] = {}
        self._loaded: dict[Any, dict[Any, Any]] = {}
        self._infos: dict[int, GraphQLResolveInfo[Any]] = {}
        self._halts = False

    async def execute(self, mode: ErrorMode = ErrorMode.PROPAGATE) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
        """Execute the operation, and return data and errors."""
        scope = self.bound.operation.root
        # The fields of an operation with @atomic wait for each other before they write.
        is_serial = self.bound.operation.is_serial and not self.bound.operation.is_atomic
        run = self._execute_serially if is_serial else self._execute_together
        finisher = Finisher(mode, self._completion.scopes)
        self._halts = mode is ErrorMode.HALT
        try:
            data = await run(scope, finisher)
        except GraphQLError as error:  # a root field that cannot be null, or any error of an operation that halts
            return None, [*finisher.errors, error]
        finally:
            self._abandon()
            # Else only the garbage collector would free what was loaded: a fifth of the time of long lists.
            del self._completion
        return data, finisher.errors

    async def _execute_together(self, scope: Scope, finisher: Finisher) -> dict[str, Any]:
        (data,) = await self.select(scope, [self._root])
        await self._drain()
        return finisher.object(scope, data, []) if self._completion.has_failures else data

    async def _execute_serially(self, scope: Scope, finisher: Finisher) -> dict[str, Any]:
        """Execute the root fields one after the other; what one has changed, the next one reads anew."""
        (data,) = await self._build_leaves(scope, [self._root])
        for field in scope.fields:
            if field in scope.composites:
                self._loaded.clear()
                await self._resolve(field, [self._root], [data])
                await self._drain()
            data[field.name] = finisher.field(field, data[field.name], [])
        return data

    async def select(self, scope: Scope, objects: Objects) -> Made:
        """Execute a selection set on objects of its type, but for what is still to be loaded."""
        if len(objects) <= SLICE:
            made, missing = await self._build(scope, objects)
        else:
            made, missing = await self._build_slices(scope, objects)
        for field in missing:
            await self._resolve(field, objects, made)
        return made

    async def _build_slices(self, scope: Scope, objects: Objects) -> tuple[Made, Sequence[Field]]:
        made: Made = []
        lacking: dict[str, Field] = {}
        for start in range(0, len(objects), SLICE):
            if start and self.pace.expired:
                await self.pace.turn()
            some, missing = await self._build(scope, objects[start : start + SLICE])
            made += some
            lacking |= {field.name: field for field in missing}
        return made, [*lacking.values()]

    async def _build(self, scope: Scope, objects: Objects) -> tuple[Made, Sequence[Field]]:
        """Create response objects, and return the fields that are still to be resolved."""
        try:
            return build(scope, objects, self.bound, self.context)
        except Exception:  # noqa: BLE001 - found again with the object that it belongs to
            return await self._build_leaves(scope, objects), scope.composites

    async def _build_leaves(self, scope: Scope, objects: Objects) -> Made:
        try:
            return build_leaves(scope, objects, self.bound, self.context)
        except Exception:  # noqa: BLE001 - found again, field by field, with the object that it belongs to
            made: Made = [dict.fromkeys(field.name for field in scope.fields) for _ in objects]
            for field in scope.leaves:
                await self._resolve_each(field, objects, made)
            return made

    async def _resolve(self, field: Field, objects: Objects, made: Made) -> None:
        if field.kind is Kind.RELATION:
            await self._request(field, objects, made)
        elif not await self._read(field, objects, made):
            await self._resolve_each(field, objects, made)
        if self.pace.expired:
            await self.pace.turn()

    async def _read(self, field: Field, objects: Objects, made: Made) -> bool:
        """Complete an attribute, or what is computed, of all objects; return False when that is not possible."""
        try:
            if field.kind is Kind.ATTRIBUTE:
                values = [getattr(source, field.attribute) for source in objects]
            elif field.kind is Kind.COMPUTED and field.rules.compute is not None:
                compute, prepared = field.rules.compute, self.bound.prepared(field)
                values = [compute(source, self.context, prepared) for source in objects]
            else:
                return False
        except Exception:  # noqa: BLE001 - found again with the object that it belongs to
            return False
        await self._complete(field, values, made, is_trusted=field.rules.is_trusted)
        return True

    async def _complete(self, field: Field, values: list[Any], made: Made, *, is_trusted: bool = False) -> None:
        completed = await self._completion.complete(field.step, field, values, is_trusted=is_trusted)
        name = field.name
        for target, value in zip(made, completed, strict=True):
            target[name] = value

    async def _resolve_each(self, field: Field, objects: Objects, made: Made) -> None:
        """Resolve a field for each object; what is awaited is awaited together with the rest of the level."""
        resolve = self._resolver(field)
        values: list[Any] = []
        places: list[int] = []
        awaited: list[Awaitable[Any]] = []
        for number, source in enumerate(objects):
            try:
                value = resolve(source)
            except Exception as error:  # noqa: BLE001 - the error of this object's field
                value = error
            if is_awaitable(value):
                places.append(number)
                awaited.append(value)
                value = None
            values.append(value)
        if not awaited:
            await self._complete(field, values, made)
            return
        self._awaited.append((field, made, places, awaited))
        waiting = set(places)
        rest = [number for number in range(len(objects)) if number not in waiting]
        await self._complete(field, [values[number] for number in rest], [made[number] for number in rest])

    def _resolver(self, field: Field) -> Callable[[Any], Any]:
        """Return a function that resolves a field of one object."""
        if field.kind is Kind.TYPENAME:
            return lambda _source: field.parent_type.name
        if field.kind is Kind.COMPUTED and field.rules.compute is not None:
            compute, prepared = field.rules.compute, self.bound.prepared(field)
            return lambda source: compute(source, self.context, prepared)
        info = self.info(field)
        try:
            arguments = self.bound.arguments(field)
        except GraphQLError as error:
            failure = error
            return lambda _source: failure
        resolve = field.definition.resolve or default_field_resolver
        return lambda source: resolve(source, info, **arguments)

    async def _request(self, field: Field, objects: Objects, made: Made) -> None:
        """Ask for the values of a relation, which are loaded when no more keys can be had without loading."""
        relation = field.rules.relation
        assert relation is not None  # noqa: S101 - by the kind of the field
        if relation.known is not None:
            values = [relation.known(source) for source in objects]
            if not any(value is UNKNOWN for value in values):
                await self._deliver(
                    field, [id(value) for value in values], made, {id(value): value for value in values}
                )
                return
        prepared = self.bound.prepared(field)
        keys = [relation.key_of(source, prepared) for source in objects]
        self._requests.setdefault(_loader(field, relation, prepared), []).append((field, keys, made))

    async def _drain(self) -> None:
        """Await and load, level by level, until the answer is complete, or has an error and halts."""
        while (self._awaited or self._requests) and not (self._halts and self._completion.has_failures):
            if self._awaited:
                awaited, self._awaited = self._awaited, []
                await self._await(awaited)
            else:
                requests, self._requests = self._requests, {}
                for loader, asked in requests.items():
                    await self._load(loader, asked)

    async def _await(self, awaited: list[tuple[Field, Made, list[int], list[Awaitable[Any]]]]) -> None:
        values = await settle([awaitable for *_, some in awaited for awaitable in some])
        start = 0
        for field, made, places, some in awaited:
            await self._complete(field, values[start : start + len(some)], [made[place] for place in places])
            start += len(some)
            if self.pace.expired:
                await self.pace.turn()

    def _abandon(self) -> None:
        """Close what an operation that was cancelled does not await any more."""
        for *_, some in self._awaited:
            for awaitable in some:
                if isinstance(awaitable, Coroutine):
                    awaitable.close()
                elif isinstance(awaitable, asyncio.Future):
                    awaitable.cancel()

    async def _load(self, loader: Any, asked: list[tuple[Field, list[Any], Made]]) -> None:
        """Load the values of one relation for all who asked, each key once in the operation."""
        field = asked[0][0]
        relation: Relation | None = field.rules.relation
        assert relation is not None  # noqa: S101 - by the kind of the field
        known = self._loaded.setdefault(loader, {})
        keys = asked[0][1] if len(asked) == 1 else [key for _, keys, _ in asked for key in keys]
        distinct = keys if len(keys) == 1 else [*dict.fromkeys(keys)]
        missing = [key for key in distinct if key not in known] if known else distinct
        if missing:
            try:
                values: Sequence[Any] = await relation.load(self.context, missing, self.bound.prepared(field))
            except Exception as error:  # noqa: BLE001 - the error of every field that asked
                values = [error] * len(missing)
            known.update(zip(missing, values, strict=True))
        for field, keys, made in asked:
            await self._deliver(field, keys, made, known)

    async def _deliver(self, field: Field, keys: list[Any], made: Made, known: dict[Any, Any]) -> None:
        """Complete each distinct value once; objects with equal keys share what was completed."""
        name = field.name
        if len(keys) == 1:
            (made[0][name],) = await self._completion.complete(field.step, field, [known[keys[0]]], is_trusted=True)
            return
        distinct = dict.fromkeys(keys)
        values = [known[key] for key in distinct]
        completed = await self._completion.complete(field.step, field, values, is_trusted=True)
        by_key = dict(zip(distinct, completed, strict=True))
        for target, key in zip(made, keys, strict=True):
            target[name] = by_key[key]
        if self.pace.expired:
            await self.pace.turn()

    def info(self, field: Field) -> GraphQLResolveInfo[Any]:
        """Return what a resolver learns of the operation; its path is that of the field without its parents."""
        info = self._infos.get(id(field))
        if info is None:
            operation = self.bound.operation
            info = self._infos[id(field)] = GraphQLResolveInfo(
                field.nodes[0].name.value,
                field.nodes,
                field.definition.type,
                field.parent_type,
                Path(None, field.name, field.parent_type.name),
                operation.schema,
                operation.fragments,
                self._root,
                operation.definition,
                self.bound.variables,
                self.context,
                is_awaitable,
                None,
                HELPERS,
            )
        return info


class LoaderKey:
    """A relation and what the arguments of a field became: fields with equal ones share a loader.

    The hash of the arguments takes as long as everything else about a key, and is asked for several times.
    """

    __slots__ = ("_hash", "_prepared", "_relation")

    def __init__(self, relation: Relation, prepared: Prepared) -> None:
        """Hash the arguments.

        Raises:
            TypeError: they cannot be hashed.
        """
        self._relation = relation
        self._prepared = prepared
        self._hash = hash((relation, prepared))

    def __hash__(self) -> int:
        """Return the hash of relation and arguments."""
        return self._hash

    def __eq__(self, other: object) -> bool:
        """Compare relations and arguments."""
        return isinstance(other, LoaderKey) and self._relation is other._relation and self._prepared == other._prepared


def _loader(field: Field, relation: Relation, prepared: Prepared) -> Any:
    """Return the key of the loader of a field: equal relations with equal arguments share one."""
    if relation.by_argument:
        return relation
    try:
        return LoaderKey(relation, prepared)
    except TypeError:  # the value of an argument
        return field


def _track(values: Sequence[Any]) -> None:
    for value in values:
        if is_awaitable(value):
            asyncio.ensure_future(value).add_done_callback(lambda done: done.cancelled() or done.exception())


HELPERS = GraphQLResolveInfoHelpers(lambda awaitables: gather_with_cancel(*awaitables), _track)
