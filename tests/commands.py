"""Commands of `gqlapi` in the process of the test, as typer's runner calls them: starting one takes a second of CPU."""

import asyncio
import contextlib
import logging
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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
    """Run a command on a database to its end; what it raises but to exit is raised."""
    done = run_command(*arguments, settings={"database_url": url, **settings}, standard_input=text)
    return Done(done.returncode, done.stdout, done.stderr)


async def run_beside(*arguments: str, url: str, **settings: str) -> Done:
    """Run a command beside the event loop of the test."""
    return await asyncio.to_thread(run, *arguments, url=url, **settings)


def run_command(
    *arguments: str, settings: Mapping[str, str], folder: Path | None = None, standard_input: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with these settings and none of the environment's; what it raises is raised here.

    It has a thread, because commands run their own event loops.
    """
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(_invoke, arguments, folder or Path.cwd(), standard_input, settings).result()


def _invoke(
    arguments: tuple[str, ...], folder: Path, standard_input: str | None, settings: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("GQLAPI_")}
    environment |= {"NO_COLOR": "1", "COLUMNS": "200"} | environment_of(settings)
    with contextlib.chdir(folder), keeping_logs():
        result = CliRunner().invoke(cli, arguments, standard_input, environment, catch_exceptions=False)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that carry settings."""
    return {f"GQLAPI_{name.upper()}": value for name, value in settings.items()}


@contextlib.contextmanager
def keeping_logs() -> Iterator[None]:
    """Undo what a command does to the logs of its process."""
    configuration = structlog.get_config()
    loggers = [logging.getLogger(), *map(logging.getLogger, [*logging.root.manager.loggerDict])]
    kept = [(logger, logger.handlers[:], logger.level, logger.disabled) for logger in loggers]
    try:
        yield
    finally:
        structlog.configure(**configuration)
        for logger, handlers, level, disabled in kept:
            logger.handlers, logger.disabled = handlers, disabled
            logger.setLevel(level)
