"""Subscriptions of `gqlapi serve`: of several workers, and at its end."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gqlapi.http.socket import PROTOCOL
from gqlapi.serving.websocket import MAX_FRAMES_PER_SECOND
from tests.live.sockets import CHANGED
from tests.processes import Folder, Server

SECRET = "a secret of more than thirty-two characters"
WORKERS = 2


def start(folder: Folder) -> tuple[Server, str]:
    """Start a server of two workers, and return it with an API token."""
    folder.run("migrate")
    admin = "--username=ada", "--email=ada@example.com", "--password-stdin"
    assert folder.run("user", "create-admin", *admin, standard_input="correct horse battery\n").returncode == 0
    token = folder.run("token", "create", "ada", "--name=test", "--scope=write_posts").stdout.split()[-1]
    server = folder.start("serve", "--workers", str(WORKERS), secret_key=SECRET)
    server.wait_until_ready()
    return server, token


@contextmanager
def subscribed(server: Server) -> Iterator[ClientConnection]:
    url = server.url.replace("http", "ws", 1) + "/graphql"
    with connect(url, subprotocols=[PROTOCOL], compression=None, proxy=None) as connection:  # type: ignore[list-item]  # a plain string is one
        connection.send('{"type":"connection_init"}')
        connection.recv(10)
        connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": CHANGED}}))
        yield connection


def publish(server: Server, token: str, title: str) -> None:
    given = {"title": title, "markdown": "Text", "publish": True}
    query = "mutation($input: CreatePostInput!) { createPost(input: $input) { errors { message } } }"
    body = {"query": query, "variables": {"input": given}}
    response = httpx.post(f"{server.url}/graphql", json=body, headers={"Authorization": f"Bearer {token}"})
    assert response.json()["data"]["createPost"]["errors"] == []


def title_of(message: str | bytes) -> Any:
    return json.loads(message)["payload"]["data"]["postChanged"]["post"]["title"]


def code_of(socket: ClientConnection) -> int | None:
    """Return the code with which the server closes a socket."""
    with suppress(ConnectionClosed):
        pytest.fail(f"not closed: {socket.recv(10)!r}")
    return socket.protocol.close_code


class TestWorkers:
    def test_subscribers_of_both_hear_of_all_changes_and_leave_with_them(self, folder: Folder) -> None:
        """A socket is of one worker, and a mutation of either; at the end all are closed with 1001."""
        server, token = start(folder)
        with subscribed(server) as first, subscribed(server) as second, subscribed(server) as third:
            time.sleep(0.5)  # a subscription is not acknowledged
            for title in ("One", "Two", "Three"):
                publish(server, token, title)
            sockets = (first, second, third)
            assert [[title_of(socket.recv(10)) for _ in range(3)] for socket in sockets] == [
                ["One", "Two", "Three"]
            ] * 3
            stream = httpx.stream(
                "POST", f"{server.url}/graphql", json={"query": CHANGED}, headers={"Accept": "text/event-stream"}
            )
            with stream as response:
                server.process.send_signal(signal.SIGTERM)
                assert response.read().endswith(b"retry: 1000\n\n")
            assert [code_of(socket) for socket in sockets] == [1001] * 3
        assert server.process.wait(10) == 0


class TestLimits:
    def test_leaves_connections_to_requests(self, folder: Folder) -> None:
        folder.run("migrate")
        server = folder.start("serve", "--workers", "1", secret_key=SECRET, max_connections="16")
        server.wait_until_ready()
        with ExitStack() as stack:
            for _ in range(12):
                stack.enter_context(subscribed(server))
            with pytest.raises(InvalidStatus) as refused:
                stack.enter_context(subscribed(server))
            assert refused.value.response.status_code == 503
            assert server.execute("{ __typename }") == {"__typename": "Query"}

    def test_count_frames_that_are_no_messages(self, folder: Folder) -> None:
        folder.run("migrate")
        server = folder.start("serve", "--workers", "1", secret_key=SECRET)
        server.wait_until_ready()
        with subscribed(server) as socket:
            with suppress(ConnectionClosed):
                for _ in range(2 * MAX_FRAMES_PER_SECOND + 1):
                    socket.ping()
            assert code_of(socket) == 1008
