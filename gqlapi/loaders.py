"""The loaders of one operation: each turns the single loads of a level into one call of a repository."""

from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from aiodataloader import DataLoader

from gqlapi.models import GlobalId, Post
from gqlapi.repositories import Repositories

BatchLoad = Callable[[list[Any]], Coroutine[Any, Any, list[Any]]]


class Loaders:
    """One loader per relation, and per relation and arguments where there are any; made inside the running loop."""

    def __init__(self, repositories: Repositories) -> None:
        """Bind the loaders to an operation's repositories."""
        self.users = _loader(repositories.users.list_by_ids)
        self.posts = _loader(repositories.posts.list_by_ids)
        self.tags = _loader(repositories.tags.list_by_ids)
        self.api_tokens = _loader(repositories.api_tokens.list_by_ids)
        self.sessions = _loader(repositories.sessions.list_by_ids)
        # What `node(id:)` finds, by the type that an id names.
        self.nodes = {
            "User": self.users,
            "Post": self.posts,
            "Tag": self.tags,
            "ApiToken": self.api_tokens,
            "Session": self.sessions,
        }
        self.authors = _loader(repositories.users.list_authors_by_ids)
        self.tags_of_posts = _loader(repositories.tags.list_by_post_ids)
        self.api_tokens_of_users = _loader(repositories.api_tokens.list_by_user_ids)
        self.sessions_of_users = _loader(repositories.sessions.list_by_user_ids)
        self._with_arguments: dict[Hashable, DataLoader[Any, Any]] = {}

    def node(self, global_id: GlobalId) -> Any:
        """Return the future of what the viewer may see under an id, or None for a type that is no node."""
        loader = self.nodes.get(global_id.typename)
        return None if loader is None else loader.load(global_id.id)

    def with_arguments(self, key: Hashable, load: BatchLoad) -> DataLoader[Any, Any]:
        """Return the loader that `key` names (a relation and its arguments), made at its first use."""
        loader = self._with_arguments.get(key)
        if loader is None:
            loader = self._with_arguments[key] = _loader(load)
        return loader

    def prime(self, post: Post) -> None:
        """Take over the relations that were loaded with an aggregate."""
        if "author" in post.__dict__:
            self.authors.prime(post.author_id, post.author)
        if "post_tags" in post.__dict__:
            self.tags_of_posts.prime(post.id, post.tags)


def _loader(load: BatchLoad) -> DataLoader[Any, Any]:
    return DataLoader(batch_load_fn=load)
