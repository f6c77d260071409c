"""Completion of values: lists, leaves, objects and abstract types, for all objects of a level at once."""

from collections.abc import AsyncIterable, Callable
from itertools import chain
from typing import Any, Protocol

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    default_type_resolver,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.executor import Executor
from graphql.pyutils import Undefined, inspect, is_awaitable, is_iterable

from gqlapi.execution.awaiting import settle
from gqlapi.execution.failures import Failure, null_failure
from gqlapi.execution.plan import Field, Scope, Step

# Not a value: null, or the placeholder of an error.
NOT_USABLE = type(None), type(Undefined), Exception, Failure


class Selecting(Protocol):
    """What completion needs of the engine."""

    async def select(self, scope: Scope, objects: list[Any]) -> list[dict[str, Any]]:
        """Execute a selection set on objects of its type."""

    def info(self, field: Field) -> GraphQLResolveInfo[Any]:
        """Return what a resolver learns of the operation."""


class Completion:
    """Completes the values of fields: https://spec.graphql.org/September2025/#CompleteValue()."""

    def __init__(self, engine: Selecting) -> None:
        """Complete for an engine."""
        self._engine = engine
        self.has_failures = False
        # The scopes of objects of abstract types, by the identity of what was made of them.
        self.scopes: dict[int, Scope] = {}

    async def complete(self, step: Step, field: Field, values: list[Any], *, is_trusted: bool = False) -> list[Any]:
        """Return the completed values, in order, with failures in the place of those that have none.

        Trusted values come from a relation: they are objects of the declared type, null, or exceptions.
        """
        # Classes are few where values are many.
        classes = {*map(type, values)}
        if not any(issubclass(class_, NOT_USABLE) for class_ in classes):
            completed = await self._complete_usable(step, field, values, is_trusted=is_trusted)
        else:
            usable = [value for value in values if not isinstance(value, NOT_USABLE)]
            completed = self._spread(values, await self._complete_usable(step, field, usable, is_trusted=is_trusted))
        if step.is_non_null and None in completed:
            self.has_failures = True
            return [null_failure(field) if value is None else value for value in completed]
        return completed

    def _spread(self, values: list[Any], completed: list[Any]) -> list[Any]:
        """Return the completed values in the places of the usable ones."""
        results: list[Any] = []
        following = iter(completed)
        for value in values:
            if value is None or value is Undefined:
                results.append(None)
            elif isinstance(value, Failure):
                results.append(value)
            elif isinstance(value, Exception):
                results.append(self._failure(value))
            else:
                results.append(next(following))
        return results

    def _failure(self, error: Exception) -> Failure:
        self.has_failures = True
        return Failure(error)

    async def _complete_usable(self, step: Step, field: Field, values: list[Any], *, is_trusted: bool) -> list[Any]:
        if not values:
            return []
        if step.items is not None:
            return await self._lists(step.items, field, values, is_trusted=is_trusted)
        if step.leaf is not None:
            return [self._leaf(step, value) for value in values]
        if step.object_type is None:
            return await self._abstract(step, field, values, is_trusted=is_trusted)
        if step.object_type.is_type_of is not None and not is_trusted:
            return await self._checked(step.object_type, field, values)
        return await self._objects(step.object_type, field, values)

    def _leaf(self, step: Step, value: Any) -> Any:
        assert step.leaf is not None  # noqa: S101 - by the caller
        try:
            return Executor.complete_leaf_value(step.leaf, value)
        except Exception as error:  # noqa: BLE001 - the error of its field
            return self._failure(error)

    async def _lists(self, items: Step, field: Field, values: list[Any], *, is_trusted: bool) -> list[Any]:
        """Complete the items of all lists together."""
        if {*map(type, values)} == {list}:
            lists, flat = values, [*chain.from_iterable(values)]
        else:
            lists = [await self._list(field, value) for value in values]
            flat = [item for some in lists if some.__class__ is list for item in some]
        if not is_trusted:
            flat = await _awaited(flat)
        completed = await self.complete(items, field, flat, is_trusted=is_trusted)
        results: list[Any] = []
        start = 0
        for some in lists:
            if some.__class__ is not list:
                results.append(some)
                continue
            results.append(completed[start : start + len(some)])
            start += len(some)
        return results

    async def _list(self, field: Field, value: Any) -> Any:
        """Return a value as a list, or a failure."""
        if value.__class__ is list:
            return value
        try:
            if isinstance(value, AsyncIterable):
                return [item async for item in value]
            if is_iterable(value):
                return list(value)
        except Exception as error:  # noqa: BLE001 - the error of its field
            return self._failure(error)
        name = f"{field.parent_type}.{field.nodes[0].name.value}"
        return self._failure(GraphQLError(f"Expected Iterable, but did not find one for field '{name}'."))

    async def _objects(self, type_: GraphQLObjectType, field: Field, values: list[Any]) -> list[Any]:
        try:
            scope = field.subscopes.on(type_)
        except GraphQLError as error:
            return [self._failure(error) for _ in values]
        return list(await self._engine.select(scope, values))

    async def _checked(self, type_: GraphQLObjectType, field: Field, values: list[Any]) -> list[Any]:
        """Complete objects of which the type says whether they are its own."""
        is_type_of = type_.is_type_of
        assert is_type_of is not None  # noqa: S101 - by the caller
        info = self._engine.info(field)
        results = await call_each(lambda value: is_type_of(value, info), values)
        places = [place for place, result in enumerate(results) if result and not isinstance(result, Exception)]
        made = await self._objects(type_, field, [values[place] for place in places])
        for place, result in enumerate(results):
            if isinstance(result, Exception):
                results[place] = self._failure(result)
            elif not result:
                message = f"Expected value of type '{type_}' but got: {inspect(values[place])}."
                results[place] = self._failure(GraphQLError(message, field.nodes))
        for place, one in zip(places, made, strict=True):
            results[place] = one
        return results

    async def _abstract(self, step: Step, field: Field, values: list[Any], *, is_trusted: bool) -> list[Any]:
        """Complete objects of an interface or a union, those of each type together."""
        abstract = step.abstract_type
        assert abstract is not None  # noqa: S101 - by the caller
        resolve_type = abstract.resolve_type or default_type_resolver
        info = self._engine.info(field)
        results = await call_each(lambda value: resolve_type(value, info, abstract), values)
        places_by_type: dict[str, list[int]] = {}
        for place, name in enumerate(results):
            try:
                type_ = self._runtime_type(name, abstract, field, values[place])
            except Exception as error:  # noqa: BLE001 - the error of its field
                results[place] = self._failure(error)
            else:
                places_by_type.setdefault(type_.name, []).append(place)
        for name, places in places_by_type.items():
            type_ = info.schema.type_map[name]  # type: ignore[assignment] # an object type, as was just checked
            is_checked = type_.is_type_of is not None and not is_trusted
            complete = self._checked if is_checked else self._objects
            for place, made in zip(places, await complete(type_, field, [values[p] for p in places]), strict=True):
                results[place] = made
                if made.__class__ is dict:
                    self.scopes[id(made)] = field.subscopes.on(type_)
        return results

    def _runtime_type(self, name: Any, abstract: GraphQLAbstractType, field: Field, value: Any) -> GraphQLObjectType:
        """Return the type of a name.

        Raises:
            GraphQLError: it is not the name of a possible type.
        """
        if isinstance(name, Exception):
            raise name
        info = self._engine.info(field)
        details = [FieldDetails(node, None) for node in field.nodes]
        return Executor.ensure_valid_runtime_type(info, name, abstract, details, info, value)  # type: ignore[arg-type] # of the executor it reads the schema only


async def call_each(call: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    """Call a function for each value; return what it returned, awaited, or what it raised."""
    results: list[Any] = []
    for value in values:
        try:
            results.append(call(value))
        except Exception as error:  # noqa: BLE001 - the error of its field
            results.append(error)
    places = [place for place, result in enumerate(results) if is_awaitable(result)]
    if places:
        for place, result in zip(places, await settle([results[place] for place in places]), strict=True):
            results[place] = result
    return results


async def _awaited(items: list[Any]) -> list[Any]:
    """Return the items of lists, awaited where they are awaitable."""
    places = [place for place, item in enumerate(items) if is_awaitable(item)]
    if not places:
        return items
    items = [*items]
    for place, value in zip(places, await settle([items[place] for place in places]), strict=True):
        items[place] = value
    return items
