"""Arguments of fields: checked and converted once for all fields that share a value."""

import re
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

from graphql import GraphQLField, GraphQLID, get_named_type
from graphql.execution.values import VariableValues

from gqlapi.errors import BadUserInput, LimitExceeded
from gqlapi.execution.declarations import FieldRules
from gqlapi.operations.conversion import Converters
from gqlapi.operations.literals import ReadArguments
from gqlapi.operations.variables import InputType, inner_values, weight

# What the databases cannot store.
FORBIDDEN_CHARACTERS = re.compile("[\x00\ud800-\udfff]")
MEASURED = str, dict, list


class Arguments:
    """The arguments of one operation.

    A variable is one object in every field that names it, so results are kept by the identity of values. This object
    keeps the values alive as long as it lives, because an identity is reused afterwards.
    """

    def __init__(
        self,
        converters: Converters,
        variables: VariableValues,
        max_values: int,
        count: int = 0,
        *,
        is_one: bool = False,
    ) -> None:
        """Read arguments, with at most `max_values` values in all fields together, `count` of which are known.

        `is_one`: those of one field are read, and nothing is shared.
        """
        self._is_one = is_one
        self._converters = converters
        self._variables = variables
        self._max_values = max_values
        self._values: list[Any] = []
        self.count = count
        self._sizes: dict[int, int] = {}
        self._results: dict[Hashable, Any] = {}

    def read(self, definition: GraphQLField, read: ReadArguments, rules: FieldRules) -> tuple[dict[str, Any], Any]:
        """Return the arguments of a field, and the result of its `prepare`, None for a field without it.

        Raises:
            ApiError: an argument has a wrong value, or the arguments have too many values.
            GraphQLError: a literal has a wrong value.
        """
        arguments = read(self._variables)
        self._values.append(arguments)
        prepare = rules.prepare
        if self._is_one:
            self._check(definition, {}, arguments)
            return arguments, None if prepare is None else prepare(**self._convert_all(definition, arguments))
        keys = {name: (definition.args[name].type, id(value)) for name, value in arguments.items()}
        self._check(definition, keys, arguments)
        if prepare is None:
            return arguments, None
        return arguments, self._once(
            ("prepared", id(prepare), *keys.items()), lambda: prepare(**self._convert(definition, keys, arguments))
        )

    def _check(self, definition: GraphQLField, keys: Mapping[str, Hashable], arguments: dict[str, Any]) -> None:
        """Count the values that will be converted, and check their texts, before anything is converted."""
        for name, value in arguments.items():
            size = self._measure(value, definition.args[name].type)
            if keys.get(name) not in self._results:
                self.count += 1 + size
        if self.count > self._max_values:
            raise LimitExceeded(f"The arguments have over {self._max_values} values.", limit=self._max_values)

    def _measure(self, value: Any, type_: InputType) -> int:
        """Return the number of values within an argument; a variable counts wherever it is used, but is read once."""
        if not isinstance(value, MEASURED):
            return 0
        size = self._sizes.get(id(value))
        if size is None:
            if isinstance(value, str) and get_named_type(type_) is GraphQLID:
                return 0  # decoded later, and refused in its own place; not kept, because it may be a text elsewhere
            size = self._sizes[id(value)] = self._measure_new(value, type_)
        return size

    def _measure_new(self, value: str | dict[str, Any] | list[Any], type_: InputType) -> int:
        if not isinstance(value, str):
            return weight(value, type_) + sum(self._measure(*inner) for inner in inner_values(value, type_))
        if FORBIDDEN_CHARACTERS.search(value):
            raise BadUserInput("A text must not contain U+0000 or a lone surrogate.")
        return 0

    def _convert_all(self, definition: GraphQLField, arguments: dict[str, Any]) -> dict[str, Any]:
        known = self._converters.arguments_of(definition)
        return {name: convert(arguments[own]) for own, name, convert in known if own in arguments}

    def _convert(
        self, definition: GraphQLField, keys: Mapping[str, Hashable], arguments: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            known.python_name: self._once(keys[known.name], partial(known.convert, arguments[known.name]))
            for known in self._converters.arguments_of(definition)
            if known.name in arguments
        }

    def _once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        if key not in self._results:
            self._results[key] = make()
        return self._results[key]
