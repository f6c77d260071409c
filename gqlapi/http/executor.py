"""What the endpoint asks of the schema."""

from collections.abc import Iterable
from typing import Any, Protocol

from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from gqlapi.context import Context
from gqlapi.operations import Refused


class Executor(Protocol):
    """Executes operations."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None,
        context_value: Context,
        root_value: None,
        operation_name: str | None,
        allowed_operation_types: Iterable[OperationType] | None,
        operation_extensions: dict[str, Any] | None,
        max_cost: int | None,
    ) -> ExecutionResult:
        """Run one operation; `max_cost` replaces the limit of its cost.

        Raises:
            InvalidOperationTypeError: the type of the operation is not allowed.
            InvalidToken: the operation is allowed, and its token is not valid.
        """

    def refuse(self, context: Context, refused: Refused) -> ExecutionResult:
        """Return the result of an operation that does not run."""
