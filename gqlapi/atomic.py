"""The one transaction of an operation with `@atomic`.

Its root fields are prepared side by side: inputs are checked, Markdown is rendered, passwords are hashed. The bodies
that write wait for each other, and then run in the order of the fields, in one transaction that is run again as a whole
when it lost against another one. Each field reads its payload after the commit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from gqlapi.problems import Rejected, RolledBackProblem
from gqlapi.repositories import WriteScope

Body = Callable[[WriteScope], Awaitable[Any]]
Transact = Callable[[Body], Awaitable[Any]]

# The name in the response of the root field that a task resolves.
_FIELD: ContextVar[str] = ContextVar("field")


class Atomic:
    """The root fields of one operation, each of which writes once, or fails before."""

    def __init__(self, names: Sequence[str], transact: Transact) -> None:
        """Wait for the fields with these names in the response; `transact` runs a body in a transaction."""
        self._names = names
        self._transact = transact
        self._awaited = {*names}
        self._bodies: dict[str, Body] = {}
        self._outcomes: dict[str, Any] = {}
        # The fields that have failed, and the reason why nothing is written.
        self._failed: set[str] = set()
        self._reason: BaseException | None = None
        self._ended = asyncio.Event()

    @contextmanager
    def resolving(self, name: str) -> Iterator[None]:
        """Resolve a field in the block; one that fails before it writes lets no other write."""
        token = _FIELD.set(name)
        try:
            yield
        except BaseException:
            if name in self._awaited:
                self._failed.add(name)
                self._awaited.discard(name)
                self._give_up_if_complete()
            raise
        finally:
            _FIELD.reset(token)

    async def write(self, body: Body) -> Any:
        """Run the body of the current field with those of the others, and return its outcome.

        Raises:
            Rejected: the body rejects, or another field has failed.
        """
        name = _FIELD.get()
        if name in self._bodies:
            raise RuntimeError(f"{name} writes twice in an atomic operation")
        self._bodies[name] = body
        self._awaited.discard(name)
        if not self._awaited and not self._failed:
            await self._write_all()
        self._give_up_if_complete()
        await self._ended.wait()
        if self._failed and name not in self._failed:
            raise Rejected(self._rolled_back())
        if self._reason is not None:
            raise self._reason
        return self._outcomes[name]

    async def _write_all(self) -> None:
        try:
            await self._transact(self._run)
        except BaseException as reason:
            self._reason = reason
            if not isinstance(reason, Exception):
                raise
        finally:
            self._ended.set()

    async def _run(self, scope: WriteScope) -> None:
        """Run all bodies; again, when the transaction is run again."""
        self._failed.clear()
        for name in self._names:
            try:
                self._outcomes[name] = await self._bodies[name](scope)
            except Rejected:
                self._failed.add(name)
                raise

    def _give_up_if_complete(self) -> None:
        if not self._awaited and self._failed:
            self._ended.set()

    def _rolled_back(self) -> RolledBackProblem:
        first = next(name for name in self._names if name in self._failed)
        message = f"Nothing was written, because {first} failed in the same operation with @atomic."
        return RolledBackProblem(message=message, failed_field=first)
