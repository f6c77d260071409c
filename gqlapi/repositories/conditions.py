"""Filters as values: what the schema hands to the repositories, without SQL and without GraphQL."""

import operator
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gqlapi.database.dialect import bind_array, contains_text, is_among
from gqlapi.database.kept import Slot, bind
from gqlapi.errors import LimitExceeded
from gqlapi.words import MAX_SHRINKAGE, fold_key

# Of all filters of an operation. One letter may fold to 18, in 2 microseconds.
MAX_FOLDED_CHARACTERS = 30_000


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
    """Holds when every part holds; without parts, always."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds when at least one part holds; without parts, never."""

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
ALWAYS, NEVER = All(()), AnyOf(())
Special = Callable[[Compare], sa.ColumnElement[bool]]
RelatedClause = Callable[[Related], sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class TextKey:
    """The folded column of a text, and the longest text and key that can be stored."""

    column: sa.ColumnElement[str]
    max_text_length: int
    max_length: int


def compares(condition: Condition | None, attributes: frozenset[str]) -> bool:
    """Whether a condition compares one of the attributes of its own rows, at any depth."""
    match condition:
        case All(parts) | AnyOf(parts):
            return any(compares(part, attributes) for part in parts)
        case Not(part):
            return compares(part, attributes)
        case Compare(attribute):
            return attribute in attributes
    return False


class FoldedKeys:
    """Folded values of one operation, so that each is folded once."""

    def __init__(self) -> None:
        """Start without keys."""
        self._keys: dict[tuple[str, int], str | None] = {}
        self._left = MAX_FOLDED_CHARACTERS

    def get(self, text: str, max_length: int) -> str | None:
        """Return the folded text, None if it is longer than `max_length`.

        Raises:
            LimitExceeded: the texts of all filters have too many characters in compatibility forms.
        """
        if len(text) > MAX_SHRINKAGE * max_length:
            return None
        if (text, max_length) not in self._keys:
            self._charge(text)
            self._keys[text, max_length] = fold_key(text, max_length)
        return self._keys[text, max_length]

    def _charge(self, text: str) -> None:
        if not unicodedata.is_normalized("NFKC", text):
            self._left -= len(text)
        if self._left < 0:
            message = f"The filters have over {MAX_FOLDED_CHARACTERS} characters that are not in Unicode's form NFKC."
            raise LimitExceeded(message, limit=MAX_FOLDED_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Filterable:
    """What of a table can be filtered: columns, the keys of texts, computed attributes and relations."""

    dialect_name: str
    columns: Mapping[str, sa.ColumnElement[Any]]
    texts: Mapping[str, TextKey] = field(default_factory=dict)
    nullable: frozenset[str] = frozenset()
    special: Mapping[str, Special] = field(default_factory=dict)
    related: RelatedClause | None = None
    # What can be filtered of related rows.
    relations: Mapping[str, "Filterable"] = field(default_factory=dict)

    def clause(self, condition: Condition) -> sa.ColumnElement[bool]:
        """Build the clause of a condition's form; it is never NULL, so that `not` is the complement."""
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
        attribute, operator_, value = condition.attribute, condition.operator, condition.value
        column = self.texts[attribute].column if condition.folded else self.columns[attribute]
        if operator_ is Operator.IS_NULL:
            return column.is_(None) if value else column.is_not(None)
        clause = self._clause(column, operator_, value)
        if attribute not in self.nullable:
            return clause
        if operator_ in {Operator.NE, Operator.NOT_IN}:
            return sa.or_(column.is_(None), clause)
        return sa.and_(column.is_not(None), clause)

    def _clause(self, column: sa.ColumnElement[Any], operator_: Operator, value: Any) -> sa.ColumnElement[bool]:
        match operator_:
            case Operator.IN | Operator.NOT_IN if isinstance(value, Slot):
                among = is_among(self.dialect_name, column, value.name)
                return among if operator_ is Operator.IN else sa.not_(among)
            case Operator.IN:
                return sa.or_(sa.false(), *(column == member for member in value))
            case Operator.NOT_IN:
                return sa.and_(sa.true(), *(column != member for member in value))
            case Operator.CONTAINS:
                return contains_text(self.dialect_name, column, bind(value, sa.Text()))
            case Operator.STARTS_WITH:
                text = bind(value, sa.Text())
                return sa.func.substr(column, 1, sa.func.length(text)) == text
        return COMPARISONS[operator_](column, bind(value, column.type))


COMPARISONS: Mapping[Operator, Callable[[sa.ColumnElement[Any], Any], sa.ColumnElement[bool]]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
}


class Separation:
    """The form of a condition, which decides the text of a statement, and the values that belong into its slots.

    Statuses, roles and whether something is NULL are parts of the form: there are few of them.
    """

    def __init__(self, condition: Condition | None, filterable: Filterable, keys: FoldedKeys) -> None:
        """Separate a condition; texts are folded, and one that is too long to be stored equals none."""
        self._keys = keys
        self._dialect_name = filterable.dialect_name
        self.values: dict[str, Any] = {}
        # Whether its statement can be kept: the text of a full-text search depends on its words.
        self.is_kept = True
        self.form = None if condition is None else self._separate(condition, filterable)

    def _separate(self, condition: Condition, filterable: Filterable) -> Condition:
        match condition:
            case All(parts):
                return All(tuple(self._separate(part, filterable) for part in parts))
            case AnyOf(parts):
                return AnyOf(tuple(self._separate(part, filterable) for part in parts))
            case Not(part):
                return Not(self._separate(part, filterable))
            case Related(relation, part, none):
                return Related(relation, self._separate(part, filterable.relations[relation]), none)
            case Compare():
                return self._separate_comparison(condition, filterable)

    def _separate_comparison(self, condition: Compare, filterable: Filterable) -> Condition:
        if condition.operator is Operator.FINDS:
            self.is_kept = False
            return condition
        if condition.operator is Operator.IS_NULL:
            return condition
        if (key := filterable.texts.get(condition.attribute)) is not None:
            return self._separate_text(condition, key)
        value = condition.value
        if not isinstance(value, tuple):
            return replace(condition, value=self._slot(value))
        if value and isinstance(value[0], UUID):
            return replace(condition, value=self._slot(bind_array(self._dialect_name, value)))
        return replace(condition, value=tuple(sorted(value)))

    def _separate_text(self, condition: Compare, key: TextKey) -> Condition:
        value = condition.value
        if isinstance(value, list | tuple):
            stored = [self._stored(text, key, folded=condition.folded) for text in value]
            texts = bind_array(self._dialect_name, [text for text in stored if text is not None])
            return replace(condition, value=self._slot(texts))
        text = self._stored(value, key, folded=condition.folded)
        if text is None:
            return ALWAYS if condition.operator is Operator.NE else NEVER
        return replace(condition, value=self._slot(text))

    def _stored(self, text: str, key: TextKey, *, folded: bool) -> str | None:
        if folded:
            return self._keys.get(text, key.max_length)
        return text if len(text) <= key.max_text_length else None

    def _slot(self, value: Any) -> Slot:
        slot = Slot(f"filter_{len(self.values)}")
        self.values[slot.name] = value
        return slot
