"""One build of the schema's types for all applications of a process: it takes 60 ms, and no test changes them."""

from typing import Any

import strawberry

from gqlapi.schema import Schema

build_types = strawberry.Schema.__init__
_built: dict[str, Any] = {}


def _build_types_once(schema: strawberry.Schema, **arguments: Any) -> None:
    if type(schema) is not Schema:
        build_types(schema, **arguments)
        return
    if not _built:
        build_types(schema, **arguments)
        _built.update(vars(schema))
    vars(schema).update(_built)


def share_types() -> None:
    """Build the types with the first schema of the API, and give them to each later one with any limits."""
    strawberry.Schema.__init__ = _build_types_once  # type: ignore[method-assign, assignment] # it takes what it passes on
