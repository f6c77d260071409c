"""Execution that shows the objects of the answer to an observer, as they are made into response objects."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from gqlapi.execution.building import Made
from gqlapi.execution.engine import Bound, Engine, Pace
from gqlapi.execution.plan import Nested, Scope

Observe = Callable[[Sequence[Any]], None]


class ObservingEngine(Engine):
    """Executes as `Engine` does, and calls `observe` with the objects of each selection set, which are of one type.

    Objects may be shown more than once, and some that an error takes out of the answer.
    """

    def __init__(self, bound: Bound, context: Any, root: Any, pace: Pace | None, observe: Observe) -> None:
        """Prepare to execute."""
        super().__init__(bound, context, root, pace)
        self._observe = observe

    async def select(self, scope: Scope, objects: list[Any]) -> Made:
        """Execute a selection set on objects of its type, which are observed first."""
        self._show(scope, objects)
        return await super().select(scope, objects)

    def _show(self, scope: Scope, objects: list[Any]) -> None:
        """Show objects, and those below them that are made together with them: no one selects these."""
        self._observe(objects)
        for nested in scope.nested:
            self._show(nested.scope, self._below(nested, objects))

    def _below(self, nested: Nested, objects: list[Any]) -> list[Any]:
        if nested.field.rules.is_embedded:
            return objects
        try:
            values = [*map(nested.read or self._compute(nested), objects)]
        except Exception:  # noqa: BLE001 - not read with the objects, and selected later; or an error of the field
            return []
        if nested.is_list:
            values = [*chain.from_iterable(value for value in values if isinstance(value, list | tuple))]
        return [value for value in values if value is not None]

    def _compute(self, nested: Nested) -> Callable[[Any], Any]:
        compute, prepared = nested.field.rules.compute, self.bound.prepared(nested.field)
        assert compute is not None  # noqa: S101 - by the kind of the field
        return lambda source: compute(source, self.context, prepared)
