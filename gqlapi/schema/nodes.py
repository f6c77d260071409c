"""Objects by their global ids, of any type."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from gqlapi.context import Context
from gqlapi.models import GlobalId
from gqlapi.repositories import Repositories
from gqlapi.repositories.base import Repository

# Where the objects of each type are read.
REPOSITORIES: Mapping[str, Callable[[Repositories], Repository[Any]]] = {
    "User": lambda repositories: repositories.users,
    "Post": lambda repositories: repositories.posts,
    "Tag": lambda repositories: repositories.tags,
    "ApiToken": lambda repositories: repositories.api_tokens,
    "Session": lambda repositories: repositories.sessions,
}


async def load_nodes(context: Context, ids: Sequence[GlobalId | Exception | None]) -> list[Any]:
    """Return what the viewer may see under each id, None for what is missing; one statement for each type.

    An exception in the place of an id stays in its place.
    """
    found: dict[GlobalId, Any] = {}
    wanted: dict[str, list[UUID]] = {}
    for global_id in dict.fromkeys(id_ for id_ in ids if isinstance(id_, GlobalId)):
        wanted.setdefault(global_id.typename, []).append(global_id.id)
    for typename, keys in wanted.items():
        if (repository := REPOSITORIES.get(typename)) is not None:
            rows = await repository(context.repositories).list_by_ids(keys)
            found.update((GlobalId(typename, key), row) for key, row in zip(keys, rows, strict=True))
    return [found.get(id_) if isinstance(id_, GlobalId) else id_ for id_ in ids]


async def load_node(context: Context, global_id: GlobalId) -> Any:
    """Return what the viewer may see under an id, or None; one statement."""
    return (await load_nodes(context, [global_id]))[0]
