"""What resolvers return: values, failures and awaitables, as recipes that give the same at every run."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from inspect import iscoroutine
from typing import Any
from zlib import crc32

from graphql import GraphQLError, GraphQLResolveInfo
from graphql.pyutils import inspect


@dataclass(frozen=True)
class Call:
    """One field of one object with its arguments: all that an answer may depend on."""

    source: Any
    field: str
    arguments: dict[str, Any]
    info: GraphQLResolveInfo[Any] | None
    make_object: Callable[[str, str, "Call"], Any]

    @property
    def key(self) -> int:
        """A number that is the same at every run, and most likely another one for another call."""
        source = read(self.source, "number")
        return crc32(f"{inspect(self.source) if source is None else source} {self.field} {self.text}".encode())

    @property
    def text(self) -> str:
        return json.dumps(self.arguments, sort_keys=True, default=repr)


def read(source: Any, name: str) -> Any:
    """Return what an object of ours says about itself; of any other value, null."""
    values = source if isinstance(source, dict) else getattr(source, "__dict__", {})
    return values.get(name)


class Coded(Exception):
    """A failure with extensions, which is no GraphQLError."""

    extensions = {"code": "CODED"}  # noqa: RUF012 - graphql-core reads an attribute


ERROR_NAMES = ["broken", "refused", "coded", "silent"]


def error_of(name: str) -> Exception:
    """Return a new exception, because a traceback grows whenever it is raised."""
    return {
        "broken": RuntimeError("broken"),
        "refused": GraphQLError("refused", extensions={"code": "REFUSED"}),
        "coded": Coded("coded"),
        "silent": ValueError(),
    }[name]


class Recipe:
    """How to make the answer to a call."""

    def make(self, call: Call) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Value(Recipe):
    value: Any

    def make(self, call: Call) -> Any:
        return self.value


@dataclass(frozen=True)
class Returned(Recipe):
    """An exception as a value."""

    error: str

    def make(self, call: Call) -> Any:
        return error_of(self.error)


@dataclass(frozen=True)
class Raised(Recipe):
    error: str

    def make(self, call: Call) -> Any:
        raise error_of(self.error)


@dataclass(frozen=True)
class Arguments(Recipe):
    """The arguments as text."""

    def make(self, call: Call) -> Any:
        return call.text


@dataclass(frozen=True)
class Info(Recipe):
    """What a resolver may read from `info`, as text; a plain attribute has none.

    Of the path only the last key: a level is executed at once, and its resolvers share an `info`.
    """

    def make(self, call: Call) -> Any:
        info = call.info
        if info is None:
            return "no info"
        names = [info.field_name, info.parent_type.name, str(info.return_type), info.operation.operation.value]
        return f"{' '.join(names)} {info.path.key} {len(info.field_nodes)} {info.context} {sorted(info.fragments)}"


@dataclass(frozen=True)
class Object(Recipe):
    """An object of a type, in one of the forms that the default resolver reads."""

    typename: str
    form: str

    def make(self, call: Call) -> Any:
        return call.make_object(self.form, self.typename, call)


@dataclass(frozen=True)
class Items(Recipe):
    """Several answers in an iterable of some kind."""

    kind: str
    items: tuple[Recipe, ...]

    def make(self, call: Call) -> Any:
        each = self._each(call)
        match self.kind:
            case "list":
                return list(each)
            case "tuple":
                return tuple(each)
            case "values":
                return dict(enumerate(each)).values()
            case "async generator":
                return _slowly(each)
            case "stream":
                return Stream(each)
        return each

    def _each(self, call: Call) -> Iterator[Any]:
        """Yield the items; an iterator that fails leaves no coroutine behind that is never awaited."""
        made = []
        try:
            for item in self.items:
                made.append(item.make(call))
                yield made[-1]
        except Exception:
            for coroutine in filter(iscoroutine, made):
                coroutine.close()
            raise


@dataclass(frozen=True)
class Later(Recipe):
    """An awaitable of an answer, or of its failure, after some turns of the event loop."""

    kind: str
    turns: int
    recipe: Recipe

    def make(self, call: Call) -> Any:
        async def wait() -> Any:
            for _ in range(self.turns):
                await asyncio.sleep(0)
            return self.recipe.make(call)

        match self.kind:
            case "task":
                task = asyncio.ensure_future(wait())
                # An executor that has nulled the parent need not look at the failure.
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
                return task
            case "awaitable":
                return Awaitable(wait)
        return wait()


class Awaitable:
    """An awaitable that is no coroutine."""

    def __init__(self, wait: Callable[[], Any]) -> None:
        self._wait = wait

    def __await__(self) -> Generator[Any, Any, Any]:
        result: Generator[Any, Any, Any] = self._wait().__await__()
        return result


class Stream:
    """An asynchronous iterator that is no generator and cannot be closed."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        for item in self._items:
            return item
        raise StopAsyncIteration


async def _slowly(items: Iterator[Any]) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item
