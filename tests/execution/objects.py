"""The objects behind random schemas, in the forms that the default resolver reads: attributes, mappings and dicts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import GraphQLResolveInfo

from tests.execution.answers import Call, Recipe, Value, read

FORMS = ("attributes", "mapping", "dict")


@dataclass(frozen=True)
class Plan:
    """The answers of a field, one of which each call gets, and how the field is resolved."""

    answers: tuple[Recipe, ...]
    has_resolver: bool
    is_method: bool


@dataclass
class World:
    """The plans of all fields, and a log of the mutations that asked for answers."""

    plans: dict[tuple[str, str], Plan]
    # Whether objects carry `__typename`, which graphql-core's default type resolver looks at first.
    has_typenames: bool
    log: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(f"{owner}.{name}: {plan}" for (owner, name), plan in self.plans.items())

    def answer(
        self, source: Any, typename: str, name: str, info: GraphQLResolveInfo[Any] | None, **arguments: Any
    ) -> Any:
        """Answer a call of a field by its plan."""
        if typename == "Mutation":
            assert info is not None
            self.log.append(str(info.path.key))
        elif origin := read(source, "origin"):
            self.log.append(str(origin))
        call = Call(source, name, arguments, info, self.make)
        answers = self.plans[typename, name].answers
        return answers[call.key % len(answers)].make(call)

    def make(self, form: str, typename: str, call: Call | None = None) -> Any:
        """Create the object that a call answers with, or the root."""
        number, origin = (call.key % 97, read(call.source, "origin")) if call else (0, None)
        if call and call.info and call.info.parent_type.name == "Mutation":
            origin = call.info.path.key
        match form:
            case "attributes":
                return Attributes(self, typename, number, origin)
            case "mapping":
                return Entries(self, typename, number, origin)
        return self._dict(typename, number, origin)

    def attribute(self, source: Any, name: str) -> Any:
        """Return an attribute: the answer, or a method that returns it.

        Raises:
            KeyError: the type has no such field.
        """
        typename = read(source, "typename")
        if name in {"__typename", f"_{type(source).__name__}__typename"} and self.has_typenames:
            return typename
        if self.plans[typename, name].is_method:
            return partial(self._method, source, typename, name)
        return self.answer(source, typename, name, None)

    def _method(self, source: Any, typename: str, name: str, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        return self.answer(source, typename, name, info, **arguments)

    def _dict(self, typename: str, number: int, origin: str | None) -> dict[str, Any]:
        """Return a plain dict; what is no plain value is a method, so that it is made only when it is read."""
        source: dict[str, Any] = {"typename": typename, "number": number, "origin": origin}
        for (owner, name), plan in self.plans.items():
            if owner == typename:
                is_plain = not plan.is_method and all(isinstance(answer, Value) for answer in plan.answers)
                method = partial(self._method, source, typename, name)
                source[name] = self.answer(source, typename, name, None) if is_plain else method
        if self.has_typenames:
            source["__typename"] = typename
        return source


class Attributes:
    """An object whose fields are attributes."""

    def __init__(self, world: World, typename: str, number: int, origin: str | None) -> None:
        self.world, self.typename, self.number, self.origin = world, typename, number, origin

    def __getattr__(self, name: str) -> Any:
        try:
            return self.world.attribute(self, name)
        except KeyError as error:
            raise AttributeError(name) from error


class Entries(Mapping[str, Any]):
    """A mapping that is no dict; no two are equal."""

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __init__(self, world: World, typename: str, number: int, origin: str | None) -> None:
        self.world, self.typename, self.number, self.origin = world, typename, number, origin

    def __getitem__(self, name: str) -> Any:
        return self.world.attribute(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
