"""How fields are declared: Strawberry's fields, with the rules that an operation is compiled by."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import strawberry
from graphql import GraphQLField
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from gqlapi.context import Context
from gqlapi.execution.declarations import NO_RULES, FieldRules, Prepared, Relation

RULES = "gqlapi"

Info = strawberry.Info[Context, None]


def rules_metadata(rules: FieldRules) -> dict[str, FieldRules]:
    """Return the metadata of a `strawberry.field` that carries rules."""
    return {RULES: rules}


def needs(*attributes: str) -> dict[str, FieldRules]:
    """Return the metadata of a field whose resolver reads these attributes."""
    return rules_metadata(FieldRules(needs=frozenset(attributes)))


def priced(attribute: str, points: int) -> dict[str, FieldRules]:
    """Return the metadata of a long text, which costs more than one value."""
    return rules_metadata(FieldRules(needs=frozenset({attribute}), surcharge=lambda _: points, is_long=True))


def trusted(*attributes: str) -> dict[str, FieldRules]:
    """Return the metadata of an attribute that holds objects of the declared type."""
    return rules_metadata(FieldRules(needs=frozenset(attributes), is_trusted=True))


def declared_rules(field: GraphQLField) -> FieldRules:
    """Return the rules of a field; a field without a resolver reads the attribute of its own name."""
    definition: StrawberryField | None = field.extensions.get("strawberry-definition")
    if definition is None:  # introspection
        return NO_RULES
    rules = definition.metadata.get(RULES)
    if isinstance(rules, FieldRules):
        return rules
    return NO_RULES if definition.base_resolver else FieldRules(needs=frozenset({definition.python_name}))


def resolver_of(rules: FieldRules) -> Callable[..., Any] | None:
    """Return the resolver that does for one object what the rules say."""
    if rules.relation is not None:
        return _relation_resolver(rules.relation)
    if rules.compute is not None:
        return _computing_resolver(rules.compute)
    return rules.resolve


def _relation_resolver(relation: Relation) -> Callable[..., Any]:
    def resolve(source: Any, info: Any, **_arguments: Any) -> Any:
        context: Context = info.context
        return context.loaders.load(relation, source, context.prepared(info.field_nodes))

    return resolve


def _computing_resolver(compute: Callable[[Any, Any, Prepared], Any]) -> Callable[..., Any]:
    def resolve(source: Any, info: Any, **_arguments: Any) -> Any:
        context: Context = info.context
        return compute(source, context, context.prepared(info.field_nodes))

    return resolve


def relation(relation: Relation, *, description: str, rows: int = 1) -> Any:
    """Declare a field that is loaded for all objects at once, of at most `rows` objects for each parent."""
    needed = frozenset() if relation.key is None else frozenset({relation.key})
    rules = FieldRules(needs=needed, relation=relation, rows=lambda _: rows)
    return strawberry.field(resolver=set_by_rules, description=description, metadata=rules_metadata(rules))


def computed(compute: Callable[[Any, Context], Any], *attributes: str, description: str) -> Any:
    """Declare a field that is computed from attributes of its object and from the context."""
    rules = FieldRules(needs=frozenset(attributes), compute=lambda source, context, _prepared: compute(source, context))
    return strawberry.field(resolver=set_by_rules, description=description, metadata=rules_metadata(rules))


def embedded(*, description: str) -> Any:
    """Declare a field whose object is read from the object that has it."""
    rules = FieldRules(compute=lambda source, _context, _prepared: source, is_trusted=True, is_embedded=True)
    return strawberry.field(resolver=set_by_rules, description=description, metadata=rules_metadata(rules))


def set_by_rules() -> Any:
    """A placeholder for the resolver that is built from the rules."""
    raise NotImplementedError


def prepared_field(arguments: list[StrawberryArgument], rules: FieldRules, description: str) -> Any:
    """Declare a field whose arguments are prepared before the operation runs."""
    field: StrawberryField = strawberry.field(
        resolver=set_by_rules, description=description, metadata=rules_metadata(rules)
    )
    field.arguments = arguments
    return field


def argument(name: str, annotation: Any, description: str, default: object = strawberry.UNSET) -> StrawberryArgument:
    """Create a described argument."""
    type_annotation = StrawberryAnnotation(annotation)
    return StrawberryArgument(name, None, type_annotation, description=description, default=default)


def describe_enum(enum: type[Enum], description: str, *, name: str | None = None, **values: str) -> None:
    """Turn an enum into a GraphQL enum, with a description for it and for each of its values.

    Raises:
        KeyError: a value has no description.
    """
    definition = strawberry.enum(enum, name=name, description=description).__strawberry_definition__  # type: ignore[attr-defined] # set by Strawberry
    for value in definition.values:
        value.description = values[value.name]
