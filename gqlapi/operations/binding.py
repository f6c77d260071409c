"""Binding: an operation with the values of its variables, before anything runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import FieldNode, GraphQLError, OperationType
from graphql.execution.values import VariableValues
from graphql.pyutils import Undefined

from gqlapi.errors import ApiError, BadUserInput
from gqlapi.execution.declarations import NOTHING, Prepared
from gqlapi.execution.plan import Field, Operation
from gqlapi.operations.arguments import Arguments
from gqlapi.operations.measure import Call, Measured, Outcome

MAX_ERRORS = 10


class Refused(Exception):
    """An operation that does not run, why, and the points of its root fields where these are known."""

    def __init__(self, errors: list[GraphQLError], costs: Mapping[str, int] | None = None) -> None:
        """Keep the errors."""
        super().__init__()
        self.errors = errors
        self.costs = costs or {}


class Preparation:
    """Reads the arguments of calls, and collects what is wrong with them."""

    def __init__(self, arguments: Arguments) -> None:
        """Start without errors."""
        self.arguments = arguments
        self.errors: list[GraphQLError] = []

    def prepare(self, call: Call) -> Outcome | None:
        """Return what the arguments of a call became, None when they are wrong, or after the tenth error."""
        if len(self.errors) >= MAX_ERRORS:
            return None
        try:
            return Outcome(*self.arguments.read(call.definition, call.read, call.rules))
        except ApiError as error:
            self.errors.append(GraphQLError(error.message, call.node, path=[*call.path], original_error=error))
        except GraphQLError as error:
            details = BadUserInput(error.message)
            self.errors.append(GraphQLError(error.message, call.node, path=[*call.path], original_error=details))
        return None


class BoundOperation:
    """An operation that passed the limits, with the values of its variables."""

    def __init__(
        self,
        operation: Operation,
        measured: Measured,
        selected: Mapping[str, frozenset[str]],
        variables: VariableValues,
        outcomes: Sequence[Outcome | None],
        costs: dict[str, int],
    ) -> None:
        """Bind; `selected` are the attributes that it reads of each type, `costs` the points of its root fields."""
        self.operation = operation
        self.selected = selected
        self.variables = variables
        self.costs = costs
        self.measured = measured
        self._outcomes = outcomes

    @property
    def is_incremental(self) -> bool:
        """Whether something of it is delivered later."""
        return self.measured.is_incremental

    @property
    def is_subscription(self) -> bool:
        """Whether it is answered once for each event."""
        return self.operation.definition.operation is OperationType.SUBSCRIPTION

    @property
    def given(self) -> dict[str, Any]:
        """The values of its variables as the client sent them."""
        sources = self.variables.sources
        return {name: source.value for name, source in sources.items() if source.value is not Undefined}

    def prepared(self, field: Field) -> Prepared:
        """Return what the arguments of a field became, and the names of the fields selected below it."""
        slot = self.measured.slots.get(id(field.nodes[0]))
        outcome = None if slot is None else self._outcomes[slot]
        return Prepared(None if outcome is None else outcome.value, field.selection)

    def arguments(self, field: Field) -> dict[str, Any]:
        """Return the arguments of a field, for its resolver."""
        slot = self.measured.slots.get(id(field.nodes[0]))
        outcome = None if slot is None else self._outcomes[slot]
        return {} if outcome is None else outcome.arguments

    def prepared_of(self, nodes: Sequence[FieldNode]) -> Prepared:
        """Return what `prepared` does, for the nodes of a field.

        A field that a document names several times is one field: its arguments agree, its selections add up.
        """
        slots = [self.measured.slots[id(node)] for node in nodes if id(node) in self.measured.slots]
        if not slots:
            return NOTHING
        outcome = self._outcomes[slots[0]]
        selection = frozenset().union(*(self.measured.calls[slot].selection for slot in slots))
        return Prepared(None if outcome is None else outcome.value, selection)
