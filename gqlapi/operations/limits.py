"""How large an operation may be; one place for every transport."""

from dataclasses import dataclass

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)

from gqlapi.errors import LimitExceeded
from gqlapi.operations.measure import Measured

# The true size of a hostile document may have hundreds of digits.
MAX_SHOWN_SIZE = 10**9
FAR = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """The static limits of an operation, each checked before anything runs, and those of its execution."""

    max_document_length: int = 65_536
    max_tokens: int = 2_000
    max_variable_values: int = 10_000
    max_depth: int = 15
    max_fields: int = 5_000
    max_aliases: int = 30
    max_root_fields: int = 20
    max_mutations: int = 10
    max_directives: int = 50
    max_cost: int = 20_000
    max_answer_bytes: int = 10 * 1_048_576
    max_batch_size: int = 1
    operation_timeout_seconds: float = 10.0

    def max_roots(self, operation: OperationDefinitionNode) -> int:
        """Return the most root fields of an operation."""
        is_mutation = operation.operation is OperationType.MUTATION
        return self.max_mutations if is_mutation else self.max_root_fields

    def exceeded_far(self, operation: OperationDefinitionNode) -> GraphQLError | None:
        """Return an error for an operation that writes several times as many aliases as it may have.

        It is known before the document is validated, which takes tens of milliseconds for such ones.
        """
        aliases = _written_aliases(operation.selection_set)
        if aliases <= FAR * self.max_aliases:
            return None
        return _limit_error("aliases", aliases, self.max_aliases, "", operation)

    def exceeded(
        self, measured: Measured, costs: dict[str, int], operation: OperationDefinitionNode
    ) -> list[GraphQLError]:
        """Return an error for each limit that an operation exceeds; `costs` are the points of its root fields."""
        size, cost = measured.size, sum(costs.values())
        checks = (
            ("depth", size.depth, self.max_depth),
            ("fields", size.fields, self.max_fields),
            ("aliases", size.aliases, self.max_aliases),
            ("directives", size.directives, self.max_directives),
        )
        errors = [
            _limit_error(name, value, limit, _largest_root(measured, name), operation)
            for name, value, limit in checks
            if value > limit
        ]
        if cost > self.max_cost:
            errors.append(_limit_error("cost", cost, self.max_cost, max(costs, key=costs.__getitem__), operation))
        most, roots = self.max_roots(operation), measured.root_names
        if (count := len(roots)) > most:
            errors.append(_limit_error("root fields", count, most, roots[most], operation))
        return errors


def _written_aliases(selection_set: SelectionSetNode) -> int:
    """Count the aliases of a selection, without those in named fragments or on fields with directives."""
    aliases, pending = 0, [selection_set]
    while pending:
        for selection in pending.pop().selections:
            if selection.directives or isinstance(selection, FragmentSpreadNode):
                continue
            if isinstance(selection, FieldNode):
                aliases += selection.alias is not None
            if isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set is not None:
                pending.append(selection.selection_set)
    return aliases


def _largest_root(measured: Measured, name: str) -> str:
    return max(measured.roots, key=lambda root: getattr(measured.roots[root], name))


def _limit_error(name: str, size: int, limit: int, root: str, operation: OperationDefinitionNode) -> GraphQLError:
    shown = min(size, MAX_SHOWN_SIZE)
    error = LimitExceeded(f"The operation has {name} {shown}, over the limit of {limit}.", limit=limit, actual=shown)
    return GraphQLError(error.message, operation, path=[root] if root else None, original_error=error)
