"""Making response objects of many objects at once, with all below them that was read together with them."""

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any, Protocol

from gqlapi.execution.declarations import Prepared
from gqlapi.execution.leaves import NotGenerated
from gqlapi.execution.plan import Field, Nested, Scope

Made = list[dict[str, Any]]
Columns = Mapping[str, list[Any]]
NOTHING_READ: Columns = {}
NO_ARGUMENTS: Mapping[str, Prepared] = {}


class Arguments(Protocol):
    """What the arguments of fields became."""

    def prepared(self, field: Field) -> Prepared:
        """Return what the arguments of a field became."""


def build(scope: Scope, objects: list[Any], arguments: Arguments, context: Any) -> tuple[Made, Sequence[Field]]:
    """Create response objects; return the fields, too, that they lack and have null for.

    Raises:
        Exception: a value needs the care of the general path; nothing has happened then.
    """
    if not scope.nested:
        return _make(scope, objects, arguments, context, NOTHING_READ), scope.waiting
    values = {one.field.name: _read(one, objects, arguments, context) for one in scope.nested}
    columns: dict[str, list[Any]] = {}
    missing: list[Field] = []
    for one in scope.nested:
        column = values[one.field.name]
        if column is None:
            missing.append(one.field)
        else:
            columns[one.field.name] = _make_column(one, column, arguments, context)
    return _make(scope, objects, arguments, context, columns), [*missing, *scope.waiting] if missing else scope.waiting


def build_leaves(scope: Scope, objects: list[Any], arguments: Arguments, context: Any) -> Made:
    """Create response objects with null for all fields that are no leaves.

    Raises:
        Exception: a value needs the care of the general path; nothing has happened then.
    """
    return _make(scope, objects, arguments, context, NOTHING_READ)


def _make(scope: Scope, objects: list[Any], arguments: Arguments, context: Any, columns: Columns) -> Made:
    prepared = {field.name: arguments.prepared(field) for field in scope.computed} if scope.computed else NO_ARGUMENTS
    return scope.make(tuple(columns))(objects, context, prepared, columns)


def _read(nested: Nested, objects: list[Any], arguments: Arguments, context: Any) -> list[Any] | None:
    """Return the values of a field, None where they were not read with the objects."""
    if nested.field.rules.is_embedded:
        return objects
    if nested.read is None:
        compute, prepared = nested.field.rules.compute, arguments.prepared(nested.field)
        assert compute is not None  # noqa: S101 - by the kind of the field
        return [compute(source, context, prepared) for source in objects]
    try:
        return [*map(nested.read, objects)]
    except Exception:  # noqa: BLE001 - an attribute that is not there, or whose reading fails
        return None


def _make_column(nested: Nested, values: list[Any], arguments: Arguments, context: Any) -> list[Any]:
    """Create the response objects of a field's values; equal objects are one, and so are theirs."""
    if nested.is_list:
        made = iter(_make_all(nested.scope, [*chain.from_iterable(values)], arguments, context))
        return [[*islice(made, len(value))] for value in values]
    if nested.field.rules.is_embedded:
        return _make_all(nested.scope, values, arguments, context)
    distinct = dict(zip(map(id, values), values, strict=True))
    if len(distinct) == len(values):
        return _make_all(nested.scope, values, arguments, context)
    by_id = dict(zip(distinct, _make_all(nested.scope, [*distinct.values()], arguments, context), strict=True))
    return [by_id[key] for key in map(id, values)]


def _make_all(scope: Scope, objects: list[Any], arguments: Arguments, context: Any) -> Made:
    made, missing = build(scope, objects, arguments, context)
    if missing:
        raise NotGenerated
    return made
