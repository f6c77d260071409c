"""Operations, compiled once for all requests that send the same document."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLBoolean,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_nullable_type,
    get_operation_ast,
)
from graphql.execution.values import VariableValues, get_variable_values
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gqlapi.cache import BudgetedCache
from gqlapi.errors import BadUserInput, LimitExceeded
from gqlapi.execution.atomic import atomic_errors
from gqlapi.execution.compiler import NO_VARIABLES, compile_operation, flag_names, fragments_of, has_deliveries
from gqlapi.execution.plan import Operation
from gqlapi.operations.arguments import Arguments
from gqlapi.operations.binding import MAX_ERRORS, BoundOperation, Preparation, Refused
from gqlapi.operations.conversion import Converters
from gqlapi.operations.documents import read_document, validation_errors
from gqlapi.operations.limits import Limits
from gqlapi.operations.measure import Measure, Outcome
from gqlapi.operations.presentation import no_operation
from gqlapi.operations.price import Price
from gqlapi.operations.pricing import Pricing
from gqlapi.operations.variables import InputType, PlainVariables, check_variables, variable_types

# The memory of a parsed document: measured 1.2 MB for 2,000 tokens.
BYTES_PER_TOKEN = 600
# The memory of a compiled field, with what is generated for it.
BYTES_PER_FIELD = 2_500
# A name of 60 KB takes 3.5 times its length: it is in the text, in a node, and in the compiled operation.
COPIES_OF_TEXT = 4
CACHE_BYTES = 5 * 1_048_576
# Of one operation: two for each variable of an `if`, and again two where something may be delivered later.
MAX_VARIANTS = 8


# Text and operation name of a document, and its limit of the cost where it has one.
Key = tuple[str, str | None] | tuple[str, str | None, int]


class Rules:
    """What all operations of a schema share: its types, its limits, and which types are read from another's record."""

    def __init__(
        self, schema: GraphQLSchema, converter: GraphQLCoreConverter, limits: Limits, embedded: Mapping[str, str]
    ) -> None:
        """Collect the rules."""
        self.schema = schema
        self.converters = Converters(converter)
        self.limits = limits
        self.embedded = embedded

    def with_max_cost(self, max_cost: int) -> "Rules":
        """Return the same rules with another limit of the cost."""
        rules = copy(self)
        rules.limits = replace(self.limits, max_cost=max_cost)
        return rules


class CompiledOperation:
    """One operation, for given values of the variables of `if` in directives."""

    def __init__(
        self,
        rules: Rules,
        definition: OperationDefinitionNode,
        document: DocumentNode,
        flags: VariableValues,
        *,
        delivers: bool = False,
    ) -> None:
        """Measure an operation, and read the arguments that have no variables; `delivers`: @defer takes effect.

        Raises:
            GraphQLError: a directive has a wrong value, or the operation is too large to be priced.
        """
        self._rules = rules
        self._definition = definition
        self._fragments = fragments_of(document)
        self._flags = flags
        limits = rules.limits
        preparation = Preparation(Arguments(rules.converters, NO_VARIABLES, limits.max_variable_values))
        root_type = rules.schema.get_root_type(definition.operation)
        assert root_type is not None  # noqa: S101 - the document is valid
        self._measured = Measure(
            rules.schema,
            self._fragments,
            flags,
            preparation.prepare,
            max_root_fields=limits.max_roots(definition),
            delivers=delivers,
        ).measure(root_type, definition.selection_set)
        self._errors = preparation.errors
        self._price = self._make_price(root_type, delivers=delivers)
        self._count = preparation.arguments.count
        self._selected = _selected(self._measured.selected, rules.embedded)
        self._variable_calls = [(slot, call) for slot, call in enumerate(self._measured.calls) if call.has_variables]
        self._operation: Operation | None = None
        self._bound: BoundOperation | None = None

    @property
    def fields(self) -> int:
        """The number of fields, fragments expanded."""
        return self._measured.size.fields

    def static_errors(self, *, is_constant: bool) -> list[GraphQLError]:
        """Return the errors that the operation has for any variables; if it `is_constant`, its cost counts."""
        if self._errors:
            return self._errors
        costs = self._costs(self._measured.outcomes, NO_VARIABLES) if is_constant else {}
        return self._rules.limits.exceeded(self._measured, costs, self._definition)

    def bind(self, variables: VariableValues) -> BoundOperation:
        """Bind the values of variables.

        Raises:
            Refused: an argument is wrong, or a limit is exceeded.
        """
        if self._bound is not None and variables is NO_VARIABLES:
            return self._bound
        outcomes = self._outcomes(variables)
        costs = self._costs(outcomes, variables)
        if self._operation is None or sum(costs.values()) > self._rules.limits.max_cost:
            if errors := self._rules.limits.exceeded(self._measured, costs, self._definition):
                raise Refused(errors, costs)
            self._operation = compile_operation(
                self._rules.schema, self._definition, self._fragments, self._flags, self._selected
            )
        bound = BoundOperation(self._operation, self._measured, self._selected, variables, outcomes, costs)
        if variables is NO_VARIABLES:  # nothing that a client sent is kept
            self._bound = bound
        return bound

    def _make_price(self, root_type: GraphQLObjectType, *, delivers: bool) -> Price:
        """Return the price; none for an operation that is too large anyway, whose merged fields may be too many."""
        limits = self._rules.limits
        if limits.exceeded(self._measured, {}, self._definition):
            return Price()
        pricing = Pricing(
            self._rules.schema,
            self._fragments,
            self._flags,
            self._measured,
            max_cost=limits.max_cost,
            delivers=delivers,
        )
        return pricing.price(root_type, self._definition.selection_set)

    def _costs(self, outcomes: Sequence[Outcome | None], variables: VariableValues) -> dict[str, int]:
        """Return the points of each root field, by its name in the response."""
        has_parts = bool(self._price.parts)
        values = [None if outcome is None else outcome.value for outcome in outcomes] if has_parts else []
        return self._price.of(values, variables)

    def _outcomes(self, variables: VariableValues) -> list[Outcome | None]:
        """Read the arguments that have variables; invalid ones are reported together with the others."""
        if not self._variable_calls and not self._errors:
            return self._measured.outcomes
        arguments = Arguments(
            self._rules.converters,
            variables,
            self._rules.limits.max_variable_values,
            self._count,
            is_one=len(self._variable_calls) == 1,
        )
        preparation = Preparation(arguments)
        preparation.errors.extend(self._errors)
        outcomes = [*self._measured.outcomes]
        for slot, call in self._variable_calls:
            outcomes[slot] = preparation.prepare(call)
        if preparation.errors:
            raise Refused(preparation.errors)
        return outcomes


