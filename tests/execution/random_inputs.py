"""Random values for input types: as literals with variables anywhere in them, and as JSON for the variables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    is_required_argument,
    is_required_input_field,
)

from tests.execution.choices import Choices

# JSON values of the scalars that every schema may have.
SCALARS: dict[str, Sequence[Any]] = {
    "Int": [1, 0, -2, 2**31 - 1],
    "Float": [1.5, 2, -0.25],
    "String": ["text", "", 'a "quoted" \\ ö\n'],
    "Boolean": [False, True],
    "ID": ["id", "5", 7],
    "Odd": [1, 3, 5],
}
WRONG = ["wrong", 2, 2**31, 0.5, [2], {"no": 1}, None, True]


@dataclass
class Variables:
    """The variables of an operation: their definitions by name, and the values that the request gives."""

    definitions: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        texts = [f"${name}: {text}" for name, text in self.definitions.items()]
        return f"({', '.join(texts)})" if texts else ""


class Inputs:
    """Makes the arguments of one operation, and its variables."""

    def __init__(self, choices: Choices, scalars: Mapping[str, Sequence[Any]]) -> None:
        self._choices = choices
        self._scalars = scalars
        self.variables = Variables()

    def arguments(self, arguments: Mapping[str, GraphQLArgument]) -> str:
        """Create all required arguments and some others."""
        texts = []
        for name, argument in arguments.items():
            if is_required_argument(argument) or self._choices.one_in(2):
                has_default = argument.default is not None
                texts.append(f"{name}: {self.literal(argument.type, has_default=has_default, depth=2)}")
        return f"({', '.join(texts)})" if texts else ""

    def literal(self, type_: Any, *, depth: int, has_default: bool = False) -> str:
        """Create a literal of a type, or a variable; `has_default` is about the place, where null would be replaced."""
        if self._choices.one_in(3):
            return self._variable(type_, has_default=has_default)
        if isinstance(type_, GraphQLNonNull):
            return self._value(type_.of_type, depth)
        return "null" if self._choices.one_in(8) else self._value(type_, depth)

    def _value(self, type_: Any, depth: int) -> str:
        if isinstance(type_, GraphQLList):
            if self._choices.one_in(5) and not isinstance(type_.of_type, GraphQLList):
                # One item is coerced to a list, but no variable of the item's type does.
                return self._value(getattr(type_.of_type, "of_type", type_.of_type), depth)
            items = [self.literal(type_.of_type, depth=depth) for _ in range(self._choices.number(0, 2))]
            return f"[{', '.join(items)}]"
        if isinstance(type_, GraphQLEnumType):
            name: str = self._choices.of(sorted(type_.values))
            return name
        if isinstance(type_, GraphQLInputObjectType):
            fields = self._fields(type_, depth)
            texts = [f"{name}: {self._field(type_, own, depth)}" for name, own in fields.items()]
            return f"{{ {', '.join(texts)} }}"
        return json.dumps(self._choices.of(self._scalars[type_.name]))

    def _field(self, type_: GraphQLInputObjectType, own: GraphQLInputField, depth: int) -> str:
        if type_.is_one_of:
            return self._value(own.type, depth - 1)
        return self.literal(own.type, has_default=own.default is not None, depth=depth - 1)

    def _fields(self, type_: GraphQLInputObjectType, depth: int) -> dict[str, GraphQLInputField]:
        """Create the fields of an object: all that are required, and none that goes too deep."""
        if type_.is_one_of:
            name = self._choices.of(sorted(type_.fields))
            return {name: type_.fields[name]}
        return {
            name: own
            for name, own in type_.fields.items()
            if is_required_input_field(own) or (depth > 0 and self._choices.one_in(2))
        }

    def _variable(self, type_: Any, *, has_default: bool) -> str:
        """Return a new variable that may be used here, or one that was used before."""
        text = str(type_)
        # Not for conditions: with null, @skip fails the whole request, and in graphql-core only the field above it.
        if text.endswith("!") and self._choices.one_in(2):
            is_nullable = has_default or (text != "Boolean!" and self._choices.one_in(3))
            definition = f"{text[:-1] if is_nullable else text} = {self.constant(type_.of_type)}"
        elif text.endswith("!"):
            definition = text[:-1] if has_default and self._choices.one_in(2) else text
        else:
            definition = f"{text}!" if self._choices.one_in(4) else text
            definition += f" = {self.constant(type_)}" if self._choices.one_in(3) else ""
        known = [name for name, own in self.variables.definitions.items() if own == definition]
        if known and self._choices.one_in(2):
            return f"${self._choices.of(known)}"
        name = f"v{len(self.variables.definitions)}"
        self.variables.definitions[name] = definition
        self._give(name, type_, definition)
        return f"${name}"

    def constant(self, type_: Any) -> str:
        """Create a literal without variables."""
        value = self._json(type_, 1)
        return _as_literal(value, type_)

    def _give(self, name: str, type_: Any, definition: str) -> None:
        """Create the value of a variable: seldom a wrong one, and none or null where the definition allows it."""
        type_text, _, default = definition.partition(" = ")
        is_nullable = not type_text.endswith("!")
        if (is_nullable or default) and self._choices.one_in(3):
            return
        nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if is_nullable and self._choices.one_in(5):
            self.variables.values[name] = None
        elif self._choices.one_in(40):
            self.variables.values[name] = self._choices.of(WRONG)
        else:
            self.variables.values[name] = self._json(nullable, 2)

    def _json(self, type_: Any, depth: int) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._json(type_.of_type, depth)
        if isinstance(type_, GraphQLList):
            return [self._json(type_.of_type, depth) for _ in range(self._choices.number(0, 2))]
        if isinstance(type_, GraphQLEnumType):
            return self._choices.of(sorted(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return {name: self._json(own.type, depth - 1) for name, own in self._fields(type_, depth).items()}
        return self._choices.of(self._scalars[type_.name])


def _as_literal(value: Any, type_: Any) -> str:
    """Write a JSON value of a type as a literal."""
    nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if isinstance(nullable, GraphQLList):
        return f"[{', '.join(_as_literal(item, nullable.of_type) for item in value)}]"
    if isinstance(nullable, GraphQLInputObjectType):
        texts = [f"{name}: {_as_literal(item, nullable.fields[name].type)}" for name, item in value.items()]
        return f"{{ {', '.join(texts)} }}"
    return str(value) if isinstance(nullable, GraphQLEnumType) else json.dumps(value)
