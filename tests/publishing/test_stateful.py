"""Random histories of a blog: who sees what afterwards, on every path, against the rule in Python."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import given

from gqlapi.models import Post, Tag, User, UserRole
from tests.api import Api
from tests.examples import examples
from tests.factories import make_user, save
from tests.signing_in import sign_in_as

ROLES = {
    "nobody": None, "reader": UserRole.READER, "ada": UserRole.AUTHOR, "bela": UserRole.AUTHOR,
    "editor": UserRole.EDITOR, "admin": UserRole.ADMIN,
}  # fmt: skip
WRITERS = ("ada", "bela", "editor", "admin")
EDITORS = {"editor", "admin"}
LATER = "2999-01-01T00:00:00Z"
TAGS = ("red", "blue")
MAX_POSTS = 6

POST_ID = "post { id }"
ALL = "[DRAFT, SCHEDULED, PUBLISHED, ARCHIVED]"
OF_PARENT = f"""
  postCount(filter: {{ status: {ALL} }})
  posts(filter: {{ status: {ALL} }}, first: 10) {{ totalCount nodes {{ id }} }}
"""
PATHS = f"""
query($ids: [ID!]!) {{
  nodes(ids: $ids) {{ id }}
  posts(first: 100, filter: {{ status: {ALL} }}) {{ totalCount nodes {{ id }} edges {{ cursor }} }}
  public: posts {{ nodes {{ id }} }}
  hidden: posts(filter: {{ status: [DRAFT, SCHEDULED, ARCHIVED] }}) {{ totalCount nodes {{ id }} }}
  users(first: 10) {{ nodes {{ username {OF_PARENT} }} }}
  tags(first: 5) {{ nodes {{ name {OF_PARENT} }} }}
}}
"""
SEARCHES = f"""
{{
  search(query: "common", types: POST, first: 20, filter: {{ status: {ALL} }}) {{
    totalCount
    nodes {{ ... on Post {{ id }} }}
  }}
  filtered: posts(filter: {{ search: "common", status: {ALL} }}) {{ totalCount }}
  postAggregates(groupBy: AUTHOR, filter: {{ status: {ALL} }}) {{ count buckets {{ count }} }}
}}
"""


@dataclass
class Row:
    """What the model knows of a post."""

    id: str
    slug: str
    author: str
    state: str = "DRAFT"
    deleted: bool = False
    tags: list[str] = field(default_factory=list)

    def is_seen_by(self, actor: str, *, deleted: bool = False) -> bool:
        if actor in EDITORS or actor == self.author:
            return deleted or not self.deleted
        return self.state == "PUBLISHED" and not self.deleted

    def may_be_changed_by(self, actor: str) -> bool:
        return actor in EDITORS or actor == self.author


@dataclass(frozen=True)
class Step:
    """One mutation that somebody tries."""

    actor: str
    action: str
    number: int
    tags: tuple[str, ...]


ACTIONS = ("publish", "publish", "schedule", "unpublish", "archive", "delete", "restore", "retag", "create")
TAG_LISTS = st.lists(st.sampled_from(TAGS), unique=True).map(tuple)
STEPS = st.builds(
    Step, st.sampled_from([*ROLES, *WRITERS]), st.sampled_from(ACTIONS), st.integers(0, MAX_POSTS - 1), TAG_LISTS
)
CREATIONS = st.builds(Step, st.sampled_from(WRITERS[:3]), st.just("create"), st.just(0), st.just(TAGS))
EDITS = st.builds(Step, st.just("editor"), st.sampled_from(ACTIONS[:6]), st.integers(0, 2), st.just(()))
# Begins with three posts in different states, so that there is something to see and something to hide.
HISTORIES = st.tuples(
    st.lists(CREATIONS, min_size=3, max_size=3),
    st.lists(EDITS, min_size=3, max_size=3),
    st.lists(STEPS, min_size=3, max_size=10),
).map(lambda parts: [step for part in parts for step in part])

CHANGES: dict[str, tuple[str, Callable[[Row, Step], dict[str, Any]], Callable[[Row, Step], None]]] = {
    "publish": ("publishPost", lambda *_: {}, lambda row, _: setattr(row, "state", "PUBLISHED")),
    "schedule": ("publishPost", lambda *_: {"at": LATER}, lambda row, _: setattr(row, "state", "SCHEDULED")),
    "unpublish": ("unpublishPost", lambda *_: {}, lambda row, _: setattr(row, "state", "DRAFT")),
    "archive": ("archivePost", lambda *_: {}, lambda row, _: setattr(row, "state", "ARCHIVED")),
    "delete": ("deletePost", lambda *_: {}, lambda row, _: setattr(row, "deleted", True)),
    "restore": ("restorePost", lambda *_: {}, lambda row, _: setattr(row, "deleted", False)),
    "retag": (
        "updatePost",
        lambda _, step: {"patch": {"tags": {"set": [{"name": name} for name in step.tags]}}},
        lambda row, step: setattr(row, "tags", [*step.tags]),
    ),
}  # fmt: skip


class History:
    """A blog and its model, changed together."""

    def __init__(self, clients: dict[str, Api]) -> None:
        self.clients = clients
        self.rows: list[Row] = []

    async def take(self, step: Step) -> None:
        if step.action == "create":
            await self.create(step)
        elif self.rows:
            await self.change(step, self.rows[step.number % len(self.rows)])

    async def create(self, step: Step) -> None:
        if len(self.rows) == MAX_POSTS:
            return
        given = {"title": "Common", "markdown": "common words", "tags": [{"name": name} for name in step.tags]}
        payload = await self.clients[step.actor].payload("createPost", given, "post { id slug }")
        assert codes(payload) == refusal(step.actor)
        if payload["post"]:
            self.rows.append(Row(payload["post"]["id"], payload["post"]["slug"], step.actor, tags=[*step.tags]))

    async def change(self, step: Step, row: Row) -> None:
        mutation, make_input, apply = CHANGES[step.action]
        client = self.clients[step.actor]
        query = "query($id: ID!) { post(by: { id: $id }) { viewerCanUpdate viewerCanDelete } }"
        shown = (await client.data(query, {"id": row.id}))["post"]
        payload = await client.payload(mutation, {"id": row.id, **make_input(row, step)})
        found = codes(payload)
        assert found == self.expected(step, row)
        if step.action != "restore":
            can = {"viewerCanUpdate": True, "viewerCanDelete": True}
            assert (shown == can) is (found == [])
            assert (shown is not None) is row.is_seen_by(step.actor)
        if not found:
            apply(row, step)

    def expected(self, step: Step, row: Row) -> list[str]:
        if refused := refusal(step.actor):
            return refused
        if not row.is_seen_by(step.actor, deleted=step.action == "restore"):
            return ["NOT_FOUND"]
        if not row.may_be_changed_by(step.actor):
            return ["FORBIDDEN"]
        return ["INVALID"] if step.action == "restore" and not row.deleted else []

    async def check(self, actor: str) -> None:
        """Compare what an actor sees on each path with the rule."""
        seen = [row for row in self.rows if row.is_seen_by(actor)]
        ids = {row.id for row in seen}
        client = self.clients[actor]
        data = await client.data(PATHS, {"ids": [row.id for row in self.rows]}) | await client.data(SEARCHES)
        assert data["nodes"] == [{"id": row.id} if row in seen else None for row in self.rows]
        assert ids_of(data["posts"]) == ids_of(data["search"]) == ids
        assert len(data["posts"]["edges"]) == data["posts"]["totalCount"] == data["search"]["totalCount"] == len(ids)
        assert data["filtered"]["totalCount"] == data["postAggregates"]["count"] == len(ids)
        assert sum(bucket["count"] for bucket in data["postAggregates"]["buckets"]) == len(ids)
        assert ids_of(data["public"]) == {row.id for row in seen if row.state == "PUBLISHED"}
        assert ids_of(data["hidden"]) == {row.id for row in seen if row.state != "PUBLISHED"}
        for user in data["users"]["nodes"]:
            self.check_list(user, {row.id for row in seen if row.author == user["username"]})
        for tag in data["tags"]["nodes"]:
            self.check_list(tag, {row.id for row in seen if tag["name"] in row.tags})

    def check_list(self, parent: Any, ids: set[str]) -> None:
        assert ids_of(parent["posts"]) == ids
        assert parent["posts"]["totalCount"] == parent["postCount"] == len(ids)

    async def check_slugs(self, actor: str) -> None:
        """A slug that is taken reveals its post only to those who may see it; `post(by:)` knows no more."""
        client = self.clients[actor]
        for row in self.rows:
            given = {"title": "x", "markdown": "", "slug": row.slug}
            [error] = (await client.payload("createPost", given))["errors"]
            seen = {"id": row.id} if row.is_seen_by(actor) else None
            assert (error["code"], error["existing"]) == ("NOT_UNIQUE", seen)
            by_slug = "query($slug: String!) { post(by: { slug: $slug }) { id } }"
            assert (await client.data(by_slug, {"slug": row.slug}))["post"] == seen


def refusal(actor: str) -> list[str]:
    return {"nobody": ["UNAUTHENTICATED"], "reader": ["FORBIDDEN"]}.get(actor, [])


def codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["errors"]]


def ids_of(connection: Any) -> set[str]:
    ids = [node["id"] for node in connection["nodes"]]
    assert len(set(ids)) == len(ids)
    return set(ids)


@pytest.fixture
async def clients(api: Api) -> dict[str, Api]:
    return await sign_in_all(api)


async def sign_in_all(api: Api) -> dict[str, Api]:
    """Return a client of each actor, by names."""
    users: dict[str, User] = {name: make_user(username=name, role=role) for name, role in ROLES.items() if role}
    await save(api.database, users.values())
    return {"nobody": api, **{name: await sign_in_as(api, user) for name, user in users.items()}}


@examples(4)
@given(steps=HISTORIES)
async def test_nobody_sees_what_is_not_theirs_to_see(clients: dict[str, Api], steps: list[Step]) -> None:
    async with clients["nobody"].database.write() as session:
        for model in (Post, Tag):
            await session.execute(sa.delete(model))
    history = History(clients)
    for step in steps:
        await history.take(step)
    for actor in ROLES:
        await history.check(actor)
    await history.check_slugs("ada")
