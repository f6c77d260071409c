"""Relation fields: declared as data, so that an executor can resolve all objects of a level at once."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from aiodataloader import DataLoader
from graphql import FieldNode, GraphQLField, GraphQLResolveInfo

EXTENSION = "relation"


@dataclass(frozen=True, slots=True)
class Relation:
    """A field whose value a loader holds.

    `loader` names the loader, given the operation's context and the field's nodes (the same for all objects that the
    field is resolved for); `key` is the attribute of the object that the loader is asked for.
    """

    loader: Callable[[Any, Sequence[FieldNode]], DataLoader[Any, Any]]
    key: str

    def resolve(self, source: Any, info: GraphQLResolveInfo[Any], **_arguments: Any) -> Any:
        """Return the loader's future: graphql-core awaits it, without a coroutine per object."""
        key: Hashable = getattr(source, self.key)
        return self.loader(info.context, info.field_nodes).load(key)

    def attach(self, field: GraphQLField) -> None:
        """Write the relation where an executor looks for it."""
        field.extensions[EXTENSION] = self
