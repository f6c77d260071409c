"""Random valid documents over any schema: merged fields, fragments, directives, variables, several operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    MaxIntrospectionDepthRule,
    SchemaMetaFieldDef,
    TypeMetaFieldDef,
    TypeNameMetaFieldDef,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)

from tests.execution.choices import Choices
from tests.execution.random_inputs import SCALARS, Inputs
from tests.execution.shapes import Fields, Place, Shape, Shapes

ALIASES = ["x", "y", "z"]
CONDITION = GraphQLNonNull(GraphQLBoolean)
META = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef, "__typename": TypeNameMetaFieldDef}
NEW_LINE = "\n"


@dataclass(frozen=True)
class Request:
    """A document and what a client sends with it."""

    document: str
    variables: dict[str, Any]
    operation_name: str | None = None


def make_request(
    choices: Choices,
    schema: GraphQLSchema,
    operations: Sequence[str] = ("query",),
    scalars: Mapping[str, Sequence[Any]] = SCALARS,
    depth: int = 4,
) -> Request:
    """Create a request: mostly of one operation, sometimes of several, and then seldom without a right name.

    Introspection that is nested more deeply than graphql-core allows, one request of thousands, is made anew.
    """
    while True:
        request = _make_any(choices, schema, operations, scalars, depth)
        if not validate(schema, parse(request.document), [MaxIntrospectionDepthRule]):
            return request


def _make_any(
    choices: Choices, schema: GraphQLSchema, operations: Sequence[str], scalars: Mapping[str, Sequence[Any]], depth: int
) -> Request:
    count = choices.of([1, 1, 1, 1, 2, 3])
    writers = [_Operation(choices, schema, scalars, f"Op{number}") for number in range(count)]
    texts = [writer.write(choices.of(operations), depth) for writer in writers]
    chosen = choices.number(0, count - 1)
    variables = writers[chosen].variables
    names: list[str | None] = [None, "Op0"] if count == 1 else [*[f"Op{chosen}"] * 8, None, "Missing"]
    return Request("\n".join(texts), variables, choices.of(names))


@dataclass
class _Fragment:
    """A fragment with the fields in it, by their places below those where it is spread."""

    name: str
    type: GraphQLNamedType
    fields: Fields
    selections: str


class _Operation:
    """Writes one operation and its fragments."""

    def __init__(
        self, choices: Choices, schema: GraphQLSchema, scalars: Mapping[str, Sequence[Any]], name: str
    ) -> None:
        self._choices = choices
        self._schema = schema
        self._name = name
        self._inputs = Inputs(choices, scalars)
        self._shapes = Shapes(schema)
        self._fragments: list[_Fragment] = []

    @property
    def variables(self) -> dict[str, Any]:
        return self._inputs.variables.values

    def write(self, kind: str, depth: int) -> str:
        """Return the text of the operation and its fragments."""
        root = self._schema.query_type if kind == "query" else self._schema.mutation_type
        assert root is not None
        selections = self._selections(root, (), depth)
        texts = [f"{kind} {self._name}{self._inputs.variables} {selections}"]
        texts += [f"fragment {own.name} on {own.type} {own.selections}" for own in self._fragments]
        return "\n".join(texts)

    def _selections(self, parent: GraphQLNamedType, place: Place, depth: int) -> str:
        if self._choices.one_in(30):
            return "{ }"
        texts = [self._selection(parent, place, depth) for _ in range(self._choices.number(1 if place else 2, 4))]
        return f"{{ {self._choices.of([' ', NEW_LINE])}{NEW_LINE.join(texts)} }}"

    def _selection(self, parent: GraphQLNamedType, place: Place, depth: int) -> str:
        kinds = ["field"] * 6 + ["again", "again"] + (["inline", "fragment", "spread"] if depth else [])
        match self._choices.of(kinds):
            case "again" if known := self._shapes.known(parent, place):
                name, shape = self._choices.of(known)
                return self._field_text(parent, place, name, shape, depth)
            case "inline":
                type_ = self._condition(parent)
                condition = "" if type_ is parent and self._choices.one_in(2) else f" on {type_}"
                return f"...{condition}{self._directives()} {self._selections(type_, place, depth - 1)}"
            case "fragment":
                return self._new_fragment(self._condition(parent), place, depth - 1)
            case "spread" if fitting := self._fitting(parent, place):
                own = self._choices.of(fitting)
                self._shapes.add_all(place, own.fields)
                return f"...{own.name}{self._directives()}"
        return self._field(parent, place, depth)

    def _condition(self, parent: GraphQLNamedType) -> GraphQLNamedType:
        """Choose a type that some objects of the parent type have."""
        return self._choices.of([parent, *self._shapes.overlapping(parent)])

    def _new_fragment(self, type_: GraphQLNamedType, place: Place, depth: int) -> str:
        directives = self._directives()
        with self._shapes.record(place) as fields:
            selections = self._selections(type_, place, depth)
        own = _Fragment(f"F{self._name}x{len(self._fragments)}", type_, fields, selections)
        self._fragments.append(own)
        return f"...{own.name}{directives}"

    def _fitting(self, parent: GraphQLNamedType, place: Place) -> list[_Fragment]:
        """Return the fragments that may be spread here."""
        types = [parent, *self._shapes.overlapping(parent)]
        return [own for own in self._fragments if own.type in types and self._shapes.fit(place, own.fields)]

    def _field(self, parent: GraphQLNamedType, place: Place, depth: int) -> str:
        fields = self._fields(parent, depth, is_root=not place)
        name = self._choices.of(sorted(fields))
        shape = Shape(parent.name, name, self._inputs.arguments(fields[name].args), str(fields[name].type))
        alias = self._choices.of([name, name, name, *ALIASES])
        if not self._shapes.fit(place, [((), alias, shape)]):
            alias = self._shapes.new_name()
        return self._field_text(parent, place, alias, shape, depth)

    def _field_text(self, parent: GraphQLNamedType, place: Place, response_name: str, shape: Shape, depth: int) -> str:
        self._shapes.add(place, response_name, shape)
        type_ = get_named_type(META[shape.field].type if shape.field in META else _field_of(parent, shape.field).type)
        alias = "" if response_name == shape.field else f"{response_name}: "
        text = f"{alias}{shape.field}{shape.arguments}{self._directives()}"
        if is_leaf_type(type_):
            return text
        return f"{text} {self._selections(type_, (*place, response_name), max(depth - 1, 0))}"

    def _fields(self, parent: GraphQLNamedType, depth: int, *, is_root: bool) -> dict[str, GraphQLField]:
        """Return the fields that may be selected: at the end of the depth, only leaves where there are any."""
        own = dict(parent.fields) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        leaves = {name: field for name, field in own.items() if is_leaf_type(get_named_type(field.type))}
        fields = own if depth else leaves
        if is_root and parent is self._schema.query_type and self._choices.one_in(8):
            return META
        return fields if fields and not self._choices.one_in(12) else {"__typename": TypeNameMetaFieldDef}

    def _directives(self) -> str:
        kind = self._choices.of([""] * 20 + ["@skip", "@include", "@skip @include", "@noted"])
        texts = [f" {name}" for name in kind.split()]
        if kind == "@noted":
            return " @noted" if self._schema.get_directive("noted") else ""
        return "".join(f"{text}(if: {self._inputs.literal(CONDITION, depth=0)})" for text in texts)


def _field_of(parent: GraphQLNamedType, name: str) -> GraphQLField:
    assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
    fields: Mapping[str, GraphQLField] = parent.fields
    return fields[name]
