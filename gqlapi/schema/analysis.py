"""One pass over an operation before it runs: its size and cost, its prepared arguments, and what it selects.

Each fragment is walked once, however often it is spread: linear in the size of the document, where a walk that
follows every spread is exponential (758 bytes took 3.2 seconds).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments

from gqlapi.context import Prepared
from gqlapi.errors import ApiError, BadUserInput
from gqlapi.schema.fields import definition_of, rules_of

# Levels that connections add; they do not count as depth.
UNCOUNTED_LEVELS = frozenset({"edges", "node", "nodes"})
# Types that are read from the record of another.
EMBEDDED = {"Content": "Post", "PostPayload": "Post"}

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a selection, with every fragment expanded where it is spread."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0

    def __add__(self, other: "Size") -> "Size":
        """Return the size of two selections side by side."""
        return Size(
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
        )


@dataclass(slots=True)
class Analysis:
    """What is known of an operation before it runs."""

    roots: dict[str, Size] = field(default_factory=dict)
    selected: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    prepared: dict[int, Prepared] = field(default_factory=dict)
    errors: list[GraphQLError] = field(default_factory=list)

    @property
    def attributes(self) -> Mapping[str, frozenset[str]]:
        """The attributes that the operation reads of each type."""
        merged: dict[str, frozenset[str]] = {}
        for name, attributes in self.selected.items():
            owner = EMBEDDED.get(name, name)
            merged[owner] = merged.get(owner, frozenset()) | attributes
        return merged

    @property
    def costs(self) -> dict[str, int]:
        """The points of each root field, by its name in the response."""
        costs: dict[str, int] = {}
        for key, size in self.roots.items():
            name = key.split(":", 1)[1]
            costs[name] = costs.get(name, 0) + size.cost
        return costs


class Analyzer:
    """Walks one operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        converter: GraphQLCoreConverter,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> None:
        """Prepare the walk; the document must be valid, which rules out cycles of fragments."""
        self._schema = schema
        self._converter = converter
        self._fragments = fragments
        self._variables = variables
        self._sizes: dict[str, Size] = {}
        self._analysis = Analysis()

    def analyze(self, root_type: GraphQLObjectType, selection_set: SelectionSetNode) -> Analysis:
        """Walk the operation whose root selection this is."""
        for number, selection in enumerate(selection_set.selections):
            key = f"{number}:{self._first_key(selection)}"
            self._analysis.roots[key] = self._selection(root_type, selection, ())
        return self._analysis

    def _first_key(self, selection: SelectionNode) -> str:
        while not isinstance(selection, FieldNode):
            selection = self._selection_set_of(selection).selections[0]
        return _response_key(selection)

    def _selection_set_of(self, selection: SelectionNode) -> SelectionSetNode:
        if isinstance(selection, FragmentSpreadNode):
            return self._fragments[selection.name.value].selection_set
        assert isinstance(selection, InlineFragmentNode)  # noqa: S101 - the third and last kind of selection
        return selection.selection_set

    def _selections(self, parent: GraphQLNamedType, selection_set: SelectionSetNode, path: Path) -> Size:
        size = Size()
        for selection in selection_set.selections:
            size += self._selection(parent, selection, path)
        return size

    def _selection(self, parent: GraphQLNamedType, selection: SelectionNode, path: Path) -> Size:
        directives = Size(directives=len(selection.directives or ()))
        if not self._is_included(selection):
            return directives
        if isinstance(selection, FieldNode):
            return directives + self._field(parent, selection, (*path, _response_key(selection)))
        if isinstance(selection, FragmentSpreadNode):
            return directives + self._fragment(selection.name.value, path)
        assert isinstance(selection, InlineFragmentNode)  # noqa: S101 - the third and last kind of selection
        condition = selection.type_condition
        narrowed = parent if condition is None else self._schema.type_map[condition.name.value]
        return directives + self._selections(narrowed, selection.selection_set, path)

    def _fragment(self, name: str, path: Path) -> Size:
        if name not in self._sizes:
            fragment = self._fragments[name]
            condition = self._schema.type_map[fragment.type_condition.name.value]
            self._sizes[name] = self._selections(condition, fragment.selection_set, path)
        return self._sizes[name]

    def _field(self, parent: GraphQLNamedType, node: FieldNode, path: Path) -> Size:
        own = Size(depth=1, fields=1, aliases=int(node.alias is not None))
        definition = _field_of(parent, node.name.value)
        if definition is None:  # introspection: bounded by the tokens, and by graphql-core's own rule
            return own
        rules = rules_of(definition)
        self._select(parent, node.name.value)
        prepared = self._prepare(definition, node, path)
        surcharge = 0 if rules.surcharge is None or prepared is None else rules.surcharge(prepared)
        if node.selection_set is None:
            return replace(own, cost=surcharge)
        named_type = get_named_type(definition.type)
        inner = self._selections(named_type, node.selection_set, path)
        factor = 1 if rules.factor is None or prepared is None else rules.factor(prepared)
        return Size(
            depth=inner.depth + (node.name.value not in UNCOUNTED_LEVELS),
            fields=own.fields + inner.fields,
            aliases=own.aliases + inner.aliases,
            directives=inner.directives,
            cost=factor * (inner.cost + self._is_counted(named_type)) + surcharge,
        )

    def _is_counted(self, named_type: GraphQLNamedType) -> bool:
        """Objects with an id are what a client pays for; the rest is structure."""
        return isinstance(named_type, GraphQLUnionType) or "id" in getattr(named_type, "fields", ())

    def _select(self, parent: GraphQLNamedType, name: str) -> None:
        """Note what the field reads, for every type that it may be read from."""
        if isinstance(parent, GraphQLInterfaceType):
            types: Iterator[GraphQLObjectType] = iter(self._schema.get_possible_types(parent))
        else:
            types = iter([parent] if isinstance(parent, GraphQLObjectType) else [])
        for type_ in types:
            rules = rules_of(type_.fields[name])
            self._analysis.selected[type_.name].update(rules.needs, {name} if rules.relation else ())

    def _prepare(self, definition: GraphQLField, node: FieldNode, path: Path) -> Prepared | None:
        """Check a field's arguments once, whatever the number of objects it will be resolved for; None if wrong."""
        if not definition.args:
            return NOTHING
        try:
            arguments = get_argument_values(definition, node, self._variables)
            _check_text(arguments)
            prepare = rules_of(definition).prepare
            if prepare is None:
                return NOTHING
            value = prepare(**self._convert(definition, arguments))
        except ApiError as error:
            self._analysis.errors.append(GraphQLError(error.message, node, path=[*path], original_error=error))
            return None
        except GraphQLError as error:
            details = BadUserInput(error.message)
            self._analysis.errors.append(GraphQLError(error.message, node, path=[*path], original_error=details))
            return None
        selection = self._subfields(node.selection_set) if node.selection_set else frozenset()
        prepared = self._analysis.prepared[id(node)] = Prepared(value, selection)
        return prepared

    def _convert(self, definition: GraphQLField, arguments: dict[str, Any]) -> dict[str, Any]:
        field_definition = definition_of(definition)
        assert field_definition is not None  # noqa: S101 - rules stand on Strawberry's definitions only
        converter = self._converter
        return convert_arguments(arguments, field_definition.arguments, converter.scalar_registry, converter.config)

    def _subfields(self, selection_set: SelectionSetNode) -> frozenset[str]:
        """Return the names of the fields that are selected, through fragments."""
        names: set[str] = set()
        visited: set[str] = set()
        pending = [selection_set]
        while pending:
            for selection in pending.pop().selections:
                if not self._is_included(selection):
                    continue
                if isinstance(selection, FieldNode):
                    names.add(selection.name.value)
                elif not isinstance(selection, FragmentSpreadNode) or selection.name.value not in visited:
                    if isinstance(selection, FragmentSpreadNode):
                        visited.add(selection.name.value)
                    pending.append(self._selection_set_of(selection))
        return frozenset(names)

    def _is_included(self, selection: SelectionNode) -> bool:
        if not selection.directives:
            return True
        skip = get_directive_values(GraphQLSkipDirective, selection, self._variables)
        include = get_directive_values(GraphQLIncludeDirective, selection, self._variables)
        return not (skip and skip["if"]) and (include is None or bool(include["if"]))


NOTHING = Prepared(None, frozenset())


def _response_key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _field_of(parent: GraphQLNamedType, name: str) -> GraphQLField | None:
    fields: Mapping[str, GraphQLField] = getattr(parent, "fields", {})
    return fields.get(name)


def _check_text(value: Any) -> None:
    """Refuse what the databases cannot store, wherever it stands in the arguments.

    Raises:
        BadUserInput: a text holds U+0000 or a lone surrogate.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\x00" in item or any("\ud800" <= character <= "\udfff" for character in item):
                raise BadUserInput("A text must not contain U+0000 or a lone surrogate.")
        elif isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
