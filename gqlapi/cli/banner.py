"""The addresses that `gqlapi dev` prints when its server listens."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gqlapi import __version__
from gqlapi.accounts.demo import DEMO_PASSWORD
from gqlapi.cli.base import console
from gqlapi.database.url import mask_url
from gqlapi.http import GRAPHQL_PATH
from gqlapi.settings import Settings

POLL_SECONDS = 0.1


@contextmanager
def banner_when_listening(settings: Settings, demo_logins: list[str]) -> Iterator[None]:
    """Print the banner as soon as a server that the block starts accepts connections, in this process or another."""
    ended = threading.Event()
    thread = threading.Thread(target=_wait, args=[settings, demo_logins, ended], name="banner", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _wait(settings: Settings, demo_logins: list[str], ended: threading.Event) -> None:
    while not ended.wait(POLL_SECONDS):
        if _listens(settings.host, settings.port):
            _print_banner(settings, demo_logins)
            return


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=POLL_SECONDS).close()
    except OSError:
        return False
    return True


def _print_banner(settings: Settings, demo_logins: list[str]) -> None:
    base = f"http://{settings.host}:{settings.port}"
    for name, value in (
        ("gqlapi", __version__),
        ("GraphiQL", base + GRAPHQL_PATH),
        ("GraphQL", base + GRAPHQL_PATH),
        ("health", base + "/readyz"),
        ("database", mask_url(settings.database_url)),
        *([("demo", f"sign in as {', '.join(demo_logins)} with password {DEMO_PASSWORD}")] if demo_logins else []),
    ):
        console.print(f"  [bold]{name:<9}[/] {value}", highlight=False, soft_wrap=True)
