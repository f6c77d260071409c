"""Live queries without a transport."""

from typing import Any

from gqlapi.models import Post
from tests.api import Api
from tests.subscribing import Subscriber, subscribe

HOME = "{ posts(first: 5) { nodes { title } } }"
ONE = "{ post(by: { id: $id }) { title } }"


async def live(api: Api, query: str, **variables: Any) -> Subscriber:
    head = "subscription($id: ID!)" if "$id" in query else "subscription"
    return await subscribe(api, f"{head} {{ live {query} }}", **variables)


async def answer_of(subscriber: Subscriber) -> Any:
    """Wait for the next answer, and return its data."""
    return (await subscriber.data(await subscriber.event()))["live"]


async def update(client: Api, post: Post, **patch: Any) -> None:
    payload = await client.payload("updatePost", {"id": post.global_id, "patch": patch})
    assert payload["errors"] == []
