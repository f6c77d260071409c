"""The loaders of one operation: each turns the single loads of a level into one call of a repository."""

from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from aiodataloader import DataLoader

from gqlapi.models import Post
from gqlapi.repositories import Repositories

BatchLoad = Callable[[list[Any]], Coroutine[Any, Any, list[Any]]]


class Loaders:
    """One loader per relation, and per relation and arguments where there are any; made inside the running loop."""

    def __init__(self, repositories: Repositories) -> None:
        """Bind the loaders to an operation's repositories."""
        self.users = _loader(repositories.users.list_by_ids)
        self.posts = _loader(repositories.posts.list_by_ids)
        self.tags = _loader(repositories.tags.list_by_ids)
        self.authors = _loader(repositories.users.list_authors_by_ids)
        self.tags_of_posts = _loader(repositories.tags.list_by_post_ids)
        self._with_arguments: dict[Hashable, DataLoader[Any, Any]] = {}

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
