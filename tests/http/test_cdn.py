"""A CDN in front of the server: it keeps what the public gets, until it is purged by a tag or the time has come."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio

from gqlapi.database.types import utc_now
from gqlapi.documents.ids import sha256_id
from gqlapi.models import Post, User, UserRole
from gqlapi.models.global_id import encode_global_id
from tests.api import Api, serve, settings_for
from tests.factories import make_draft, make_post, make_scheduled_post, make_tag, make_user, save
from tests.nginx import NGINX, Cdn, cdn_before
from tests.signing_in import sign_in_as

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: no CDN to test with")

PAGE = "query($slug: String!) { post(by: { slug: $slug }) { title status author { displayName } } }"
LIST = "{ posts { nodes { title } } }"
OWN = "{ posts(filter: { status: [DRAFT, PUBLISHED] }) { nodes { title } } }"


class World(NamedTuple):
    """A server, the CDN in front of it, a client that writes, and what is there."""

    api: Api
    cdn: Cdn
    editor: Api
    author: User
    one: Post
    two: Post

    async def get(self, text: str, api: Api | None = None, **variables: str) -> httpx.Response:
        """Ask the CDN."""
        params = {"variables": httpx.Response(200, json=variables).text}
        url, headers = f"/graphql/documents/{sha256_id(text)}", {} if api is None else api.headers
        return await self.cdn.http.get(url, params=params, headers=headers)

    async def rename(self, post: Post, title: str) -> None:
        patch = {"id": post.global_id, "patch": {"title": title}}
        assert (await self.editor.payload("updatePost", patch))["errors"] == []


@pytest_asyncio.fixture
async def world(sqlite_url: str, tmp_path: Path) -> AsyncIterator[World]:
    settings = settings_for(sqlite_url, report_costs=False, cache_max_age_seconds=3_600)
    async with serve(settings) as api, cdn_before(str(api.http.base_url), tmp_path) as cdn:
        author, editor, tag = make_user(), make_user(role=UserRole.EDITOR), make_tag()
        one, two = make_post(author, tag, title="One"), make_post(author, tag, title="Two")
        await save(api.database, [author, editor, tag, one, two, make_draft(author, title="Secret")])
        for text in (PAGE, LIST, OWN):
            extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256_id(text).removeprefix("sha256:")}}
            await api.execute(text, {"slug": "x"}, extensions=extensions)
        yield World(api, cdn, await sign_in_as(api, editor), author, one, two)


def outcome(response: httpx.Response) -> tuple[str, int]:
    return response.headers["x-cache"], response.status_code


class TestCdn:
    async def test_keeps_an_answer_until_it_is_purged_by_a_tag(self, world: World) -> None:
        for slug in (world.one.slug, world.two.slug):
            assert outcome(await world.get(PAGE, slug=slug)) == ("MISS", 200)
        with world.api.statements() as statements:
            before = await world.get(PAGE, slug=world.one.slug)
        assert (outcome(before), statements) == (("HIT", 200), [])
        await world.rename(world.one, "Uno")
        assert (await world.get(PAGE, slug=world.one.slug)).json()["data"]["post"]["title"] == "One"
        assert world.cdn.purge(world.one.global_id, "Post") == 1
        after = await world.get(PAGE, slug=world.one.slug)
        assert (outcome(after), after.json()["data"]["post"]["title"]) == (("MISS", 200), "Uno")
        assert after.headers["etag"] != before.headers["etag"]
        assert after.headers["date"]
        assert outcome(await world.get(PAGE, slug=world.one.slug)) == ("HIT", 200)
        assert outcome(await world.get(PAGE, slug=world.two.slug)) == ("HIT", 200)

    async def test_is_purged_of_all_that_shows_an_author(self, world: World) -> None:
        for slug in (world.one.slug, world.two.slug):
            await world.get(PAGE, slug=slug)
        await world.get(LIST)
        assert world.cdn.purge(encode_global_id("User", world.one.author_id)) == 2
        assert outcome(await world.get(LIST)) == ("HIT", 200)

    async def test_keeps_no_answer_of_a_viewer(self, world: World) -> None:
        for _ in range(2):
            answer = await world.get(OWN, world.editor)
            assert outcome(answer) == ("MISS", 200)
            assert "Secret" in answer.text
        assert world.cdn.kept == []
        public = await world.get(LIST)
        assert "Secret" not in public.text
        assert outcome(await world.get(LIST)) == ("HIT", 200)
        assert outcome(await world.get(LIST, world.editor)) == ("MISS", 200)
        assert len(world.cdn.kept) == 1
        assert not any(b"Secret" in kept for kept in world.cdn.kept)

    async def test_keeps_no_error(self, world: World) -> None:
        for _ in range(2):
            assert outcome(await world.get(PAGE)) == ("MISS", 422)
            assert outcome(await world.get("{ unknown }")) == ("MISS", 422)
        assert world.cdn.kept == []

    async def test_answers_a_client_that_has_the_answer(self, world: World) -> None:
        first = await world.get(LIST)
        url, headers = str(first.url), {"If-None-Match": first.headers["etag"]}
        with world.api.statements() as statements:
            again = await world.cdn.http.get(url, headers=headers)
        assert (outcome(again), again.content, statements) == (("HIT", 304), b"", [])

    async def test_shows_a_scheduled_post_when_its_time_has_come(self, world: World) -> None:
        public_at = utc_now() + timedelta(seconds=3.5)
        await save(world.api.database, [make_scheduled_post(world.author, title="Soon", published_at=public_at)])
        outcomes = set()
        while utc_now() < public_at:
            asked_at, answer = utc_now(), await world.get(LIST)
            outcomes.add(answer.headers["x-cache"])
            assert "Soon" not in answer.text or asked_at >= public_at or utc_now() >= public_at
            await asyncio.sleep(0.1)
        assert "HIT" in outcomes
        assert "Soon" in (await world.get(LIST)).text
