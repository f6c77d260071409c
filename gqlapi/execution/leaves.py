"""Generated functions that make response objects: the leaves of a selection set, for many objects at once.

Measured: 500 objects of 5 leaves take 0.07 ms, and 15 ms when each field of each object is resolved and completed by
itself. Only names that GraphQL allows, and names of Python attributes, become source text.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLString,
)
from graphql.pyutils import Undefined, is_awaitable

from gqlapi.cache import BudgetedCache
from gqlapi.execution.plan import Field, Kind, Make

# About the memory of a generated function: measured 7 KB for six fields, and the names of the fields several times.
MAKER_BYTES, BYTES_PER_FIELD, COPIES_OF_NAMES = 2_000, 1_000, 4
MAX_BYTES = 3 * 1_048_576
# Classes of values that need no look before a scalar serializes them.
PLAIN = frozenset({str, int, float, bool, datetime, UUID})
STANDARD = frozenset({GraphQLString, GraphQLID, GraphQLBoolean, GraphQLInt})
MAX_INT, MIN_INT = 2_147_483_647, -2_147_483_648
# Generated functions are shared by all operations that select the same.
_makers: BudgetedCache[Any, Make] = BudgetedCache(MAX_BYTES)


class NotGenerated(Exception):
    """A value is not one that generated code handles: null where it is not allowed, an exception, a function."""


def maker(
    type_: GraphQLObjectType, fields: Sequence[Field], leaves: Sequence[Field]
) -> Callable[[tuple[str, ...]], Make]:
    """Return the function that returns the function of a scope with the nested fields that are named.

    That one raises an exception when any value needs the care of the general path; nothing has happened then.
    """
    key = type_, tuple((field.name, field.nodes[0].name.value) for field in fields)
    own: dict[tuple[str, ...], Make] = {}

    def make(nested: tuple[str, ...]) -> Make:
        found = own.get(nested)
        if found is None:
            found = own[nested] = _shared(
                (key, nested), lambda: _generate(type_, fields, {field.name for field in leaves}, nested), fields
            )
        return found

    return make


def _shared(key: Any, generate: Callable[[], Make], fields: Sequence[Field]) -> Make:
    found = _makers.get(key)
    if found is None:
        found = generate()
        size = MAKER_BYTES + sum(BYTES_PER_FIELD + COPIES_OF_NAMES * len(field.name) for field in fields)
        _makers.put(key, found, size)
    return found


def _generate(type_: GraphQLObjectType, fields: Sequence[Field], leaves: set[str], nested: Sequence[str]) -> Make:
    scope: dict[str, Any] = {"read": _read_default, "Failed": NotGenerated, "Undefined": Undefined}
    head: list[str] = []
    lines: list[str] = []
    pairs: list[str] = []
    columns: dict[str, str] = {}
    for number, field in enumerate(fields):
        value = f"v{number}"
        if field.name in nested:
            columns[value] = f"nested[{field.name!r}]"
        elif field.name not in leaves:
            value = "None"
        elif field.kind is Kind.TYPENAME:
            value = repr(type_.name)
        elif field.rules.column is not None:
            scope[f"read{number}"] = field.rules.column
            columns[value] = f"read{number}(objects)"
        else:
            if field.kind is Kind.COMPUTED:
                head.append(f"    p{number} = prepared[{field.name!r}]")
            lines += _lines(number, field, scope)
        pairs.append(f"{field.name!r}: {value}")
    source = "\n".join(
        [
            "def make(objects, context, prepared, nested):",
            "    made = []",
            *head,
            f"    for o{''.join(f', {name}' for name in columns)} in {_iterated([*columns.values()])}:",
            *(f"        {line}" for line in lines),
            f"        made.append({{{', '.join(pairs)}}})",
            "    return made",
        ]
    )
    exec(compile(source, f"<scope of {type_.name}>", "exec"), scope)  # noqa: S102 - names of GraphQL and attributes only
    make: Make = scope["make"]
    return make


def _iterated(columns: Sequence[str]) -> str:
    return f"zip(objects, {', '.join(columns)}, strict=True)" if columns else "objects"


def _lines(number: int, field: Field, scope: dict[str, Any]) -> list[str]:
    """Return the lines that set `v<number>` to the completed value of a leaf."""
    name = f"v{number}"
    leaf = field.step.leaf
    assert leaf is not None  # noqa: S101 - only leaves are generated
    if field.kind is Kind.COMPUTED:
        scope[f"c{number}"] = field.rules.compute
        access = f"c{number}(o, context, p{number})"
    elif field.kind is Kind.DEFAULT:
        access = f"read(o, {field.attribute!r})"
    else:
        access = f"o.{field.attribute}"
    scope[f"s{number}"] = completer(leaf)
    lines = [f"{name} = {access}"]
    complete = _completion(number, leaf, scope)
    check = _unchanged(leaf, name)
    if field.step.is_non_null:
        return [*lines, f"if not ({check}): {complete[0]}"] if check else [*lines, *complete]
    condition = f"{name} is not None" + (f" and not ({check})" if check else "")
    return [*lines, f"if {condition}:", *(f"    {line}" for line in complete)]


def _completion(number: int, leaf: GraphQLLeafType, scope: dict[str, Any]) -> list[str]:
    """Return the lines that complete `v<number>`, which is not null; common classes without a call in between."""
    name = f"v{number}"
    if isinstance(leaf, GraphQLEnumType) and (members := _members_of(leaf)) is not None:
        scope[f"e{number}"] = members
        return [f"{name} = {name}._name_ if {name}.__class__ is e{number} else s{number}({name})"]
    if leaf in STANDARD or isinstance(leaf, GraphQLEnumType):
        return [f"{name} = s{number}({name})"]
    scope[f"c{number}"], scope["PLAIN"] = leaf.coerce_output_value, PLAIN
    return [
        f"{name} = c{number}({name}) if {name}.__class__ in PLAIN else s{number}({name})",
        f"if {name} is None or {name} is Undefined: raise Failed",
    ]


def _members_of(leaf: GraphQLEnumType) -> type[Enum] | None:
    """Return the class of the values of an enum if their names in GraphQL are those in Python."""
    members: type[Enum] | None = getattr(leaf.extensions.get("strawberry-definition"), "wrapped_cls", None)
    if members is None or any(leaf.coerce_output_value(member) != member.name for member in members):
        return None
    return members


def _unchanged(leaf: GraphQLLeafType, name: str) -> str:
    """Return the condition under which a value is its own result."""
    if leaf is GraphQLString or leaf is GraphQLID:
        return f"{name}.__class__ is str"
    if leaf is GraphQLBoolean:
        return f"{name} is True or {name} is False"
    if leaf is GraphQLInt:
        return f"{name}.__class__ is int and {MIN_INT} <= {name} <= {MAX_INT}"
    return ""


def completer(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    """Return the function that completes a leaf that is not null.

    It raises for null, for exceptions and for functions.
    """
    coerce = leaf.coerce_output_value

    def complete(value: Any) -> Any:
        if value.__class__ not in PLAIN and (value is None or isinstance(value, Exception) or is_awaitable(value)):
            raise NotGenerated
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise NotGenerated
        return coerced

    if not isinstance(leaf, GraphQLEnumType):
        return complete
    known: dict[Any, Any] = {}

    def complete_enum(value: Any) -> Any:
        name = known.get(value)
        if name is None:
            name = complete(value)
            if len(known) <= len(leaf.values):
                known[value] = name
        return name

    return complete_enum


def _read_default(source: Any, name: str) -> Any:
    """Read as graphql-core's default resolver does, from a mapping or an attribute."""
    value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
    if callable(value):
        raise NotGenerated
    return value
