"""Objects by their global ids, whatever their type."""

from typing import Any

from gqlapi.context import Context
from gqlapi.models import GlobalId


def load_node(context: Context, global_id: GlobalId) -> Any:
    """Return the loader's future of what the viewer may see, or None for a type that is no node."""
    loaders = context.loaders
    by_type = {"User": loaders.users, "Post": loaders.posts, "Tag": loaders.tags}
    loader = by_type.get(global_id.typename)
    return None if loader is None else loader.load(global_id.id)