class KnownOperation:
    """An operation of a valid document, and its variants."""

    def __init__(self, rules: Rules, document: DocumentNode, definition: OperationDefinitionNode) -> None:
        """Describe an operation of a document."""
        self.definition = definition
        self._rules = rules
        self._document = document
        definitions = definition.variable_definitions or ()
        self._types: Mapping[str, InputType] = variable_types(rules.schema, definitions)
        self._plain = PlainVariables.of(rules.schema, definitions)
        fragments = fragments_of(document)
        # Fragments of other operations may use variables of the same names and of other types.
        flags = flag_names([definition, *fragments.values()])
        # Mutations answer at once: what they have written is known by then.
        is_query = definition.operation is OperationType.QUERY
        self._may_deliver = is_query and has_deliveries([definition, *fragments.values()])
        self._flags = sorted(name for name in flags if get_nullable_type(self._types.get(name)) is GraphQLBoolean)
        self._variants: dict[tuple[object, ...], CompiledOperation] = {}
        # Whether a variant was compiled since this was last looked at.
        self.has_grown = False

    @property
    def bytes(self) -> int:
        """About the memory that it takes."""
        fields = sum(variant.fields for variant in self._variants.values())
        return BYTES_PER_TOKEN * self._document.token_count + BYTES_PER_FIELD * fields

    def bind(self, given: dict[str, Any], *, delivers: bool = False) -> BoundOperation:
        """Coerce variables, and bind them; `delivers`: @defer and @stream take effect.

        Raises:
            Refused: a variable or an argument is wrong, or a limit is exceeded.
        """
        variables = self._coerce(given)
        delivers = delivers and self._may_deliver
        values = (delivers, *[variables.coerced.get(name) for name in self._flags])
        variant = self._variants.get(values)
        if variant is not None:
            return variant.bind(variables)
        flags = self._only_flags(variables)
        variant = CompiledOperation(self._rules, self.definition, self._document, flags, delivers=delivers)
        bound = variant.bind(variables)
        if len(self._variants) >= MAX_VARIANTS:
            del self._variants[next(iter(self._variants))]
        self._variants[values] = variant
        self.has_grown = True
        return bound

    def static_errors(self) -> list[GraphQLError]:
        """Return the errors that no values of variables avoid; those of the flags are all true, or all false."""
        errors: list[GraphQLError] = []
        for value in (True, False):
            flags = VariableValues({}, dict.fromkeys(self._flags, value))
            compiled = CompiledOperation(self._rules, self.definition, self._document, flags)
            if not (errors := compiled.static_errors(is_constant=not self._types)):
                break
        return errors

    def _coerce(self, given: dict[str, Any]) -> VariableValues:
        definitions = self.definition.variable_definitions or ()
        if not definitions and not given:
            return NO_VARIABLES
        if self._plain is not None and (values := self._plain.read(given)) is not None:
            return values
        try:
            check_variables(given, self._types, self._rules.limits.max_variable_values)
        except LimitExceeded as error:
            raise Refused([GraphQLError(error.message, original_error=error)]) from None
        variables = get_variable_values(self._rules.schema, definitions, given, max_errors=MAX_ERRORS)
        if isinstance(variables, list):
            raise Refused([_with_code(error) for error in variables[:MAX_ERRORS]])
        return variables

    def _only_flags(self, variables: VariableValues) -> VariableValues:
        """Return the variables of directives: a cached operation keeps no other value that a client sent."""
        return VariableValues(
            {name: variables.sources[name] for name in self._flags if name in variables.sources},
            {name: variables.coerced[name] for name in self._flags if name in variables.coerced},
        )


