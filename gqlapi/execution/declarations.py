"""What a schema declares about its fields in addition to their types: read when an operation is compiled."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema

EXTENSION = "execution"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the arguments of a field became, and the names of the fields that are selected below it."""

    value: Any
    selection: frozenset[str]


NOTHING = Prepared(None, frozenset())
# The attributes that an operation reads of each type.
Selected = Mapping[str, frozenset[str]]
Load = Callable[[Any, list[Any], Prepared], Awaitable[Sequence[Any]]]


class Unknown(Enum):
    """The value of a relation that was not read with its object."""

    UNKNOWN = auto()


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """A field whose values are loaded for all objects of a level at once.

    `load` takes the context, distinct keys, and the prepared arguments, and returns a value for each key, in their
    order; an exception among the values is the error of its key. `key` is the attribute that holds an object's key;
    without it the object is its own key. `by_argument`: the key is the prepared arguments, so that fields that have
    others are loaded together. `known` returns the value of an object that was read with it, or UNKNOWN; `attribute` is
    where records have it, which lack the attribute if it was not.
    `reads` is the most statements that one load takes, `reads_together` whether that holds for any number of keys;
    `along` returns the relations of its objects that these read as well, in an operation that reads the given
    attributes of each type.
    """

    load: Load
    key: str | None = None
    by_argument: bool = False
    known: Callable[[Any], Any] | None = None
    attribute: str | None = None
    reads: int = 1
    reads_together: bool = False
    along: Callable[[Selected], tuple["Relation", ...]] = lambda _selected: ()

    def key_of(self, source: Any, prepared: Prepared) -> Any:
        """Return the key of an object."""
        if self.by_argument:
            return prepared
        return source if self.key is None else getattr(source, self.key)


@dataclass(frozen=True, slots=True)
class FieldRules:
    """How a field is prepared, priced and resolved.

    `needs` are the attributes that it reads. `prepare` turns the arguments into the value that the field uses, or
    raises. From the prepared value, `rows` returns the number of rows of the list, of which a connection returns
    several views, and `surcharge` the points in addition to its values.

    A field is resolved by at most one of these: its `relation`; `compute`, a function of the object, the context and
    the prepared arguments that awaits nothing; `resolve`, a resolver of graphql-core. `column` returns the completed
    values of a leaf for many objects at once, where that is faster than its attribute.

    `subscribe` begins the events of a field of the subscription type: it takes the context and the prepared arguments.
    `repeats` is how often the field counts in the cost of its operation.

    `is_embedded`: its value is the object that has the field. `is_long`: its text may have more than some hundred
    characters. `is_trusted`: its values are of the type that the field declares, and none has to be awaited.
    `runs_alone`: a mutation that cannot be part of an operation with @atomic.
    """

    needs: frozenset[str] = frozenset()
    prepare: Callable[..., Any] | None = None
    rows: Callable[[Prepared], int] | None = None
    surcharge: Callable[[Prepared], int] | None = None
    relation: Relation | None = None
    compute: Callable[[Any, Any, Prepared], Any] | None = None
    resolve: Callable[..., Any] | None = None
    subscribe: Callable[[Any, Prepared], Awaitable[AsyncGenerator[Any]]] | None = None
    repeats: int = 1
    column: Callable[[Sequence[Any]], Sequence[Any]] | None = None
    is_embedded: bool = False
    is_long: bool = False
    is_trusted: bool = False
    runs_alone: bool = False


NO_RULES = FieldRules()


def rules_of(field: GraphQLField) -> FieldRules:
    """Return the rules that were attached to a field."""
    rules: FieldRules = field.extensions.get(EXTENSION, NO_RULES)
    return rules


def attach_rules(schema: GraphQLSchema, rules_of_field: Callable[[GraphQLField], FieldRules]) -> None:
    """Attach rules to all fields of object types and interfaces."""
    for named_type in schema.type_map.values():
        fields: Mapping[str, GraphQLField] = getattr(named_type, "fields", {})
        for field in fields.values():
            if isinstance(field, GraphQLField):
                field.extensions[EXTENSION] = rules_of_field(field)


def attribute_of(field: GraphQLField) -> str | None:
    """Return the attribute that a field without a resolver reads in Strawberry; None for every other field."""
    definition = field.extensions.get("strawberry-definition")
    if definition is None or not definition.is_basic_field:
        return None
    return str(definition.python_name)


def install_resolvers(schema: GraphQLSchema, resolver_of: Callable[[FieldRules], Callable[..., Any] | None]) -> None:
    """Put resolvers made from the rules in place, for an executor that resolves one object at a time."""
    for named_type in schema.type_map.values():
        if isinstance(named_type, GraphQLObjectType):
            for field in named_type.fields.values():
                if (resolver := resolver_of(rules_of(field))) is not None:
                    field.resolve = resolver
