"""Filters as values: what the schema hands to the repositories, without SQL and without GraphQL."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from gqlapi.database.dialect import contains_text
from gqlapi.words import fold


class Operator(StrEnum):
    """How an attribute is compared."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "not_in"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IS_NULL = "is_null"
    STARTS_WITH = "starts_with"
    CONTAINS = "contains"
    FINDS = "finds"


@dataclass(frozen=True, slots=True)
class All:
    """Holds when every part holds, hence for no parts."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds when at least one part holds, hence never for no parts."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds when the part does not; conditions are never unknown."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class Compare:
    """Compares one attribute with a value; `folded` compares without regard to case."""

    attribute: str
    operator: Operator
    value: Any
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Related:
    """Holds when some (or, with `none`, no) related row meets the condition."""

    relation: str
    condition: "Condition"
    none: bool = False


Condition = All | AnyOf | Not | Compare | Related
Special = Callable[[Compare], sa.ColumnElement[bool]]
RelatedClause = Callable[[Related], sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Filterable:
    """What of a table can be filtered: columns, their folded twins, computed attributes and relations."""

    dialect_name: str
    columns: Mapping[str, sa.ColumnElement[Any]]
    folded: Mapping[str, sa.ColumnElement[str]] = field(default_factory=dict)
    nullable: frozenset[str] = frozenset()
    special: Mapping[str, Special] = field(default_factory=dict)
    related: RelatedClause | None = None

    def clause(self, condition: Condition) -> sa.ColumnElement[bool]:
        """Compile a condition; the clause is never NULL, so that `not` is the complement."""
        match condition:
            case All(parts):
                return sa.and_(sa.true(), *map(self.clause, parts))
            case AnyOf(parts):
                return sa.or_(sa.false(), *map(self.clause, parts))
            case Not(part):
                return sa.not_(self.clause(part))
            case Related() if self.related is not None:
                return self.related(condition)
            case Compare(attribute) if attribute in self.special:
                return self.special[attribute](condition)
            case Compare():
                return self._compare(condition)
        raise TypeError(f"{condition} does not apply here")

    def _compare(self, condition: Compare) -> sa.ColumnElement[bool]:
        column, value = self.columns[condition.attribute], condition.value
        if condition.folded:
            column = self.folded[condition.attribute]
            value = [fold(text) for text in value] if isinstance(value, list | tuple) else fold(value)
        clause = self._apply(column, condition.operator, value)
        if condition.attribute not in self.nullable or condition.operator is Operator.IS_NULL:
            return clause
        if condition.operator in {Operator.NE, Operator.NOT_IN}:
            return sa.or_(column.is_(None), clause)
        return sa.and_(column.is_not(None), clause)

    def _apply(self, column: sa.ColumnElement[Any], how: Operator, value: Any) -> sa.ColumnElement[bool]:
        if how is Operator.CONTAINS:
            return contains_text(self.dialect_name, column, value)
        return CLAUSES[how](column, value)


CLAUSES: Mapping[Operator, Callable[[sa.ColumnElement[Any], Any], sa.ColumnElement[bool]]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.IN: lambda column, values: column.in_(values),
    Operator.NOT_IN: lambda column, values: column.not_in(values),
    Operator.IS_NULL: lambda column, wanted: column.is_(None) if wanted else column.is_not(None),
    Operator.STARTS_WITH: lambda column, text: sa.func.substr(column, 1, len(text)) == text,
}