class Operations:
    """The operations of a schema, compiled, by their documents and names, within a budget of bytes.

    Only those are kept that passed validation and the limits once: the others cost their sender time, and the server no
    memory.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        converter: GraphQLCoreConverter,
        limits: Limits,
        embedded: Mapping[str, str],
        max_bytes: int = CACHE_BYTES,
    ) -> None:
        """Start without operations; `embedded` has the types that are read from the record of another."""
        self._rules = Rules(schema, converter, limits, embedded)
        self.cache: BudgetedCache[Key, KnownOperation] = BudgetedCache(max_bytes)

    def bind(
        self,
        text: str,
        name: str | None = None,
        given: dict[str, Any] | None = None,
        check_type: Any = None,
        max_cost: int | None = None,
        *,
        delivers: bool = False,
    ) -> BoundOperation:
        """Return an operation with the values of its variables; `check_type` is called with its type first.

        `max_cost` replaces the limit of the cost; `delivers`: @defer and @stream take effect.

        Raises:
            Refused: it is not valid, or exceeds a limit.
        """
        key: Key = (text, name) if max_cost is None else (text, name, max_cost)
        try:
            operation = self.cache.get(key) or self._read(text, name, max_cost)
            if check_type is not None:
                check_type(operation.definition.operation)
            bound = operation.bind(given or {}, delivers=delivers)
        except GraphQLError as error:
            raise Refused([error]) from None
        except (RecursionError, ValueError) as error:
            raise Refused([GraphQLError(str(error), original_error=error)]) from None
        if operation.has_grown:
            operation.has_grown = False
            self.cache.put(key, operation, COPIES_OF_TEXT * len(text) + operation.bytes)
        return bound

    def static_errors(self, text: str, max_cost: int | None = None) -> list[GraphQLError]:
        """Return why a document, or one of its operations, could never run with any variables."""
        try:
            document = self._parse(text)
            operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
            if not operations:
                return [no_operation(None)]
            errors = validation_errors(self._rules.schema, document)
            errors = errors or [error for node in operations for error in self._atomic_errors(document, node)]
            if errors:
                return errors
            rules = self._rules_of(max_cost)
            known = (KnownOperation(rules, document, operation) for operation in operations)
            return [error for operation in known for error in operation.static_errors()]
        except GraphQLError as error:
            return [error]
        except Refused as refused:
            return refused.errors
        except (RecursionError, ValueError) as error:
            return [GraphQLError(str(error), original_error=error)]

    def _parse(self, text: str) -> DocumentNode:
        limits = self._rules.limits
        return read_document(text, max_length=limits.max_document_length, max_tokens=limits.max_tokens)

    def _atomic_errors(self, document: DocumentNode, definition: OperationDefinitionNode) -> list[GraphQLError]:
        root_type = self._rules.schema.mutation_type
        return [] if root_type is None else atomic_errors(root_type, definition, fragments_of(document))

    def _rules_of(self, max_cost: int | None) -> Rules:
        return self._rules if max_cost is None else self._rules.with_max_cost(max_cost)

    def _read(self, text: str, name: str | None, max_cost: int | None) -> KnownOperation:
        document = self._parse(text)
        definition = get_operation_ast(document, name)
        if definition is None:
            raise Refused([no_operation(name)])
        if (error := self._rules.limits.exceeded_far(definition)) is not None:
            raise Refused([error])
        errors = validation_errors(self._rules.schema, document) or self._atomic_errors(document, definition)
        if errors:
            raise Refused(errors)
        return KnownOperation(self._rules_of(max_cost), document, definition)


def _selected(selected: Mapping[str, set[str]], embedded: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """Return the attributes that are read of each type; those of embedded types are their owners'."""
    merged: defaultdict[str, set[str]] = defaultdict(set)
    for name, attributes in selected.items():
        merged[embedded.get(name, name)] |= attributes
    return {name: frozenset(attributes) for name, attributes in merged.items()}


def _with_code(error: GraphQLError) -> GraphQLError:
    details = BadUserInput(error.message)
    return GraphQLError(error.message, error.nodes, path=error.path, original_error=details)
