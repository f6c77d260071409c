"""Which fields may share a response name, so that random documents can be merged."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    do_types_overlap,
)

Place = tuple[str, ...]  # response names from the root


@dataclass(frozen=True)
class Shape:
    """The field of a response name in a selection set."""

    parent: str
    field: str
    arguments: str
    type: str


Fields = list[tuple[Place, str, Shape]]


class Shapes:
    """The fields of an operation by their places.

    Stricter than the rule of the specification: also fields of two object types must agree in what they select.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._fields: dict[Place, list[tuple[str, Shape]]] = {}
        self._recordings: list[tuple[Place, Fields]] = []
        self._new_names = 0
        self._composites = [
            type_
            for type_ in schema.type_map.values()
            if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
        ]
        self._objects = {type_.name for type_ in self._composites if isinstance(type_, GraphQLObjectType)}
        self._overlapping: dict[str, list[GraphQLNamedType]] = {}

    def known(self, parent: GraphQLNamedType, place: Place) -> list[tuple[str, Shape]]:
        """Return the fields of a type that are selected at a place so far."""
        return [(name, shape) for name, shape in self._fields.get(place, []) if shape.parent == parent.name]

    def fit(self, place: Place, fields: Fields) -> bool:
        """Whether all fields may be selected below a place."""
        return all(
            self._may_join(shape, other)
            for below, name, shape in fields
            for other_name, other in self._fields.get((*place, *below), [])
            if other_name == name
        )

    def new_name(self) -> str:
        """Return a response name that no field has."""
        self._new_names += 1
        return f"n{self._new_names}"

    def add(self, place: Place, name: str, shape: Shape) -> None:
        """Select a field at a place."""
        self._fields.setdefault(place, []).append((name, shape))
        for start, recorded in self._recordings:
            recorded.append((place[len(start) :], name, shape))

    def add_all(self, place: Place, fields: Fields) -> None:
        """Select the fields of a fragment below a place."""
        for below, name, shape in fields:
            self.add((*place, *below), name, shape)

    @contextmanager
    def record(self, place: Place) -> Iterator[Fields]:
        """Record the fields that are selected within the block."""
        fields: Fields = []
        self._recordings.append((place, fields))
        yield fields
        self._recordings.pop()

    def overlapping(self, parent: GraphQLNamedType) -> list[GraphQLNamedType]:
        """Return the types that an object of the parent type may also have."""
        if parent.name not in self._overlapping:
            [own] = [type_ for type_ in self._composites if type_ is parent]
            self._overlapping[parent.name] = [
                type_ for type_ in self._composites if do_types_overlap(self._schema, own, type_)
            ]
        return self._overlapping[parent.name]

    def _may_join(self, shape: Shape, other: Shape) -> bool:
        """Whether both may have one response name: objects of two types may answer by different fields."""
        is_apart = shape.parent != other.parent and {shape.parent, other.parent} <= self._objects
        is_same = (shape.field, shape.arguments) == (other.field, other.arguments)
        return shape.type == other.type and (is_apart or is_same)
