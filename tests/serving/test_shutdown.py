"""A server that is asked to stop says so, then refuses connections, finishes what runs, and ends in time."""

import json
import os
import re
import signal
import socket
import sqlite3
import time
from contextlib import closing

import httpx
import pytest

from tests.processes import GQLAPI, Folder, Server
from tests.serving.clients import HEAD, Answer, Client, request, start_application

SECRET = "a secret of more than thirty-two characters"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\na"
SIGN_UP = """mutation {
  signUp(input: { username: "ada", email: "ada@example.com", password: "correct horse battery" }) { errors { code } }
}"""
API_HEAD = b"POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
IDLE_SOCKETS = 1_100
OPEN_FILES = 1_024


def wait_until_refused(server: Server) -> None:
    """Return when nothing listens any more."""
    started = time.monotonic()
    while time.monotonic() - started < 10:
        try:
            Client(server).socket.close()
        except ConnectionRefusedError:
            return
        except ConnectionError:
            pass
        time.sleep(0.01)
    pytest.fail("the server still accepts connections")


def has_answer(client: Client) -> bool:
    """Return whether something has arrived already."""
    client.socket.settimeout(0)
    try:
        return bool(client.socket.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        client.socket.settimeout(20)


@pytest.mark.parametrize("workers", ["1", "2"])
class TestSigterm:
    def test_refuses_connections_and_finishes_requests(self, folder: Folder, workers: str) -> None:
        server = start_application(folder, "--workers", workers)
        server.wait_until_ready()
        with Client(server, HEAD % b"late/2.5" + b"\r\n") as running, Client(server) as silent:
            with Client(server, HEAD % b"readyz") as half:
                request(server)
                server.process.send_signal(signal.SIGTERM)
                wait_until_refused(server)
                assert not has_answer(running)
                assert [silent.receive_all(), half.receive_all()] == [b"", b""]
            assert Answer(running.receive_all()).body == b"late"
        assert server.process.wait(10) == 0

    def test_does_not_wait_for_clients_that_send_or_read_nothing(self, folder: Folder, workers: str) -> None:
        server = start_application(folder, "--workers", workers, receive_timeout_seconds=1.0, send_timeout_seconds=1.0)
        server.wait_until_ready()
        with Client(server, POST) as half, Client(server, HEAD % b"bytes/20000000" + b"\r\n"):
            status, seconds = server.stop()
            assert Answer(half.receive_all()).status == 408
        assert (status, seconds < 15) == (0, True)

    def test_does_not_wait_for_an_application_that_is_stuck(self, folder: Folder, workers: str) -> None:
        server = start_application(folder, "--factory", "create_stuck_app", "--workers", workers)
        server.wait_until_ready()
        assert server.stop()[0] == 0
        assert "shutdown took too long" in server.log.read_text()

    def test_lets_a_mutation_of_the_api_commit(self, folder: Folder, workers: str) -> None:
        assert folder.run("migrate").returncode == 0
        server = folder.start("serve", "--workers", workers, secret_key=SECRET)
        server.wait_until_ready()
        body = json.dumps({"query": SIGN_UP}).encode()
        with closing(sqlite3.connect(folder.path / "gqlapi.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with Client(server, API_HEAD % len(body) + body) as running:
                httpx.get(f"{server.url}/healthz")
                server.process.send_signal(signal.SIGTERM)
                wait_until_refused(server)
                assert not has_answer(running)
                other.execute("ROLLBACK")
                answer = Answer(running.receive_all())
            assert answer.json == {"data": {"signUp": {"errors": []}}}
            assert server.process.wait(20) == 0
            assert other.execute("SELECT count(*) FROM users").fetchone() == (1,)


@pytest.mark.parametrize("workers", ["1", "2"])
class TestGrace:
    def test_announces_the_end_while_connections_are_accepted(self, folder: Folder, workers: str) -> None:
        server = start_application(folder, "--workers", workers, "--grace", "60")
        server.wait_until_ready()
        with Client(server, HEAD % b"late/0.5" + b"\r\n") as running:
            request(server)
            server.process.send_signal(signal.SIGTERM)
            wait_until_stopping(server)
            assert {request(server).status for _ in range(20)} == {503}
            assert server.process.poll() is None
            assert request(server, "bytes/1").body == b"x"
            end_grace(server)
            wait_until_refused(server)
            assert Answer(running.receive_all()).body == b"late"
        assert server.process.wait(10) == 0

    def test_ends_by_itself(self, folder: Folder, workers: str) -> None:
        server = start_application(folder, "--workers", workers, "--grace", "0.5")
        server.wait_until_ready()
        status, seconds = server.stop()
        assert (status, 0.5 <= seconds < 10) == (0, True)


def wait_until_stopping(server: Server) -> None:
    """Return when no worker is ready: several connections in a row meet different ones."""
    started = time.monotonic()
    while any(request(server).status != 503 for _ in range(10)):
        assert time.monotonic() - started < 5


def end_grace(server: Server) -> None:
    """Send a second SIGTERM to the processes that serve."""
    log = server.log.read_text()
    started, finished = (set(re.findall(rf"{word} server process \[(\d+)\]", log)) for word in ("Started", "Finished"))
    for pid in started - finished:
        os.kill(int(pid), signal.SIGTERM)


class TestWorkers:
    def test_that_are_replaced_leave_the_server_ready(self, folder: Folder) -> None:
        server = start_application(folder, "--workers", "2", "--grace", "60")
        server.wait_until_ready()
        server.wait_until_logged("Started server process", times=2)
        server.process.send_signal(signal.SIGHUP)
        server.wait_until_logged("Finished server process", times=2)
        assert {request(server).status for _ in range(10)} == {200}
        server.process.send_signal(signal.SIGTERM)
        wait_until_stopping(server)
        end_grace(server)
        assert server.process.wait(10) == 0

    def test_that_die_again_and_again_end_the_server_with_a_failure(self, folder: Folder) -> None:
        server = start_application(folder, "--factory", "create_dying_app", "--workers", "2")
        assert server.process.wait(30) == 3
        assert "workers die before they are ready" in server.log.read_text()

    def test_are_replaced_with_a_warning_when_they_die(self, folder: Folder) -> None:
        assert folder.run("migrate").returncode == 0
        server = folder.start("serve", "--workers", "2", secret_key=SECRET)
        server.wait_until_ready()
        log = server.wait_until_logged("Started server process", times=2)
        pids = re.findall(r"Started server process \[(\d+)\]", log)
        os.kill(int(pids[0]), signal.SIGKILL)
        events = [json.loads(line) for line in server.wait_until_logged("worker died", times=1).splitlines()]
        [event] = [event for event in events if event["event"] == "worker died"]
        assert (event["level"], event["pid"], event["exit_code"]) == ("warning", int(pids[0]), -signal.SIGKILL)
        server.wait_until_logged("Started server process", times=3)
        assert server.stop()[0] == 0

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_that_cannot_start_end_the_server_with_a_failure(self, folder: Folder, workers: str) -> None:
        server = start_application(folder, "--factory", "create_broken_app", "--workers", workers)
        assert server.process.wait(20) != 0
        assert "broken on purpose" in server.log.read_text()


class TestOpenFiles:
    def test_may_be_fewer_than_connections(self, folder: Folder) -> None:
        resource = pytest.importorskip("resource")
        files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most < 2 * IDLE_SOCKETS:
            pytest.skip("the test may not open so many files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(files, 2 * IDLE_SOCKETS), most))
        server = self.start(folder)
        clients = [Client(server) for _ in range(IDLE_SOCKETS)]
        try:
            for _ in range(20):
                assert server.execute("{ serverInfo { version } }")
        finally:
            for client in clients:
                client.socket.close()
        log = [json.loads(line) for line in server.log.read_text().splitlines()]
        assert [event["level"] for event in log if event["event"] == "connection limit reached"] == ["warning"]
        assert server.stop()[0] == 0

    def start(self, folder: Folder) -> Server:
        assert folder.run("migrate").returncode == 0
        settings = {"secret_key": SECRET, "workers": "1"}
        server = folder.start_program(GQLAPI, "serve", open_files=OPEN_FILES, settings=settings)
        server.wait_until_ready()
        return server
