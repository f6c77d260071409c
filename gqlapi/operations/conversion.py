"""Conversion of arguments to Python objects: as Strawberry's `convert_argument` does it, with types resolved once."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from functools import partial
from typing import Any, NamedTuple

from graphql import GraphQLField
from strawberry.scalars import is_scalar
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.lazy_type import LazyType
from strawberry.types.unset import UNSET

# Where the arguments of a field are kept, among its extensions.
EXTENSION = "arguments"

Convert = Callable[[Any], Any]


def unchanged(value: Any) -> Any:
    """Return a scalar or an enum value, which graphql-core has converted."""
    return value


class Argument(NamedTuple):
    """An argument, or a field of an input: its names in GraphQL and in Python, and its conversion."""

    name: str
    python_name: str
    convert: Convert


class ObjectConverter:
    """Makes objects of one input type."""

    def __init__(self, type_: Any, fields: Callable[[], list[Argument]], nulls: Mapping[str, None]) -> None:
        """Convert to a class; `fields` returns its fields, `nulls` are those without a default."""
        self._type = type_
        self._make_fields = fields
        self._fields: list[Argument] | None = None
        self._nulls = nulls

    def __call__(self, value: Any) -> Any:
        """Convert a mapping; None and UNSET stay as they are."""
        if value is None or value is UNSET:
            return value
        if self._fields is None:
            self._fields = self._make_fields()
        given: dict[str, Any] = {**self._nulls}
        for name, python_name, convert in self._fields:
            if name in value:
                given[python_name] = convert(value[name])
        return self._type(**given)


class Converters:
    """The converters of the input types of a schema."""

    def __init__(self, converter: GraphQLCoreConverter) -> None:
        """Start without converters."""
        self._registry = converter.scalar_registry
        self._config = converter.config
        self._objects: dict[Any, Convert] = {}

    def arguments_of(self, field: GraphQLField) -> list[Argument]:
        """Return the arguments of a field."""
        known: list[Argument] | None = field.extensions.get(EXTENSION)
        if known is None:
            name_of = self._config.name_converter.from_argument
            known = field.extensions[EXTENSION] = [
                Argument(name_of(argument), argument.python_name, self.of(argument.type))
                for argument in field.extensions["strawberry-definition"].arguments
            ]
        return known

    def of(self, type_: Any) -> Convert:
        """Return the converter of a type."""
        if isinstance(type_, LazyType):
            type_ = type_.resolve_type()
        if isinstance(type_, StrawberryMaybe):
            return self._by_strawberry(type_)
        if isinstance(type_, StrawberryOptional):
            return self.of(type_.of_type)
        if isinstance(type_, StrawberryList):
            return _list_converter(self.of(type_.of_type))
        if (
            is_scalar(type_, self._registry)
            or isinstance(type_, StrawberryEnumDefinition)
            or has_enum_definition(type_)
        ):
            return unchanged
        if not has_object_definition(type_) or type_.__strawberry_definition__.from_input is not None:
            return self._by_strawberry(type_)
        if type_ not in self._objects:
            self._objects[type_] = self._object_converter(type_)
        return self._objects[type_]

    def _by_strawberry(self, type_: Any) -> Convert:
        return partial(convert_argument, type_=type_, scalar_registry=self._registry, config=self._config)

    def _object_converter(self, type_: Any) -> Convert:
        definition = type_.__strawberry_definition__

        def fields() -> list[Argument]:
            """Resolve the types of the fields, which may refer to the type itself."""
            name_of = self._config.name_converter.from_field
            return [
                Argument(name_of(field), field.python_name, self.of(field.resolve_type(type_definition=definition)))
                for field in definition.fields
            ]

        return ObjectConverter(type_, fields, dict.fromkeys(_without_default(definition)))


def _without_default(definition: Any) -> list[str]:
    return [f.python_name for f in definition.fields if f.default_value is MISSING and f.default_factory is MISSING]


def _list_converter(convert: Convert) -> Convert:
    if convert is unchanged:
        return lambda value: value if value is None or value is UNSET else list(value)
    return lambda value: value if value is None or value is UNSET else [convert(item) for item in value]
