"""Commands of the command line, run in this process."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import structlog
from typer.testing import CliRunner

from gqlapi.cli import cli


class Done(NamedTuple):
    """How a command ended, and what it wrote."""

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """The lines on standard output."""
        return self.output.splitlines()


def run(*arguments: str, url: str, text: str | None = None, **settings: str) -> Done:
    """Run a command to its end; what it raises but to exit is raised."""
    variables = {f"GQLAPI_{name.upper()}": value for name, value in {"database_url": url, **settings}.items()}
    with _own_logs():
        result = CliRunner().invoke(cli, arguments, input=text, env=variables | {"NO_COLOR": "1", "COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


@contextmanager
def _own_logs() -> Iterator[None]:
    """Give the logs back, which a command leads to its own standard error."""
    root = logging.getLogger()
    handlers, level, structured = root.handlers[:], root.level, structlog.get_config()
    try:
        yield
    finally:
        structlog.configure(**structured)
        root.handlers[:] = handlers
        root.setLevel(level)


async def run_beside(*arguments: str, url: str, **settings: str) -> Done:
    """Run a command, which has an event loop of its own, beside that of the test."""
    return await asyncio.to_thread(run, *arguments, url=url, **settings)
