"""Every place of the schema where a client may put a text, found by walking the schema."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_required_argument,
)

from gqlapi.schema import Limits, Schema

TEXTS = ("String", "ID", "Cursor")


class TextArgument(NamedTuple):
    """An argument of a field, and the way through its input objects to a text."""

    field: tuple[str, ...]
    argument: str
    type: str
    keys: tuple[str, ...]
    others: str
    is_leaf: bool
    is_id: bool

    def __str__(self) -> str:
        return ".".join([*self.field, self.argument, *self.keys])

    def document(self, *, literal: str | None = None) -> str:
        """Return an operation that takes the argument from `$value`, or has it as a literal."""
        inner = f"{self.argument}: {literal or '$value'}{self.others}"
        *outer, last = self.field
        text = f"{last}({inner})" + ("" if self.is_leaf else " { __typename }")
        for name in reversed(outer):
            text = f"{name} {{ {text} }}"
        return f"{{ {text} }}" if literal else f"query ($value: {self.type}) {{ {text} }}"

    def value(self, text: str) -> Any:
        """Return the argument's value with the text in its place."""
        value: Any = text
        for key in reversed(self.keys):
            value = [value] if key == "[]" else {key: value}
        return value


def text_arguments() -> list[TextArgument]:
    """Return all of them, below the shortest path to each object type; of an input type that comes again, the first."""
    schema: GraphQLSchema = Schema(Limits())._schema
    assert schema.query_type is not None
    pending: list[tuple[GraphQLObjectType, tuple[str, ...]]] = [(schema.query_type, ())]
    seen = {schema.query_type.name}
    found: list[TextArgument] = []
    walked: set[str] = set()
    while pending:
        parent, path = pending.pop(0)
        for name, field in parent.fields.items():
            found += _of_field(field, (*path, name), walked)
            returned = get_named_type(field.type)
            # A field that needs a key cannot lead anywhere by itself; the request is anonymous.
            needs_more = name == "viewer" or any(map(is_required_argument, field.args.values()))
            leads_on = isinstance(returned, GraphQLObjectType) and not needs_more
            if isinstance(returned, GraphQLObjectType) and leads_on and returned.name not in seen:
                seen.add(returned.name)
                pending.append((returned, (*path, name)))
    return found


def _of_field(field: GraphQLField, path: tuple[str, ...], walked: set[str]) -> Iterator[TextArgument]:
    is_leaf = is_leaf_type(get_named_type(field.type))
    for name, argument in field.args.items():
        others = "".join(f", {other}: {_example(field.args[other])}" for other in _required(field) - {name})
        texts = [*_texts(argument.type, ())]
        input_type = get_named_type(argument.type).name
        for keys, text_type in texts[:1] if input_type in walked else texts:
            yield TextArgument(path, name, str(argument.type), keys, others, is_leaf, text_type == "ID")
        walked.add(input_type)


def _required(field: GraphQLField) -> set[str]:
    return {name for name, argument in field.args.items() if is_required_argument(argument)}


def _example(argument: GraphQLArgument | GraphQLInputField) -> str:
    return json.dumps("example") if get_named_type(argument.type).name in TEXTS else "1"


def _texts(type_: GraphQLInputType, seen: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the way to each text, and the name of its type."""
    nullable = get_nullable_type(type_)
    if isinstance(nullable, GraphQLList):
        inner: GraphQLInputType = nullable.of_type
        yield from ((("[]", *keys), name) for keys, name in _texts(inner, seen))
    elif isinstance(nullable, GraphQLInputObjectType) and nullable.name not in seen:
        for key, field in nullable.fields.items():
            yield from (((key, *keys), name) for keys, name in _texts(field.type, (*seen, nullable.name)))
    elif not isinstance(nullable, GraphQLNonNull) and getattr(nullable, "name", "") in TEXTS:
        yield (), nullable.name


def literal(value: Any) -> str:
    """Write a value as a GraphQL literal; its texts keep JSON's escapes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value)
