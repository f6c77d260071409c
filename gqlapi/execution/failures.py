"""Errors of fields: found by their places in the answer after the execution, and null where the types demand it.

Executing needs no paths: a failure is in the result at the place of the value, and only an answer with failures is
walked once more. Objects that occur in several places are then copied, because their errors have several paths.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from graphql import GraphQLError, located_error

from gqlapi.execution.plan import Field, Scope, Step


class ErrorMode(Enum):
    """What an error does to the answer: https://github.com/graphql/graphql-spec/pull/1236.

    PROPAGATE: a position that cannot be null makes its parent null. NULL: it is null all the same, and clients look
    at the errors. HALT: there is no data, and one error.
    """

    PROPAGATE = "PROPAGATE"
    NULL = "NULL"
    HALT = "HALT"


class Failure:
    """The placeholder in the result for a value that failed."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        """Keep the error, which has no path yet."""
        self.error = error


def null_failure(field: Field) -> Failure:
    """Return the failure of a null that the type does not allow."""
    name = field.nodes[0].name.value
    return Failure(TypeError(f"Cannot return null for non-nullable field {field.parent_type}.{name}."))


class Finisher:
    """Walks an answer with failures."""

    def __init__(self, mode: ErrorMode, scopes: Mapping[int, Scope]) -> None:
        """Walk; `scopes` has the scope of each object of an abstract type, by its identity."""
        self._mode = mode
        self._scopes = scopes
        self.errors: list[GraphQLError] = []

    def object(self, scope: Scope, made: dict[str, Any], path: list[str | int]) -> dict[str, Any]:
        """Return an object of the answer without failures.

        Raises:
            GraphQLError: it must become null, or the operation halts.
        """
        return {field.name: self.field(field, made[field.name], path) for field in scope.fields}

    def field(self, field: Field, value: Any, path: list[str | int]) -> Any:
        """Return the value of a field without failures.

        Raises:
            GraphQLError: the object must become null, or the operation halts.
        """
        return self._guarded(field.step, field, value, [*path, field.name])

    def _guarded(self, step: Step, field: Field, value: Any, path: list[str | int]) -> Any:
        try:
            return self._value(step, field, value, path)
        except GraphQLError as error:
            if self._mode is ErrorMode.HALT or (step.is_non_null and self._mode is ErrorMode.PROPAGATE):
                raise
            self.errors.append(error)
            return None

    def _value(self, step: Step, field: Field, value: Any, path: list[str | int]) -> Any:
        if isinstance(value, Failure):
            raise located_error(value.error, field.nodes, path)
        if value is None:
            return None
        if step.items is not None:
            return [self._guarded(step.items, field, item, [*path, index]) for index, item in enumerate(value)]
        if step.leaf is not None:
            return value
        object_type = step.object_type
        scope = self._scopes[id(value)] if object_type is None else field.subscopes.on(object_type)
        return self.object(scope, value, path)
