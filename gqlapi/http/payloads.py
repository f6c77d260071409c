"""The payloads of incremental delivery, as the JSON of the two formats that clients read."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from graphql import (
    GraphQLError,
    IncrementalDeferResult,
    IncrementalStreamResult,
    SubsequentIncrementalExecutionResult,
)
from graphql.execution import CompletedResult, PendingResult
from strawberry.types import ExecutionResult

from gqlapi.execution.incremental import StreamStarts

Payload = dict[str, Any]


class Payloads(ABC):
    """Makes the payloads of one operation."""

    def __init__(self) -> None:
        """Start with nothing pending."""
        # Announced and not completed, by its id.
        self.pending: dict[str, PendingResult] = {}

    @abstractmethod
    def first(self, result: ExecutionResult, pending: Sequence[PendingResult], starts: StreamStarts) -> Payload:
        """Return the first payload; `starts` grows with the later ones."""

    @abstractmethod
    def later(self, payload: SubsequentIncrementalExecutionResult) -> Payload:
        """Return a later payload."""

    @abstractmethod
    def failed(self, errors: Sequence[GraphQLError]) -> Payload:
        """Return the last payload of an operation that ended early: all that is pending has failed."""


class IncrementalV02(Payloads):
    """`incrementalSpec=v0.2`: what is pending has an id, and each field is delivered once.

    The format of graphql-js 17 (alpha 9): https://github.com/graphql/graphql-spec/pull/1110
    """

    def first(self, result: ExecutionResult, pending: Sequence[PendingResult], starts: StreamStarts) -> Payload:
        """Return the first payload, with all that is pending."""
        del starts
        self._note(pending, ())
        return {**_result(result), "pending": [one.formatted for one in pending], "hasNext": True}

    def later(self, payload: SubsequentIncrementalExecutionResult) -> Payload:
        """Return a later payload."""
        self._note(payload.pending or (), payload.completed or ())
        return {**payload.formatted}

    def failed(self, errors: Sequence[GraphQLError]) -> Payload:
        """Complete all that is pending with errors."""
        formatted = [error.formatted for error in errors]
        return {"completed": [{"id": id_, "errors": formatted} for id_ in self.pending], "hasNext": False}

    def _note(self, pending: Sequence[PendingResult], completed: Sequence[CompletedResult]) -> None:
        for one in completed:
            self.pending.pop(one.id, None)
        self.pending.update({one.id: one for one in pending})


class Defer20220824(Payloads):
    """`deferSpec=20220824`: what is delivered has its path and label.

    The format of Apollo Client 3 and 4, and of urql: https://github.com/graphql/graphql-spec/pull/742
    """

    def __init__(self) -> None:
        """Start with nothing pending."""
        super().__init__()
        self._starts: StreamStarts = {}
        # The next index of each stream, by its id.
        self._next: dict[str, int] = {}

    def first(self, result: ExecutionResult, pending: Sequence[PendingResult], starts: StreamStarts) -> Payload:
        """Return the first payload, which does not say what is pending."""
        self._starts = starts
        self._note(pending)
        return {**_result(result), "hasNext": True}

    def later(self, payload: SubsequentIncrementalExecutionResult) -> Payload:
        """Return a later payload."""
        self._note(payload.pending or ())
        parts = [self._part(part) for part in payload.incremental or ()]
        for completed in payload.completed or ():
            pending = self.pending.pop(completed.id)
            if completed.errors:
                parts.append(self._failure(pending, completed.errors))
        return {**({"incremental": parts} if parts else {}), "hasNext": payload.has_next}

    def failed(self, errors: Sequence[GraphQLError]) -> Payload:
        """Return null for all that is pending."""
        return {"incremental": [self._failure(one, errors) for one in self.pending.values()], "hasNext": False}

    def _note(self, pending: Sequence[PendingResult]) -> None:
        for one in pending:
            self.pending[one.id] = one
            start = self._starts.get(tuple(one.path))
            if start is not None:
                self._next[one.id] = start

    def _part(self, part: IncrementalDeferResult | IncrementalStreamResult) -> Payload:
        pending = self.pending[part.id]
        if isinstance(part, IncrementalStreamResult):
            made: Payload = {"items": part.items, "path": [*pending.path, self._next[part.id]]}
            self._next[part.id] += len(part.items)
        else:
            made = {"data": part.data, "path": [*pending.path, *(part.sub_path or ())]}
        return {**made, **_label(pending), **_errors(part.errors or ())}

    def _failure(self, pending: PendingResult, errors: Sequence[GraphQLError]) -> Payload:
        index = self._next.get(pending.id)
        made: Payload = {"data": None, "path": pending.path}
        if index is not None:
            made = {"items": None, "path": [*pending.path, index]}
        return {**made, **_label(pending), **_errors(errors)}


def _result(result: ExecutionResult) -> Payload:
    extensions = {"extensions": result.extensions} if result.extensions else {}
    return {"data": result.data, **_errors(result.errors or ()), **extensions}


def _label(pending: PendingResult) -> Payload:
    return {} if pending.label is None else {"label": pending.label}


def _errors(errors: Sequence[GraphQLError]) -> Payload:
    return {"errors": [error.formatted for error in errors]} if errors else {}
