"""The ordinary server: Strawberry, SQLAlchemy's ORM and aiodataloader, as their documentation teaches."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import strawberry
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from benchmarks.servers.ordinary_loaders import Loaders
from benchmarks.servers.ordinary_models import NEWEST, PostRow, TagRow, UserRow, is_public
from benchmarks.servers.ordinary_writes import create_post
from gqlapi.models.global_id import GlobalId, decode_global_id
from gqlapi.schema.scalars import SCALARS

URL = sa.make_url(os.environ["BENCHMARK_DATABASE_URL"]).set(drivername="postgresql+asyncpg")
engine = create_async_engine(URL, pool_size=10, max_overflow=0)
Session = async_sessionmaker(engine, expire_on_commit=False)

Info = strawberry.Info[Any, None]


@strawberry.type
class Tag:
    """A tag."""

    id: strawberry.ID
    name: str

    @classmethod
    def of(cls, row: TagRow) -> "Tag":
        """Convert a row."""
        return cls(id=strawberry.ID(GlobalId("Tag", row.id).encode()), name=row.name)


@strawberry.type
class User:
    """A user."""

    row: strawberry.Private[UserRow]
    id: strawberry.ID
    display_name: str

    @classmethod
    def of(cls, row: UserRow) -> "User":
        """Convert a row."""
        return cls(row=row, id=strawberry.ID(GlobalId("User", row.id).encode()), display_name=row.display_name)

    @strawberry.field
    async def posts(self, info: Info, first: int) -> list["Post"]:
        """Return the newest posts."""
        return [Post.of(row) for row in await info.context["loaders"].posts.load((self.row.id, first))]

    @strawberry.field
    async def post_count(self, info: Info) -> int:
        """Return the number of posts."""
        count: int = await info.context["loaders"].post_counts.load(self.row.id)
        return count


@strawberry.type
class Post:
    """A post."""

    row: strawberry.Private[PostRow]
    id: strawberry.ID
    title: str
    markdown: str
    status: str
    published_at: datetime | None
    reading_time_minutes: int

    @classmethod
    def of(cls, row: PostRow) -> "Post":
        """Convert a row."""
        is_due = row.published_at is None or row.published_at <= datetime.now(UTC)
        return cls(
            row=row,
            id=strawberry.ID(GlobalId("Post", row.id).encode()),
            title=row.title,
            markdown=row.markdown,
            status=row.state.upper() if is_due or row.state != "published" else "SCHEDULED",
            published_at=row.published_at,
            reading_time_minutes=row.reading_time_minutes,
        )

    @strawberry.field
    async def author(self, info: Info) -> User:
        """Return the author."""
        return User.of(await info.context["loaders"].users.load(self.row.author_id))

    @strawberry.field
    async def tags(self, info: Info) -> list[Tag]:
        """Return the tags."""
        return [Tag.of(row) for row in await info.context["loaders"].tags.load(self.row.id)]


@strawberry.type
class Query:
    """Read operations."""

    @strawberry.field
    async def post(self, info: Info, id: strawberry.ID) -> Post | None:  # noqa: A002 - the argument of the API
        """Return a post."""
        statement = sa.select(PostRow).where(PostRow.id == decode_global_id(id).id, is_public())
        row = await info.context["session"].scalar(statement)
        return row and Post.of(row)

    @strawberry.field
    async def posts(self, info: Info, first: int, after: strawberry.ID | None = None) -> list[Post]:
        """Return the newest posts."""
        statement = sa.select(PostRow).where(is_public()).order_by(*NEWEST).limit(first)
        if after is not None:
            place = sa.select(PostRow.published_at, PostRow.id).where(PostRow.id == decode_global_id(after).id)
            statement = statement.where(sa.tuple_(PostRow.published_at, PostRow.id) < place.scalar_subquery())
        async with info.context["loaders"].lock:
            rows = (await info.context["session"].scalars(statement)).all()
        return [Post.of(row) for row in rows]

    @strawberry.field
    async def users(self, info: Info, first: int, after: strawberry.ID) -> list[User]:
        """Return the newest users."""
        has_published = sa.exists().where(PostRow.author_id == UserRow.id, is_public())
        is_listed = sa.and_(UserRow.deleted_at.is_(None), UserRow.id < decode_global_id(after).id, has_published)
        statement = sa.select(UserRow).where(is_listed).order_by(UserRow.id.desc()).limit(first)
        return [User.of(row) for row in await info.context["session"].scalars(statement)]


@strawberry.type
class Mutation:
    """Write operations."""

    @strawberry.mutation
    async def create_post(self, info: Info, title: str, markdown: str, author_id: strawberry.ID) -> Post:
        """Write a draft of the owner of the token."""
        token = info.context["request"].headers["authorization"].removeprefix("Bearer ")
        author = decode_global_id(author_id).id
        return Post.of(await create_post(info.context["session"], token, author, title, markdown))


class App(GraphQL[Any, None]):
    """Strawberry's application with a session for each request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with Session() as session:
            scope["session"] = session
            await super().__call__(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        session = request.scope["session"]
        return {"request": request, "response": response, "session": session, "loaders": Loaders(session)}


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Close the pool at the end."""
    yield
    await engine.dispose()


schema = strawberry.Schema(
    Query,
    Mutation,
    extensions=[ParserCache, ValidationCache],
    config=StrawberryConfig(scalar_map=SCALARS),
)
app = Starlette(routes=[Route("/graphql", App(schema, graphql_ide=None))], lifespan=lifespan)
