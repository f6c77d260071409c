"""Filters as values: what the schema hands to the repositories, without SQL and without GraphQL."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from gqlapi.database.dialect import contains_text
from gqlapi.words import MAX_SHRINKAGE, fold_key


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
class TextKey:
    """The folded column of a text, and the longest text and key that can be stored."""

    column: sa.ColumnElement[str]
    max_text_length: int
    max_length: int


class FoldedKeys:
    """Folded values of one operation, so that each is folded once."""

    def __init__(self) -> None:
        """Start without keys."""
        self._keys: dict[tuple[str, int], str | None] = {}

    def get(self, text: str, max_length: int) -> str | None:
        """Return the folded text, None if it is longer than `max_length`."""
        if len(text) > MAX_SHRINKAGE * max_length:
            return None
        if (text, max_length) not in self._keys:
            self._keys[text, max_length] = fold_key(text, max_length)
        return self._keys[text, max_length]


@dataclass(frozen=True, slots=True)
class Filterable:
    """What of a table can be filtered: columns, the keys of texts, computed attributes and relations."""

    dialect_name: str
    columns: Mapping[str, sa.ColumnElement[Any]]
    texts: Mapping[str, TextKey] = field(default_factory=dict)
    nullable: frozenset[str] = frozenset()
    special: Mapping[str, Special] = field(default_factory=dict)
    related: RelatedClause | None = None
    keys: FoldedKeys = field(default_factory=FoldedKeys)

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
        if condition.attribute in self.texts:
            return self._compare_text(condition, self.texts[condition.attribute])
        column = self.columns[condition.attribute]
        clause = CLAUSES[condition.operator](column, condition.value)
        if condition.attribute not in self.nullable or condition.operator is Operator.IS_NULL:
            return clause
        if condition.operator in {Operator.NE, Operator.NOT_IN}:
            return sa.or_(column.is_(None), clause)
        return sa.and_(column.is_not(None), clause)

    def _compare_text(self, condition: Compare, key: TextKey) -> sa.ColumnElement[bool]:
        """Compare a text; no stored text equals or contains a value that is too long to be stored."""
        column = key.column if condition.folded else self.columns[condition.attribute]
        value = condition.value
        if isinstance(value, list | tuple):
            kept = [self._stored(text, key, folded=condition.folded) for text in value]
            return CLAUSES[condition.operator](column, [text for text in kept if text is not None])
        stored = self._stored(value, key, folded=condition.folded)
        if stored is None:
            return sa.true() if condition.operator is Operator.NE else sa.false()
        if condition.operator is Operator.CONTAINS:
            return contains_text(self.dialect_name, column, stored)
        return CLAUSES[condition.operator](column, stored)

    def _stored(self, text: str, key: TextKey, *, folded: bool) -> str | None:
        if folded:
            return self.keys.get(text, key.max_length)
        return text if len(text) <= key.max_text_length else None


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
