"""The limit: the workloads by hand, one statement per level, with Starlette, asyncpg and orjson and without GraphQL.

It reads the operation's name and its variables, and nothing else of a request. Statements run in no transaction, except
those of W6, which writes the same rows as `createPost`.
"""

import gc
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.servers import limit_sql as sql
from benchmarks.servers import limit_writes as writes

PAGE, PAGES = 100, 5

Variables = Mapping[str, Any]
Data = dict[str, Any]


def text_of(prefix: bytes, key: UUID) -> str:
    """Return a global id."""
    return urlsafe_b64encode(prefix + key.bytes).rstrip(b"=").decode()


def key_of(text: str) -> UUID:
    """Return the key of a global id."""
    return UUID(bytes=urlsafe_b64decode(text + "=" * (-len(text) % 4))[-16:])


def time_of(moment: datetime) -> str:
    """Return a time of the database, which is in UTC, as the API writes it."""
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def names_by_post(rows: Sequence[Any]) -> dict[UUID, list[Data]]:
    """Group the names of tags by their posts."""
    groups: dict[UUID, list[Data]] = {}
    for post_id, name in rows:
        groups.setdefault(post_id, []).append({"name": name})
    return groups


async def one_post(pool: asyncpg.Pool, variables: Variables) -> Data:
    """W1."""
    async with pool.acquire() as connection:
        post = await connection.fetchrow(sql.POST, key_of(variables["id"]))
        tags = await connection.fetch(sql.TAGS_OF_POST, post[0])
    return {
        "post": {
            "id": text_of(b"Post", post[0]),
            "title": post[1],
            "content": {"markdown": post[2]},
            "status": post[3],
            "publishedAt": time_of(post[4]),
            "author": {"displayName": post[5]},
            "tags": [{"id": text_of(b"Tag", key), "name": name} for key, name in tags],
        }
    }


async def home_feed(pool: asyncpg.Pool, variables: Variables) -> Data:
    """W2, the cold document and the growth."""
    async with pool.acquire() as connection:
        posts = await connection.fetch(sql.FEED, variables.get("n", 20))
        tags = names_by_post(await connection.fetch(sql.TAGS_OF_POSTS, [post[0] for post in posts]))
    return {
        "posts": [
            {
                "id": text_of(b"Post", key),
                "title": title,
                "status": status,
                "publishedAt": time_of(published_at),
                "author": {"id": text_of(b"User", author_id), "displayName": name},
                "tags": tags.get(key, []),
            }
            for key, title, status, published_at, author_id, name in posts
        ]
    }


async def users_with_posts(pool: asyncpg.Pool, variables: Variables) -> Data:
    """W3."""
    async with pool.acquire() as connection:
        users, posts, tags = await _read_users(connection, variables)
    return {"users": _users(users, posts, tags)}


async def users_with_counts(pool: asyncpg.Pool, variables: Variables) -> Data:
    """W7."""
    async with pool.acquire() as connection:
        users, posts, tags = await _read_users(connection, variables)
        counts = dict(await connection.fetch(sql.COUNTS_OF_USERS, [user[0] for user in users]))
    answers = _users(users, posts, tags)
    for answer, user in zip(answers, users, strict=True):
        answer["totalCount"] = counts.get(user[0], 0)
    return {"users": answers}


async def _read_users(
    connection: Any, variables: Variables
) -> tuple[Sequence[Any], Sequence[Any], dict[UUID, list[Data]]]:
    users = await connection.fetch(sql.USERS, key_of(variables["after"]))
    posts = await connection.fetch(sql.POSTS_OF_USERS, [user[0] for user in users])
    tags = await connection.fetch(sql.TAGS_OF_POSTS, [post[1] for post in posts])
    return users, posts, names_by_post(tags)


def _users(users: Sequence[Any], posts: Sequence[Any], tags: dict[UUID, list[Data]]) -> list[Data]:
    of_users: dict[UUID, list[Data]] = {}
    for user_id, key, title, published_at in posts:
        post = {
            "id": text_of(b"Post", key),
            "title": title,
            "publishedAt": time_of(published_at),
            "tags": tags.get(key, []),
        }
        of_users.setdefault(user_id, []).append(post)
    return [{"id": text_of(b"User", key), "displayName": name, "posts": of_users.get(key, [])} for key, name in users]


async def five_pages(pool: asyncpg.Pool, _: Variables) -> Data:
    """W4: the five pages follow each other, so that one statement reads them."""
    rows = await pool.fetch(sql.PAGES, PAGE * PAGES)
    posts = [
        {
            "id": text_of(b"Post", key),
            "title": title,
            "content": {"markdown": markdown},
            "status": status,
            "publishedAt": time_of(published_at),
            "readingTimeMinutes": minutes,
            "author": {"id": text_of(b"User", author_id), "displayName": name},
        }
        for key, title, markdown, status, published_at, minutes, author_id, name in rows
    ]
    return {f"p{number}": posts[PAGE * number : PAGE * (number + 1)] for number in range(PAGES)}


async def typename(_pool: asyncpg.Pool, _variables: Variables) -> Data:
    """W5."""
    return {"__typename": "Query"}


async def create_post(pool: asyncpg.Pool, variables: Variables) -> Data:
    """W6."""
    async with pool.acquire() as connection:
        key = await writes.create_post(connection, variables["token"], variables["title"], variables["markdown"])
    return {"createPost": {"id": text_of(b"Post", key), "title": variables["title"]}}


async def insert_post(pool: asyncpg.Pool, variables: Variables) -> Data:
    """W6 as Mercurius has it: one INSERT without a token."""
    key = await writes.insert_post(pool, key_of(variables["authorId"]), variables["title"], variables["markdown"])
    return {"createPost": {"id": text_of(b"Post", key), "title": variables["title"]}}


HANDLERS: dict[str, Callable[[asyncpg.Pool, Variables], Awaitable[Data]]] = {
    "W1": one_post,
    "W2": home_feed,
    "W3": users_with_posts,
    "W4": five_pages,
    "W5": typename,
    "W6": create_post,
    "Insert": insert_post,
    "W7": users_with_counts,
}


async def answer(request: Request) -> Response:
    """Answer a POST, or a GET with the same parameters in its URL."""
    if request.method == "GET":
        parameters = request.query_params
        name, variables = parameters["operationName"], json.loads(parameters.get("variables", "{}"))
    else:
        body = orjson.loads(await request.body())
        name, variables = body["operationName"], body.get("variables", {})
        if name == "W6":
            variables["token"] = request.headers["authorization"].removeprefix("Bearer ")
    data = await HANDLERS[name](request.app.state.pool, variables)
    return Response(orjson.dumps({"data": data}), media_type="application/json")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the pool."""
    async with asyncpg.create_pool(os.environ["BENCHMARK_DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        gc.collect()
        gc.freeze()
        yield


app = Starlette(routes=[Route("/graphql", answer, methods=["GET", "POST"])], lifespan=lifespan)
