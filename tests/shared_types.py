"""One build of the schema's types for all applications of a process: it takes 60 ms, and no test changes them.

A document that is valid for these types is validated once.
"""

from typing import Any

import strawberry
from graphql import DocumentNode, GraphQLError, GraphQLSchema

from gqlapi.operations import compiled
from gqlapi.operations.documents import validation_errors
from gqlapi.schema import Schema

build_types = strawberry.Schema.__init__
MAX_KEPT_LENGTH = 2_000
_built: dict[str, Any] = {}
_valid: set[str] = set()


def _build_types_once(schema: strawberry.Schema, **arguments: Any) -> None:
    if type(schema) is not Schema:
        build_types(schema, **arguments)
        return
    if not _built:
        build_types(schema, **arguments)
        _built.update(vars(schema))
    vars(schema).update(_built)


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


def share_types() -> None:
    """Build the types with the first schema of the API, and give them to each later one with any limits."""
    strawberry.Schema.__init__ = _build_types_once  # type: ignore[method-assign, assignment] # it takes what it passes on
    setattr(compiled, "validation_errors", _validate_once)  # noqa: B010 - the module does not export it
