"""The loaders of one operation: each turns the single loads of a level into one call of a repository."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from aiodataloader import DataLoader, Loader, failed_dispatch

from gqlapi.execution.pacing import Pace
from gqlapi.models import GlobalId, Post
from gqlapi.repositories import Repositories

# Up to this many keys are resolved at once, more of them a few at a time: each wakes the completion of an object.
UNPACED_KEYS = 20
KEYS_IN_A_TURN = 4

BatchLoad = Callable[[list[Any]], Coroutine[Any, Any, list[Any]]]


class Loaders:
    """One loader per relation, and per relation and arguments where there are any; made inside the running loop."""

    def __init__(self, repositories: Repositories, pace: Pace) -> None:
        """Bind the loaders to an operation's repositories and to its pace."""
        self._pace = pace
        self.users = self._loader(repositories.users.list_by_ids)
        self.posts = self._loader(repositories.posts.list_by_ids)
        self.tags = self._loader(repositories.tags.list_by_ids)
        self.api_tokens = self._loader(repositories.api_tokens.list_by_ids)
        self.sessions = self._loader(repositories.sessions.list_by_ids)
        # What `node(id:)` finds, by the type that an id names.
        self.nodes = {
            "User": self.users,
            "Post": self.posts,
            "Tag": self.tags,
            "ApiToken": self.api_tokens,
            "Session": self.sessions,
        }
        self.authors = self._loader(repositories.users.list_authors_by_ids)
        self.tags_of_posts = self._loader(repositories.tags.list_by_post_ids)
        self.api_tokens_of_users = self._loader(repositories.api_tokens.list_by_user_ids)
        self.sessions_of_users = self._loader(repositories.sessions.list_by_user_ids)
        self._with_arguments: dict[Hashable, DataLoader[Any, Any]] = {}

    def node(self, global_id: GlobalId) -> Any:
        """Return the future of what the viewer may see under an id, or None for a type that is no node."""
        loader = self.nodes.get(global_id.typename)
        return None if loader is None else loader.load(global_id.id)

    def with_arguments(self, key: Hashable, load: BatchLoad) -> DataLoader[Any, Any]:
        """Return the loader that `key` names (a relation and its arguments), made at its first use."""
        loader = self._with_arguments.get(key)
        if loader is None:
            loader = self._with_arguments[key] = self._loader(load)
        return loader

    def prime(self, post: Post) -> None:
        """Take over the relations that were loaded with an aggregate."""
        if "author" in post.__dict__:
            self.authors.prime(post.author_id, post.author)
        if "post_tags" in post.__dict__:
            self.tags_of_posts.prime(post.id, post.tags)

    def _loader(self, load: BatchLoad) -> DataLoader[Any, Any]:
        return PacedLoader(load, self._pace)


class PacedLoader(DataLoader[Any, Any]):
    """A loader that waits for all slices of a level, and resolves its keys a few at a time.

    aiodataloader dispatches in the next iteration of the event loop, and resolves all keys in one: what their objects
    then do would stop the loop for as long as they are many.
    """

    def __init__(self, load: BatchLoad, pace: Pace) -> None:
        """Load with a batch function, at the pace of an operation."""
        super().__init__(batch_load_fn=load)
        self._pace = pace
        self._dispatches: set[asyncio.Task[None]] = set()

    def do_resolve_reject(self, key: Any, future: asyncio.Future[Any]) -> None:
        """Queue a key; the first one starts the dispatch."""
        self._queue.append(Loader(key, future))
        if len(self._queue) == 1:
            dispatch = asyncio.create_task(self._dispatch())
            self._dispatches.add(dispatch)
            dispatch.add_done_callback(self._dispatches.discard)

    async def _dispatch(self) -> None:
        await self._pace.quiet()
        queue, self._queue = self._queue, []
        try:
            values = await self.batch_load_fn([queued.key for queued in queue])
        except Exception as error:  # noqa: BLE001 - it reaches every field that waits for a key
            failed_dispatch(self, queue, error)
            return
        is_long = len(queue) > UNPACED_KEYS
        for number, (queued, value) in enumerate(zip(queue, values, strict=True), 1):
            if not queued.future.done():
                _settle(queued.future, value)
            if is_long and number % KEYS_IN_A_TURN == 0:
                await self._pace.turn()


def _settle(future: asyncio.Future[Any], value: object) -> None:
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
