"""What the server knows of a field besides its type: attached as metadata, read before an operation runs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from gqlapi.context import Context, Prepared
from gqlapi.execution.relation import Relation

RULES = "gqlapi"

Info = strawberry.Info[Context, None]


@dataclass(frozen=True, slots=True)
class FieldRules:
    """How a field is prepared, charged and read.

    `needs` are the attributes that its resolver reads. `prepare` turns the arguments into the value that the resolver
    uses, or raises. From the prepared value, `rows` returns the number of rows of the list, of which a connection
    returns several views, and `surcharge` the points besides its values. `resolve` is called by graphql-core itself:
    no argument is converted again for each object.
    """

    needs: frozenset[str] = frozenset()
    prepare: Callable[..., Any] | None = None
    rows: Callable[[Prepared], int] | None = None
    surcharge: Callable[[Prepared], int] | None = None
    relation: Relation | None = None
    resolve: Callable[..., Any] | None = None


NO_RULES = FieldRules()


def rules_metadata(rules: FieldRules) -> dict[str, FieldRules]:
    """Return the metadata of a `strawberry.field` that carries rules."""
    return {RULES: rules}


def needs(*attributes: str) -> dict[str, FieldRules]:
    """Return the metadata of a field whose resolver reads these attributes."""
    return rules_metadata(FieldRules(needs=frozenset(attributes)))


def priced(attribute: str, points: int) -> dict[str, FieldRules]:
    """Return the metadata of an attribute that costs more than one value."""
    return rules_metadata(FieldRules(needs=frozenset({attribute}), surcharge=lambda _: points))


def definition_of(field: GraphQLField) -> StrawberryField | None:
    """Return Strawberry's definition of a field; introspection has none."""
    return field.extensions.get("strawberry-definition")


def rules_of(field: GraphQLField) -> FieldRules:
    """Return the rules of a field; a field without a resolver reads the attribute of its own name."""
    definition = definition_of(field)
    if definition is None:
        return NO_RULES
    rules = definition.metadata.get(RULES)
    if isinstance(rules, FieldRules):
        return rules
    return NO_RULES if definition.base_resolver else FieldRules(needs=frozenset({definition.python_name}))


def install_resolvers(schema: GraphQLSchema) -> None:
    """Put the resolvers of the rules in place, and the relations where an executor looks for them."""
    for named_type in schema.type_map.values():
        if isinstance(named_type, GraphQLObjectType):
            for field in named_type.fields.values():
                rules = rules_of(field)
                if rules.resolve is not None:
                    field.resolve = rules.resolve
                if rules.relation is not None:
                    rules.relation.attach(field)


def relation(relation: Relation, *, description: str, rows: int = 1) -> Any:
    """Declare a field that a loader loads, of at most `rows` objects for each parent."""
    rules = FieldRules(
        needs=frozenset({relation.key}), relation=relation, resolve=relation.resolve, rows=lambda _: rows
    )
    return strawberry.field(resolver=set_by_rules, description=description, metadata=rules_metadata(rules))


def set_by_rules() -> Any:
    """Stand in for the rules' own resolver, until `install_resolvers` puts it in place."""
    raise NotImplementedError


def prepared_field(arguments: list[StrawberryArgument], rules: FieldRules, description: str) -> Any:
    """Declare a field whose arguments are prepared before the operation runs."""
    field: StrawberryField = strawberry.field(
        resolver=set_by_rules, description=description, metadata=rules_metadata(rules)
    )
    field.arguments = arguments
    return field


def argument(name: str, annotation: Any, description: str, default: object = strawberry.UNSET) -> StrawberryArgument:
    """Make a described argument."""
    type_annotation = StrawberryAnnotation(annotation)
    return StrawberryArgument(name, None, type_annotation, description=description, default=default)


def describe_enum(enum: type[Enum], description: str, *, name: str | None = None, **values: str) -> None:
    """Make an enum a GraphQL enum, with a description for it and for each of its values.

    Raises:
        KeyError: a value has no description.
    """
    definition = strawberry.enum(enum, name=name, description=description).__strawberry_definition__  # type: ignore[attr-defined] # set by Strawberry
    for value in definition.values:
        value.description = values[value.name]
