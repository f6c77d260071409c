"""The `variables` of a request, counted as they arrive: before anything is made of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLSchema,
    GraphQLString,
    VariableDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_input_type,
    type_from_ast,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource

from gqlapi.errors import LimitExceeded

# The deepest filter has 5 levels, the longest list of a filter 500 values.
MAX_NESTING = 64
MAX_LIST_LENGTH = 1_000
# Keys, enum values, times and numbers are shorter.
MAX_NAME_LENGTH = 400
TEXTS = frozenset({"String", "ID", "Cursor"})

# Scalars whose values in JSON are those in Python.
PLAIN: dict[Any, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}

InputType = GraphQLInputType | None
Typed = tuple[Any, InputType]


def check_variables(variables: Mapping[str, Any], types: Mapping[str, InputType], max_values: int) -> None:
    """Count the values of raw JSON, an input object as the fields of its type: each of these is looked at.

    Stops at the first limit that is exceeded, so the work is bounded by the limits.

    Raises:
        LimitExceeded: there are too many values, a list or a name is too long, or the values are nested too deeply.
    """
    level: list[Typed] = [(value, types.get(name)) for name, value in variables.items()]
    count, depth = len(level), 0
    while level:
        depth += 1
        if depth > MAX_NESTING:
            raise LimitExceeded(f"`variables` is nested deeper than {MAX_NESTING} levels.", limit=MAX_NESTING)
        following: list[Typed] = []
        for value, type_ in level:
            _check_names(value, type_)
            if not isinstance(value, dict | list):
                continue
            count += weight(value, type_)
            if count > max_values:
                raise LimitExceeded(f"`variables` has over {max_values} values.", limit=max_values)
            following.extend(inner_values(value, type_))
        level = following


def _check_names(value: object, type_: InputType) -> None:
    """Bound what is compared with names and repeated in messages: keys, and texts where no text is expected."""
    names: Iterable[str] = value if isinstance(value, dict) else ()
    if isinstance(value, str) and type_ is not None and get_named_type(type_).name not in TEXTS:
        names = (value,)
    if any(len(name) > MAX_NAME_LENGTH for name in names):
        message = f"A name in `variables` has over {MAX_NAME_LENGTH} characters."
        raise LimitExceeded(message, limit=MAX_NAME_LENGTH)


def weight(value: dict[str, Any] | list[Any], type_: InputType) -> int:
    """Return the number of values directly in an object or a list.

    Raises:
        LimitExceeded: the list is too long.
    """
    if isinstance(value, dict):
        named = get_nullable_type(type_)
        return max(len(value), len(named.fields) if isinstance(named, GraphQLInputObjectType) else 0)
    if len(value) > MAX_LIST_LENGTH:
        raise LimitExceeded(f"A list in `variables` has over {MAX_LIST_LENGTH} values.", limit=MAX_LIST_LENGTH)
    return len(value)


def inner_values(value: dict[str, Any] | list[Any], type_: InputType) -> Iterator[Typed]:
    """Yield the values directly in an object or a list, with their types where these are known."""
    nullable = get_nullable_type(type_)
    if isinstance(value, list):
        item_type = nullable.of_type if isinstance(nullable, GraphQLList) else None
        yield from ((item, item_type) for item in value)
        return
    # A single object is coerced to a list of one.
    while isinstance(nullable, GraphQLList):
        nullable = get_nullable_type(nullable.of_type)
    fields = nullable.fields if isinstance(nullable, GraphQLInputObjectType) else {}
    for name, inner in value.items():
        yield inner, fields[name].type if name in fields else None


def variable_types(schema: GraphQLSchema, definitions: tuple[VariableDefinitionNode, ...]) -> dict[str, InputType]:
    """Return the types of an operation's variables."""
    types = ((node.variable.name.value, type_from_ast(schema, node.type)) for node in definitions)
    return {name: type_ for name, type_ in types if is_input_type(type_)}


class PlainVariables:
    """Variables that are all texts, ids and Booleans: given as such, they are what they are coerced to."""

    def __init__(self, signatures: Mapping[str, GraphQLVariableSignature], classes: Mapping[str, type]) -> None:
        """Describe the variables by their names; `classes` are those of their values in JSON."""
        self._signatures = signatures
        self._classes = classes

    @classmethod
    def of(cls, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> "PlainVariables | None":
        """Return the variables of an operation, None when one has another type or a default."""
        signatures: dict[str, GraphQLVariableSignature] = {}
        classes: dict[str, type] = {}
        for definition in definitions:
            signature = get_variable_signature(schema, definition)
            if isinstance(signature, GraphQLError) or definition.default_value is not None:
                return None
            class_ = PLAIN.get(get_nullable_type(signature.type))
            if class_ is None:
                return None
            name = definition.variable.name.value
            signatures[name], classes[name] = signature, class_
        return cls(signatures, classes)

    def read(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Return the coerced values, None when some are missing, null, or of another class."""
        classes = self._classes
        if given.keys() != classes.keys() or any(value.__class__ is not classes[name] for name, value in given.items()):
            return None
        sources = {name: VariableValueSource(self._signatures[name], value) for name, value in given.items()}
        return VariableValues(sources, dict(given))
