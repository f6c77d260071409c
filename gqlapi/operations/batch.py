"""How much the operations of one batch may do together."""

from collections import Counter

from graphql import GraphQLError, OperationType

from gqlapi.errors import LimitExceeded
from gqlapi.operations.binding import BoundOperation, Refused
from gqlapi.operations.limits import MAX_SHOWN_SIZE, Limits


class BatchBudget:
    """What the operations of one batch may have together: as much as one operation may have alone."""

    def __init__(self, limits: Limits) -> None:
        """Start with nothing used."""
        self._limits = limits
        self._used: Counter[str] = Counter()

    def take(self, bound: BoundOperation) -> None:
        """Count an operation, which passed the limits, before it runs.

        Raises:
            Refused: the batch exceeds a limit; the operation is not counted.
        """
        limits, definition = self._limits, bound.operation.definition
        is_mutation = definition.operation is OperationType.MUTATION
        size, roots = bound.measured.size, len(bound.measured.root_names)
        checks = (
            ("fields", size.fields, limits.max_fields),
            ("aliases", size.aliases, limits.max_aliases),
            ("directives", size.directives, limits.max_directives),
            ("cost", sum(bound.costs.values()), limits.max_cost),
            ("mutations" if is_mutation else "root fields", roots, limits.max_roots(definition)),
        )
        errors = [
            _error(name, self._used[name] + value, limit)
            for name, value, limit in checks
            if self._used[name] + value > limit
        ]
        if errors:
            raise Refused(errors, bound.costs)
        self._used.update({name: value for name, value, _ in checks})


def _error(name: str, size: int, limit: int) -> GraphQLError:
    shown = min(size, MAX_SHOWN_SIZE)
    error = LimitExceeded(f"The batch has {name} {shown}, over the limit of {limit}.", limit=limit, actual=shown)
    return GraphQLError(error.message, original_error=error)
