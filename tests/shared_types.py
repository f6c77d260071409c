"""One build of the schema's types for all applications of a process: it takes 60 ms, and no test changes them.

A document that is valid for these types is validated once, and the engines of a dialect share what SQLAlchemy compiled.
"""

import threading
from collections.abc import Callable
from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLError, GraphQLSchema

from gqlapi.database import engine
from gqlapi.database.statement_cache import StatementCache
from gqlapi.operations import compiled
from gqlapi.operations.documents import validation_errors
from gqlapi.schema import Schema, server

build_types = strawberry.Schema.__init__
MAX_KEPT_LENGTH = 2_000
_built: dict[str, Any] = {}
_prepared: set[Callable[..., None]] = set()
_valid: set[str] = set()


def _build_types_once(schema: strawberry.Schema, **arguments: Any) -> None:
    if type(schema) is not Schema:
        build_types(schema, **arguments)
        return
    if not _built:
        build_types(schema, **arguments)
        _built.update(vars(schema))
    vars(schema).update(_built)


def _once(prepare: Callable[..., None]) -> Callable[..., None]:
    """Return a step of building that is taken once for the shared types."""

    def prepare_once(schema: GraphQLSchema, *arguments: Any) -> None:
        if schema is not _built.get("_schema"):
            prepare(schema, *arguments)
        elif prepare not in _prepared:
            prepare(schema, *arguments)
            _prepared.add(prepare)

    return prepare_once


def _validate_once(schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
    text = document.loc.source.body if document.loc else None
    if schema is not _built.get("_schema") or text is None or len(text) > MAX_KEPT_LENGTH:
        return validation_errors(schema, document)
    if text in _valid:
        return []
    errors = validation_errors(schema, document)
    if not errors:
        _valid.add(text)
    return errors


class _SharedStatements(StatementCache):
    """What SQLAlchemy compiled for the engines of this thread: those of a dialect are configured alike."""

    def get(self, key: Any) -> Any:
        return super().get(_by_name(key))

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_by_name(key), compiled)


def _by_name(key: Any) -> Any:
    """Return a key of SQLAlchemy's, which begins with the dialect, with its name."""
    dialect, *rest = key
    return dialect.name, *rest


_statements = _SharedStatements(max_bytes=64 * 1_048_576)


def _make_statement_cache() -> StatementCache:
    return _statements if threading.current_thread() is threading.main_thread() else StatementCache()


def share_types() -> None:
    """Build the types with the first schema of the API, and give them to each later one with any limits."""
    setattr(engine, "StatementCache", _make_statement_cache)  # noqa: B010 - it is of another type
    strawberry.Schema.__init__ = _build_types_once  # type: ignore[method-assign, assignment] # it takes what it passes on
    setattr(compiled, "validation_errors", _validate_once)  # noqa: B010 - the module does not export it
    for step in ("attach_rules", "install_resolvers"):
        setattr(server, step, _once(getattr(server, step)))
