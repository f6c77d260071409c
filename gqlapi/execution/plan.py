"""Compiled operations: what to execute, without values of variables and without rows."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from gqlapi.execution.atomic import is_atomic
from gqlapi.execution.declarations import FieldRules, Prepared, Relation, Selected, attribute_of, rules_of

# More than one.
MANY = 1_000


class Kind(Enum):
    """How the values of a field are found."""

    TYPENAME = auto()
    ATTRIBUTE = auto()
    DEFAULT = auto()
    COMPUTED = auto()
    RELATION = auto()
    RESOLVER = auto()


class Step:
    """The completion of values of a type: one of `items`, `leaf`, `object_type` and `abstract_type` is set."""

    __slots__ = ("abstract_type", "is_non_null", "items", "leaf", "object_type")

    def __init__(self, type_: GraphQLOutputType) -> None:
        """Take a type apart."""
        self.is_non_null = is_non_null_type(type_)
        nullable: Any = type_.of_type if is_non_null_type(type_) else type_
        self.items: Step | None = Step(nullable.of_type) if is_list_type(nullable) else None
        self.leaf: GraphQLLeafType | None = nullable if is_leaf_type(nullable) else None
        self.abstract_type: GraphQLAbstractType | None = nullable if is_abstract_type(nullable) else None
        self.object_type: GraphQLObjectType | None = nullable if isinstance(nullable, GraphQLObjectType) else None


class Field:
    """A field of a scope: all selections of it in the document, merged."""

    __slots__ = (
        "attribute",
        "definition",
        "kind",
        "name",
        "nodes",
        "parent_type",
        "rules",
        "selection",
        "step",
        "subscopes",
    )

    def __init__(
        self,
        nodes: list[FieldNode],
        parent_type: GraphQLObjectType,
        definition: GraphQLField,
        selection: frozenset[str],
        subscopes: "Subscopes",
    ) -> None:
        """Describe a field; `selection` are the names of the fields below it."""
        node = nodes[0]
        attribute = attribute_of(definition)
        self.name = node.alias.value if node.alias else node.name.value
        self.nodes = nodes
        self.parent_type = parent_type
        self.definition = definition
        self.rules = rules_of(definition)
        self.kind = _kind(node, self.rules, attribute, definition)
        self.attribute = attribute or node.name.value
        self.selection = selection
        self.step = Step(definition.type)
        self.subscopes = subscopes


def _kind(node: FieldNode, rules: FieldRules, attribute: str | None, definition: GraphQLField) -> Kind:
    if node.name.value == "__typename":
        return Kind.TYPENAME
    if rules.relation is not None:
        return Kind.RELATION
    if rules.compute is not None:
        return Kind.COMPUTED
    if attribute is not None:
        return Kind.ATTRIBUTE
    # Arguments are read, and may be wrong, where nothing uses them as well.
    return Kind.DEFAULT if definition.resolve is None and not definition.args else Kind.RESOLVER


# Response objects of many objects: of these, the context, what the arguments of fields became, and the values of nested
# fields by their names.
Make = Callable[[list[Any], Any, Mapping[str, Prepared], Mapping[str, list[Any]]], list[dict[str, Any]]]


class Nested:
    """A field whose objects may be made together with those that have it: nothing below it has to be awaited."""

    __slots__ = ("field", "is_list", "read", "scope")

    def __init__(self, field: Field, scope: "Scope", read: Callable[[Any], Any] | None) -> None:
        """Describe a field; `read` returns its value of an object, without it the value is computed."""
        self.field = field
        self.scope = scope
        self.read = read
        self.is_list = field.step.items is not None


class Scope:
    """A selection set on one object type.

    `make` returns the function that makes the response objects of many objects, with all leaves and with the nested
    fields that are named, and null in the place of the others.
    """

    __slots__ = ("composites", "computed", "fields", "leaves", "long_fields", "make", "nested", "type", "waiting")

    def __init__(
        self,
        type_: GraphQLObjectType,
        fields: list[Field],
        leaves: list[Field],
        nested: list[Nested],
        make: Callable[[tuple[str, ...]], Make],
    ) -> None:
        """Describe a scope; `leaves` are the fields whose values are leaves that `make` sets."""
        self.type = type_
        self.fields = fields
        self.leaves = leaves
        self.nested = nested
        self.make = make
        # Kept by `sizes`, which is asked after each execution.
        self.long_fields: list[Field] | None = None
        self.computed = [field for field in leaves if field.kind is Kind.COMPUTED]
        self.composites = [field for field in fields if field not in leaves]
        made_here = [one.field for one in nested]
        self.waiting = [field for field in self.composites if field not in made_here]


class Subscopes:
    """The selection sets below a field, merged: a scope for each object type, compiled at its first use."""

    __slots__ = ("_compile", "_nodes", "_scopes")

    def __init__(self, nodes: list[FieldNode], compile_: Callable[[GraphQLObjectType, list[FieldNode]], Scope]) -> None:
        """Compile with a function."""
        self._nodes = nodes
        self._compile = compile_
        self._scopes: dict[str, Scope] = {}

    @property
    def compiled(self) -> Iterable[Scope]:
        """The scopes that were used so far."""
        return self._scopes.values()

    def on(self, type_: GraphQLObjectType) -> Scope:
        """Return the scope of an object type.

        Raises:
            GraphQLError: a directive has a wrong value.
        """
        scope = self._scopes.get(type_.name)
        if scope is None:
            scope = self._scopes[type_.name] = self._compile(type_, self._nodes)
        return scope


class Operation:
    """A compiled operation."""

    __slots__ = (
        "cache_plan",
        "coordinates",
        "definition",
        "fragments",
        "is_atomic",
        "is_serial",
        "label",
        "reads_once",
        "root",
        "schema",
    )

    def __init__(
        self,
        schema: GraphQLSchema,
        definition: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        root: Scope,
        *,
        is_serial: bool,
        selected: Selected,
    ) -> None:
        """Describe an operation; `is_serial`: a mutation, whose root fields run one after the other unless @atomic."""
        self.schema = schema
        self.definition = definition
        self.fragments = dict(fragments)
        self.root = root
        self.is_serial = is_serial
        self.is_atomic = is_atomic(definition)
        # What it uses of the schema; kept by who counts that.
        self.coordinates: frozenset[str] | None = None
        # What it is known by in logs and metrics; kept by who reports.
        self.label: object = None
        # What caches may do with its answers; kept by who decides that.
        self.cache_plan: object = None
        # Whether everything is read by one statement at most.
        self.reads_once = not is_serial and _reads(root, selected) <= 1


def _reads(scope: Scope, selected: Selected, along: tuple[Relation, ...] = ()) -> int:
    """Return the most statements of a scope, many where the types of objects are not known before they are read.

    `along` are relations that were read with the objects.
    """
    reads = 0
    read = [*along]
    for field in scope.composites:
        relation = field.rules.relation
        if relation is None and field.kind is Kind.RESOLVER:
            return MANY
        reads += 0 if relation is None or relation in read else relation.reads
        if relation is not None and relation.reads_together:
            read.append(relation)
        step = field.step
        while step.items is not None:
            step = step.items
        if reads > 1 or step.abstract_type is not None:
            return MANY
        if step.object_type is not None:
            below = field.subscopes.on(step.object_type)
            reads += _reads(below, selected, along if relation is None else relation.along(selected))
    return reads
