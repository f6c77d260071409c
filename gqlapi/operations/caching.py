"""What caches may do with the answer of an operation: decided once by its fields, and noted while it is made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphql import GraphQLError, get_named_type, is_abstract_type, is_composite_type

from gqlapi.execution.plan import Field, Operation, Scope

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CacheRule:
    """What is declared of a type, a field or the type of an argument, by its schema coordinate.

    `max_age`: for how many seconds a shared cache may keep an answer with it. `is_private`: its value depends on the
    viewer. `rows_of`: the types on whose rows it depends in addition to those it shows. `missing`: the types a row of
    which may take the place of a null.
    """

    max_age: int | None = None
    is_private: bool = False
    rows_of: frozenset[str] = NOTHING
    missing: frozenset[str] = NOTHING


NO_RULE = CacheRule()
CacheRules = Mapping[str, CacheRule]


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What caches may do with all answers of an operation.

    `max_age` is in seconds, 0 for an answer that is not kept. `missing` has the types that may take the place of a
    null, by the names of root fields. A private one has a field that depends on the viewer.
    """

    max_age: int
    is_private: bool = False
    rows_of: frozenset[str] = NOTHING
    missing: Mapping[str, frozenset[str]] | None = None


NOT_KEPT = CachePlan(0)


def cache_plan_of(operation: Operation, rules: CacheRules) -> CachePlan:
    """Return what caches may do with the answers of an operation: the smallest maximum age wins.

    A root field without a declared age is not kept.
    """
    plan = operation.cache_plan
    if plan is None:
        try:
            plan = _Walk(operation, rules).plan(operation.root)
        except GraphQLError:  # of a directive, which is an error of each answer
            plan = NOT_KEPT
        operation.cache_plan = plan
    assert isinstance(plan, CachePlan)  # noqa: S101 - set above only
    return plan


def plan_below(operation: Operation, field: Field, type_name: str, rules: CacheRules) -> CachePlan:
    """Return what the answers of an operation depend on, for the fields of a root below a field."""
    type_: Any = operation.schema.type_map[type_name]
    try:
        return _Walk(operation, rules).plan(field.subscopes.on(type_))
    except GraphQLError:  # of a directive, which is an error of each answer
        return NOT_KEPT


class _Walk:
    def __init__(self, operation: Operation, rules: CacheRules) -> None:
        self._operation = operation
        self._schema = operation.schema
        self._rules = rules
        self._ages: list[int] = []
        self._is_private = False
        self._rows_of: set[str] = set()

    def plan(self, root: Scope) -> CachePlan:
        missing: dict[str, frozenset[str]] = {}
        for field in root.fields:
            rule = self._rule(field)
            if not self._visit(field) and field.nodes[0].name.value != "__typename":
                self._ages.append(0)
            if rule.missing:
                missing[field.name] = rule.missing
        age = 0 if self._is_private else min(self._ages, default=0)
        return CachePlan(age, self._is_private, frozenset(self._rows_of), missing)

    def _rule(self, field: Field) -> CacheRule:
        return self._rules.get(f"{field.parent_type.name}.{field.nodes[0].name.value}", NO_RULE)

    def _visit(self, field: Field) -> bool:
        """Visit a field and all below it; return whether an age is declared for the field itself."""
        types = self._types_of(field)
        own = [self._rule(field), *(self._rules.get(type_.name, NO_RULE) for type_ in types)]
        self._add([*own, *self._of_arguments(field)])
        for type_ in types:
            if not is_abstract_type(type_):
                self._scope(field.subscopes.on(type_))
        return any(rule.max_age is not None or rule.is_private for rule in own)

    def _scope(self, scope: Scope) -> None:
        for field in scope.fields:
            self._visit(field)

    def _types_of(self, field: Field) -> list[Any]:
        """Return the type of the objects of a field, and all that they may be."""
        type_ = get_named_type(field.definition.type)
        if not is_composite_type(type_):
            return []
        return [type_, *(self._schema.get_possible_types(type_) if is_abstract_type(type_) else ())]

    def _of_arguments(self, field: Field) -> Iterable[CacheRule]:
        for argument in field.nodes[0].arguments or ():
            definition = field.definition.args.get(argument.name.value)
            if definition is not None:
                yield self._rules.get(get_named_type(definition.type).name, NO_RULE)

    def _add(self, rules: Iterable[CacheRule]) -> None:
        for rule in rules:
            self._is_private |= rule.is_private
            if rule.max_age is not None:
                self._ages.append(rule.max_age)
            self._rows_of |= rule.rows_of


class Observation:
    """What an answer is made of, noted while it is made, for a cache that is to keep it.

    Of each type at most `max_ids` ids are noted: of more only that there are more.
    """

    __slots__ = ("changes_at", "max_ids", "overfull", "plan", "tags")

    def __init__(self, max_ids: int) -> None:
        """Start with an answer that is not kept: who executes the operation sets its plan."""
        self.plan = NOT_KEPT
        self.max_ids = max_ids
        # The global ids of the objects by their types, each once and in their order.
        self.tags: dict[str, dict[str, None]] = {}
        self.overfull: set[str] = set()
        # When a row becomes visible without having been written; None if that is not foreseen.
        self.changes_at: datetime | None = None

    def note(self, objects: Sequence[Any]) -> None:
        """Note objects of one type, unless they have no global ids."""
        typename: str | None = getattr(objects[0], "typename", None) if objects else None
        if typename is None or typename in self.overfull:
            return
        tags = self.tags.setdefault(typename, {})
        for one in objects:
            tags[one.global_id] = None
            if len(tags) > self.max_ids:
                self.overfull.add(typename)
                del self.tags[typename]
                return

    def rows_of(self, data: Mapping[str, Any]) -> set[str]:
        """Return the types on whose rows an answer depends, in addition to the objects whose ids are noted."""
        types = {*self.plan.rows_of, *self.overfull}
        for name, missing in (self.plan.missing or {}).items():
            value = data.get(name)
            if value is None or (isinstance(value, list) and None in value):
                types |= missing
        return types
