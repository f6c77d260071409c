"""Random schemas without resolvers: interfaces, unions, nested lists, non-null anywhere, arguments with defaults."""

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    ValueNode,
    build_schema,
    value_from_ast_untyped,
)

from tests.execution.choices import Choices

# What every schema has; the arguments of the random fields are chosen from the second list.
INPUTS = """
enum Color { RED GREEN BLUE }
scalar Odd
input Point { x: Int! = 1, y: [Odd!], color: Color = GREEN, next: Point }
input Choice @oneOf { number: Int, text: String }
directive @noted(text: String) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
"""
ARGUMENTS = [
    "n: Int",
    "most: Int! = 3",
    "must: Boolean!",
    "color: Color = BLUE",
    "odd: Odd",
    "point: Point",
    "start: Point! = { x: 2, color: RED }",
    "ids: [ID!]! = [1, 2]",
    "rows: [[Float]]",
    "choice: Choice",
]
LEAVES = ["Int", "String", "Float", "Boolean", "ID", "Color", "Odd"]
SHAPES = ["{}", "{}", "{}!", "{}!", "[{}]", "[{}!]", "[{}]!", "[{}!]!", "[[{}]]", "[[{}!]!]", "[[{}]!]!"]
FIELD_NAMES = "abcdef"


def make_schema(choices: Choices) -> GraphQLSchema:
    """Create a valid schema with Query and Mutation."""
    interfaces = [f"I{number}" for number in range(choices.number(0, 2))]
    unions = [f"U{number}" for number in range(choices.number(0, 1))]
    objects = [f"T{number}" for number in range(choices.number(1, 4))]
    writer = _Writer(choices, [*objects, *interfaces, *unions])
    texts = [INPUTS]
    texts += [writer.interface(name, interfaces[:number]) for number, name in enumerate(interfaces)]
    texts += [writer.object(name, interfaces) for name in objects]
    for name in unions:
        members = choices.some(objects, 1, len(objects))
        texts.append(f"union {name} = {' | '.join(members)}")
    texts += [writer.object("Query", []), writer.object("Mutation", [])]
    schema = build_schema("\n".join(texts))
    _finish_color(schema)
    _finish_odd(schema)
    return schema


class _Writer:
    """Writes types; fields of interfaces have their own names, so that no two interfaces contradict each other."""

    def __init__(self, choices: Choices, composites: list[str]) -> None:
        self._choices = choices
        self._types = [*LEAVES, *composites * 3]
        self._interfaces: dict[str, tuple[list[str], dict[str, str]]] = {}

    def interface(self, name: str, parents: list[str]) -> str:
        """Write an interface that may implement those before it."""
        implemented = self._implemented(parents)
        own = {f"{name.lower()}{letter}": self._field_type() for letter in FIELD_NAMES[: self._choices.number(1, 2)]}
        fields = {**self._inherited(implemented), **own}
        self._interfaces[name] = implemented, fields
        return self._text("interface", name, implemented, fields)

    def object(self, name: str, interfaces: list[str]) -> str:
        """Write an object type; it may promise that an interface's nullable field is not null."""
        implemented = self._implemented(interfaces)
        inherited = self._inherited(implemented)
        for field, type_ in inherited.items():
            if not type_.endswith("!") and self._choices.one_in(4):
                inherited[field] = f"{type_}!"
        names = self._choices.some(FIELD_NAMES, 2, 5)
        own = {field + self._arguments(): self._field_type() for field in names}
        return self._text("type", name, implemented, {**inherited, **own})

    def _implemented(self, interfaces: list[str]) -> list[str]:
        """Choose interfaces, with those that they implement themselves."""
        chosen: list[str] = [name for name in interfaces if self._choices.flag()]
        return sorted({parent for name in chosen for parent in (name, *self._interfaces[name][0])})

    def _inherited(self, interfaces: list[str]) -> dict[str, str]:
        return {field: type_ for name in interfaces for field, type_ in self._interfaces[name][1].items()}

    def _field_type(self) -> str:
        return self._choices.of(SHAPES).format(self._choices.of(self._types))

    def _arguments(self) -> str:
        if not self._choices.flag():
            return ""
        chosen = self._choices.some(ARGUMENTS, 1, 2)
        return f"({', '.join(chosen)})"

    @staticmethod
    def _text(kind: str, name: str, interfaces: list[str], fields: dict[str, str]) -> str:
        implements = f" implements {' & '.join(interfaces)}" if interfaces else ""
        body = "\n".join(f"  {field}: {type_}" for field, type_ in fields.items())
        return f"{kind} {name}{implements} {{\n{body}\n}}"


def _finish_color(schema: GraphQLSchema) -> None:
    """Give the enum internal values that are not its names."""
    color = schema.type_map["Color"]
    assert isinstance(color, GraphQLEnumType)
    for number, value in enumerate(color.values.values()):
        value.value = number * 10


def _finish_odd(schema: GraphQLSchema) -> None:
    """Let the scalar take and return odd numbers only: 0 is coerced to null, and other numbers raise."""

    def coerce(value: Any) -> Any:
        if value == 0:
            return None
        if not isinstance(value, int) or value % 2 == 0:
            msg = f"{value!r} is not odd."
            raise GraphQLError(msg, extensions={"code": "EVEN"})
        return value

    def coerce_literal(node: ValueNode) -> Any:
        return coerce(value_from_ast_untyped(node))

    odd = schema.type_map["Odd"]
    assert isinstance(odd, GraphQLScalarType)
    odd.coerce_output_value = odd.coerce_input_value = coerce
    odd.coerce_input_literal = coerce_literal
