"""How many times a mutation waits for PostgreSQL, of which each costs as much as what is computed in between."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gqlapi.models import ApiScope, Post, PostState, UserRole
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_user, save
from tests.round_trips import RoundTrips, counted_round_trips
from tests.signing_in import sign_in_as, with_api_token

TOKEN = 1
# BEGIN, the viewer's rights, COMMIT.
TRANSACTION = 3
POST = "post { id title }"


class Counted:
    """A client of a server whose one connection to PostgreSQL is counted."""

    def __init__(self, client: Api, trips: RoundTrips, post: Post) -> None:
        self.client = client
        self.post = post
        self._trips = trips

    async def send(self, mutation: str, given: dict[str, Any], selection: str = POST) -> int:
        """Send a mutation that succeeds, and return its round trips."""
        before = self._trips.count
        payload = await self.client.payload(mutation, given, selection)
        assert payload["errors"] == []
        return self._trips.count - before

    async def change(self, mutation: str, selection: str = POST, **given: Any) -> int:
        """Change a post twice, and return the round trips of the second time: the first prepares the statements."""
        await self.send(mutation, {"id": self.post.global_id, **given}, selection)
        return await self.send(mutation, {"id": self.post.global_id, **given}, selection)


@pytest.fixture(params=["session", "token"])
async def counted(postgresql_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Counted]:
    author = make_user(role=UserRole.EDITOR)
    post = make_post(author, state=PostState.DRAFT)
    async with counted_round_trips(postgresql_url) as trips, serve(settings_for(trips.url, pool_size=1)) as api:
        await save(api.database, [author, post])
        is_session = request.param == "session"
        client = await (sign_in_as(api, author) if is_session else with_api_token(api, author, *ApiScope))
        counted = Counted(client, trips, post)
        await counted.send("createPost", {"title": "First", "markdown": "", "tags": [{"name": "A"}]})
        await counted.send("createPost", {"title": "Second", "markdown": ""})
        yield counted


class TestCreatePost:
    async def test_waits_for_the_token_and_for_one_statement(self, counted: Counted) -> None:
        assert await counted.send("createPost", {"title": "Third", "markdown": "*x*", "publish": True}) == TOKEN + 1

    async def test_takes_a_transaction_when_the_slug_of_its_title_is_taken(self, counted: Counted) -> None:
        given = {"title": "Second", "markdown": ""}
        await counted.send("createPost", given)
        # The statement that wrote nothing, twice; the slugs that are free; the statement that writes.
        assert await counted.send("createPost", given) == TOKEN + TRANSACTION + 4

    async def test_looks_its_tags_up(self, counted: Counted) -> None:
        given = {"title": "Third", "markdown": "", "tags": [{"name": "A"}]}
        assert await counted.send("createPost", given) == TOKEN + TRANSACTION + 2


class TestChanges:
    """Each reads the post with a lock, and writes it with its change, its words and its links in one statement."""

    async def test_of_a_text(self, counted: Counted) -> None:
        assert await counted.change("updatePost", patch={"markdown": "*y*"}) == TOKEN + TRANSACTION + 2

    async def test_of_a_title(self, counted: Counted) -> None:
        assert await counted.change("updatePost", patch={"title": "New"}) == TOKEN + TRANSACTION + 2

    async def test_of_a_slug_look_up_whose_it_is(self, counted: Counted) -> None:
        id_ = counted.post.global_id
        given = [{"id": id_, "patch": {"slug": slug}} for slug in ("one", "two", "three")]
        counts = [await counted.send("updatePost", one) for one in given]
        assert counts[-1] == TOKEN + TRANSACTION + 3

    async def test_of_a_title_that_makes_a_slug_look_for_a_free_one(self, counted: Counted) -> None:
        created = await counted.client.payload("createPost", {"title": "Untitled", "markdown": ""}, "post { id }")
        given = [{"id": created["post"]["id"], "patch": {"title": title}} for title in ("One", "Two", "Three")]
        counts = [await counted.send("updatePost", one) for one in given]
        assert counts[-1] == TOKEN + TRANSACTION + 3

    async def test_of_many_take_no_more(self, counted: Counted) -> None:
        posts = [{"id": counted.post.global_id}]
        counts = [await counted.send("publishPosts", {"posts": posts}, "changedCount") for _ in range(3)]
        assert counts[-1] == TOKEN + TRANSACTION + 2

    async def test_of_a_state(self, counted: Counted) -> None:
        for mutation in ("publishPost", "archivePost", "unpublishPost"):
            assert await counted.change(mutation) == TOKEN + TRANSACTION + 2

    async def test_that_delete_and_restore(self, counted: Counted) -> None:
        given = {"id": counted.post.global_id}
        await counted.send("deletePost", given, "deletedId")
        await counted.send("restorePost", given)
        assert await counted.send("deletePost", given, "deletedId") == TOKEN + TRANSACTION + 2
        assert await counted.send("restorePost", given) == TOKEN + TRANSACTION + 2

    async def test_that_show_what_was_not_written_read_it_in_one_snapshot(self, counted: Counted) -> None:
        count = await counted.change("publishPost", "post { author { displayName } tags { name } }")
        # BEGIN, the post with its author, its tags, ROLLBACK.
        assert count == TOKEN + TRANSACTION + 2 + 4


class TestIdempotencyKey:
    async def test_costs_the_claim_and_what_is_kept(self, counted: Counted) -> None:
        counts = [
            await counted.send("createPost", {"title": f"Key {key}", "markdown": "", "idempotencyKey": key})
            for key in ("k1", "k2")
        ]
        assert counts[1] == TOKEN + TRANSACTION + 1 + 2


class TestUpsertTag:
    async def test_reads_a_tag_and_writes_it_with_its_words(self, counted: Counted) -> None:
        given = {"slug": "a", "name": "A", "description": "x"}
        counts = [await counted.send("upsertTag", given, "tag { id name }") for _ in range(2)]
        assert counts[1] == TOKEN + TRANSACTION + 3
