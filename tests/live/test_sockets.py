"""GraphQL over WebSocket, by the protocol `graphql-transport-ws`."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from websockets import Origin, Subprotocol
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gqlapi.accounts.tokens import Claims, InvalidToken
from gqlapi.database.types import utc_now
from gqlapi.http import socket as sockets
from gqlapi.http import subscriptions as shared
from gqlapi.http.socket import PROTOCOL
from gqlapi.http.subscriptions import Subscriptions
from gqlapi.models import User
from tests.api import Api
from tests.live.sockets import CHANGED, connected, create, end_session, opened, until
from tests.signing_in import accounts_of, sign_in_as

TYPENAME = "{ __typename }"


class TestSubscription:
    async def test_tells_what_the_viewer_may_see(self, api: Api, client: Api) -> None:
        async with connected(client) as mine, connected(api) as theirs:
            for socket in (mine, theirs):
                await socket.subscribe("1", CHANGED)
            await until(lambda: api.app.state.subscriptions.count == 2)
            post = await create(client, "Draft")
            event = (await mine.next("1"))["postChanged"]
            assert (event["kind"], event["id"], event["post"]) == (
                "CREATED",
                post["id"],
                {"title": "Draft", "version": 1},
            )
            await client.payload("publishPost", {"id": post["id"], "expectedVersion": 1})
            assert (await mine.next("1"))["postChanged"]["kind"] == "PUBLISHED"
            event = (await theirs.next("1"))["postChanged"]
            assert (event["kind"], event["post"]) == ("PUBLISHED", {"title": "Draft", "version": 2})
            await client.payload("deletePost", {"id": post["id"], "expectedVersion": 2})
            for socket in (mine, theirs):
                event = (await socket.next("1"))["postChanged"]
                assert (event["kind"], event["post"]) == ("DELETED", None)

    async def test_resumes_after_a_position(self, client: Api) -> None:
        async with connected(client) as socket:
            await socket.subscribe("1", CHANGED)
            await until(lambda: client.app.state.subscriptions.count == 1)
            await create(client, "First")
            position = (await socket.next("1"))["postChanged"]["position"]
        for title in ("Second", "Third"):
            await create(client, title)
        async with connected(client) as socket:
            await socket.subscribe("2", CHANGED, since=position)
            titles = [(await socket.next("2"))["postChanged"]["post"]["title"] for _ in range(2)]
        assert titles == ["Second", "Third"]

    @pytest.mark.parametrize(
        ("since", "code"), [("7", "POSITION_EXPIRED"), ("x", "BAD_USER_INPUT"), ("", "BAD_USER_INPUT")]
    )
    async def test_is_refused_after_a_position_that_the_feed_does_not_have(
        self, api: Api, since: str, code: str
    ) -> None:
        async with connected(api) as socket:
            await socket.subscribe("1", CHANGED, since=since)
            message = await socket.receive()
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)

    async def test_shows_the_post_as_it_is_and_not_as_another_subscriber_saw_it(
        self, api: Api, client: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shared, "SHARED_SECONDS", 0)
        post = await create(client, "First", publish=True)
        titles = []
        for title in ("Second", "Third"):
            given = {"id": post["id"], "expectedVersion": post["version"], "patch": {"title": title}}
            post = (await client.payload("updatePost", given, "post { id version }"))["post"]
            async with connected(api) as socket:
                await socket.subscribe("1", CHANGED, since="0")
                titles.append((await socket.next("1"))["postChanged"]["post"]["title"])
        assert titles == ["Second", "Third"]

    async def test_shows_no_post_that_was_archived_since_another_subscriber_saw_it(self, api: Api, client: Api) -> None:
        """Although answers are shared for a moment: the first event of both is the loss of the post."""
        post = await create(client, "Post", publish=True)
        seen = []
        for mutations in (["archivePost", "publishPost"], ["archivePost"]):
            for mutation in mutations:
                given = {"id": post["id"], "expectedVersion": post["version"]}
                post = (await client.payload(mutation, given, "post { id version }"))["post"]
            async with connected(api) as socket:
                await socket.subscribe("1", CHANGED, since="1")
                event = (await socket.next("1"))["postChanged"]
                seen.append((event["kind"], event["position"], event["post"] is None))
        assert seen == [("ARCHIVED", "2", False), ("ARCHIVED", "2", True)]

    async def test_of_one_author_or_tag_tells_of_no_other_post(self, client: Api) -> None:
        queries = {
            "author": 'subscription { postChanged(author: {username: "ADA"}) { post { title } } }',
            "tag": 'subscription { postChanged(tag: {slug: "news"}) { post { title } } }',
            "nobody": 'subscription { postChanged(author: {username: "bob"}) { post { title } } }',
        }
        await create(client, "Before", tags=[{"name": "News"}])
        async with connected(client) as socket:
            for id_, query in queries.items():
                await socket.subscribe(id_, query)
            assert (await socket.receive())["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
            await until(lambda: client.app.state.subscriptions.count == 2)
            await create(client, "Untagged")
            await create(client, "Tagged", tags=[{"name": "News"}])
            event = [await socket.receive() for _ in range(3)]
        titles = sorted(
            (message["id"], message["payload"]["data"]["postChanged"]["post"]["title"]) for message in event
        )
        assert titles == [("author", "Tagged"), ("author", "Untagged"), ("tag", "Tagged")]

    async def test_ends_when_the_client_completes_it(self, client: Api, subscriptions: Subscriptions) -> None:
        async with connected(client) as socket:
            await socket.subscribe("1", CHANGED)
            await until(lambda: subscriptions.count == 1)
            await socket.send(type="complete", id="1")
            await until(lambda: subscriptions.count == 0)
            await socket.subscribe("1", TYPENAME)
            assert await socket.next("1") == {"__typename": "Query"}

    async def test_leaves_nothing_behind(self, client: Api, subscriptions: Subscriptions) -> None:
        before = asyncio.all_tasks()
        async with connected(client) as socket:
            await socket.subscribe("1", CHANGED)
            await until(lambda: subscriptions.count == 1)
        await until(lambda: subscriptions.count == 0 and client.app.state.feed.subscribers == 0)
        await until(lambda: asyncio.all_tasks() <= before)
        assert client.database.gate.free == 10

    async def test_costs_as_many_statements_for_one_subscriber_as_for_many(
        self, api: Api, client: Api, subscriptions: Subscriptions
    ) -> None:
        posts = {subscribers: await create(client, "Post") for subscribers in (1, 5)}
        counts = []
        async with connected(api) as socket:
            for subscribers, post in posts.items():
                for number in range(subscriptions.count, subscribers):
                    await socket.subscribe(str(number), CHANGED)
                await until(partial(lambda expected: subscriptions.count == expected, subscribers))
                with api.statements() as statements:
                    await client.payload("publishPost", {"id": post["id"], "expectedVersion": 1})
                    answers = [await socket.receive() for _ in range(subscribers)]
                assert {answer["payload"]["data"]["postChanged"]["kind"] for answer in answers} == {"PUBLISHED"}
                counts.append([sql for sql in statements if "feed_state" not in sql and "pg_notify" not in sql])
        assert counts[0] == counts[1]

    async def test_of_a_user_is_bounded(self, client: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client.app.state.subscriptions, "_per_user", 1)
        async with connected(client) as socket:
            await socket.subscribe("1", CHANGED)
            await until(lambda: client.app.state.subscriptions.count == 1)
            await socket.subscribe("2", CHANGED)
            message = await socket.receive()
            assert (message["id"], message["type"]) == ("2", "error")
            assert message["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


class TestOperation:
    async def test_is_answered_and_completed(self, client: Api) -> None:
        async with connected(client) as socket:
            await socket.subscribe("1", "{ viewer { username } }")
            assert await socket.next("1") == {"viewer": {"username": "ada"}}
            assert await socket.receive() == {"id": "1", "type": "complete"}

    async def test_may_be_a_mutation(self, client: Api) -> None:
        async with connected(client) as socket:
            given = {"title": "By socket", "markdown": "Text"}
            mutation = "mutation($input: CreatePostInput!) { createPost(input: $input) { post { title } } }"
            await socket.subscribe("1", mutation, input=given)
            assert await socket.next("1") == {"createPost": {"post": {"title": "By socket"}}}

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { a: postChanged { id } b: postChanged { id } }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { postChanged @skip(if: true) { id } }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ posts(first: 100) { nodes { author { posts(first: 100) { nodes { id } } } } } }", "LIMIT_EXCEEDED"),
        ],
    )
    async def test_is_refused_with_the_code_that_it_has_over_http(self, api: Api, query: str, code: str) -> None:
        async with connected(api) as socket:
            with api.statements() as statements:
                await socket.subscribe("1", query)
                message = await socket.receive()
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)
            assert statements == []

    async def test_that_fails_unexpectedly_is_answered(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(*_: Any) -> None:
            raise RuntimeError("secret")

        monkeypatch.setattr(api.app.state.subscriptions.runner, "execute", fail)
        async with connected(api) as socket:
            await socket.subscribe("1", TYPENAME)
            message = await socket.receive()
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "INTERNAL_SERVER_ERROR")
            assert "secret" not in str(message)

    async def test_that_is_one_too_many_is_refused(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sockets, "MAX_OPERATIONS", 1)
        async with connected(api) as socket:
            await socket.subscribe("1", CHANGED)
            await socket.subscribe("2", TYPENAME)
            message = await socket.receive()
            assert (message["id"], message["payload"][0]["extensions"]["code"]) == ("2", "LIMIT_EXCEEDED")


class TestRules:
    """Close codes of the protocol."""

    async def test_a_client_must_initialise_in_time(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sockets, "INIT_SECONDS", 0.05)
        async with opened(api) as socket:
            assert await socket.closed() == (4408, "Connection initialisation timeout")

    async def test_a_client_must_initialise_first(self, api: Api) -> None:
        async with opened(api) as socket:
            await socket.subscribe("1", TYPENAME)
            assert await socket.closed() == (4401, "Unauthorized")

    async def test_a_client_initialises_once(self, api: Api) -> None:
        async with connected(api) as socket:
            await socket.send(type="connection_init")
            assert await socket.closed() == (4429, "Too many initialisation requests")

    @pytest.mark.parametrize(("id_", "reason"), [("1", "1 already exists"), ("\N{GRINNING FACE}" * 64, "")])
    async def test_ids_are_unique(self, api: Api, id_: str, reason: str) -> None:
        """A reason has 123 bytes at most."""
        async with connected(api) as socket:
            await socket.subscribe(id_, CHANGED)
            await socket.subscribe(id_, CHANGED)
            code, given = await socket.closed()
            assert (code, given.startswith(f"Subscriber for {id_[:1]}"), given.endswith(reason)) == (4409, True, True)

    @pytest.mark.parametrize(
        "text",
        [
            *("", "{", "[]", "1", '{"id":"1"}', '{"type":1}', '{"type":"start"}', '{"type":"subscribe"}'),
            *('{"type":"subscribe","id":""}', '{"type":"subscribe","id":1}'),
            '{"type":"subscribe","id":"%s"}' % ("x" * 129),
        ],
    )
    async def test_what_is_no_message_closes_the_socket(self, api: Api, text: str) -> None:
        async with connected(api) as socket:
            await socket.connection.send(text)
            assert (await socket.closed())[0] == 4400

    async def test_bytes_are_no_message(self, api: Api) -> None:
        async with connected(api) as socket:
            await socket.connection.send(b'{"type":"ping"}')
            assert (await socket.closed())[0] == 4400

    async def test_messages_are_counted(self, api: Api) -> None:
        async with connected(api) as socket:
            for _ in range(2 * sockets.MAX_MESSAGES_PER_SECOND + 1):
                await socket.send(type="pong")
            assert await socket.closed() == (4429, "Too many messages")

    async def test_payloads_are_requests(self, api: Api) -> None:
        payloads: list[Any] = [None, [], {}, {"query": 1}, {"query": TYPENAME, "variables": []}]
        async with connected(api) as socket:
            for payload in payloads:
                await socket.send(type="subscribe", id="1", payload=payload)
                message = await socket.receive()
                assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "BAD_REQUEST")

    async def test_another_protocol_is_refused(self, api: Api) -> None:
        async with opened(api, subprotocols=None) as socket:
            assert (await socket.closed())[0] == 4406

    async def test_pages_of_other_origins_are_refused(self, api: Api) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with opened(
                api, additional_headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
            ):
                pass
        assert refused.value.response.status_code == 403

    async def test_other_hosts_are_refused(self, api: Api) -> None:
        """A page whose name was made to lead here has an Origin that is its Host."""
        port = api.http.base_url.port
        with pytest.raises(InvalidStatus) as refused:
            async with connect(
                f"ws://evil.example:{port}/graphql",
                host="127.0.0.1",
                port=port,
                proxy=None,
                origin=Origin(f"http://evil.example:{port}"),
                subprotocols=[Subprotocol(PROTOCOL)],
            ):
                pass
        assert refused.value.response.status_code == 403


class TestSession:
    async def test_comes_from_connection_init(self, api: Api, client: Api) -> None:
        token = client.headers["Authorization"]
        payloads: list[dict[str, Any]] = [
            {"Authorization": token},
            {"authorization": token},
            {"headers": {"Authorization": token}},
            {"headers": {"Client": "web"}, "Authorization": token},
        ]
        for payload in payloads:
            async with connected(api, payload) as socket:
                await socket.subscribe("1", "{ viewer { username } }")
                assert await socket.next("1") == {"viewer": {"username": "ada"}}

    @pytest.mark.parametrize("authorization", ["Bearer nonsense", "Basic abc", "", 5, ["Bearer nonsense"]])
    async def test_that_is_not_valid_closes_the_socket(self, api: Api, authorization: Any) -> None:
        async with opened(api) as socket:
            await socket.send(type="connection_init", payload={"Authorization": authorization})
            assert await socket.closed() == (4403, "Forbidden")

    async def test_that_has_ended_closes_the_socket_at_the_next_event(self, api: Api, client: Api, ada: User) -> None:
        async with connected(client) as socket:
            await socket.subscribe("1", CHANGED)
            await until(lambda: client.app.state.subscriptions.count == 1)
            await end_session(client)
            await create(await sign_in_as(api, ada), "Post")
            assert await socket.closed() == (4403, "Forbidden")

    @pytest.mark.parametrize("is_first", [True, False])
    async def test_is_not_ended_by_another_token_of_it_that_has_expired(
        self, api: Api, client: Api, ada: User, monkeypatch: pytest.MonkeyPatch, *, is_first: bool
    ) -> None:
        tokens = accounts_of(api).access_tokens
        token = client.headers["Authorization"].removeprefix("Bearer ")
        old, _ = tokens.issue(tokens.read(token), utc_now() - timedelta(seconds=1))
        async with connected(api.bearing(old)) as expired, connected(client) as valid:
            for number, socket in enumerate((expired, valid) if is_first else (valid, expired), 1):
                await socket.subscribe("1", CHANGED)
                await until(partial(lambda expected: client.app.state.subscriptions.count == expected, number))
            read = tokens.read

            def refuse_old(given: str) -> Claims:
                if given == old:
                    raise InvalidToken
                return read(given)

            monkeypatch.setattr(tokens, "read", refuse_old)
            await create(await sign_in_as(api, ada), "Post")
            assert await expired.closed() == (4403, "Forbidden")
            assert (await valid.next("1"))["postChanged"]["kind"] == "CREATED"

    async def test_that_has_ended_closes_a_silent_socket(self, client: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sockets, "SESSION_SECONDS", 0.05)
        async with connected(client) as socket:
            await end_session(client)
            assert await socket.closed() == (4403, "Forbidden")
