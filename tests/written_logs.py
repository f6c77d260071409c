"""The log as it is written, by a server that logs to it."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gqlapi.logs import configure_logs
from tests.api import Api, serve, settings_for

SECRET = "a secret of more than thirty-two characters"
PRODUCTION = {"environment": "production", "secret_key": SECRET}


class Logs:
    """What was written to the log."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def read(self) -> str:
        """Return what was written since the last call."""
        return self._capsys.readouterr().err

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of a name that were written since the last call, in production."""
        events = [json.loads(line) for line in self.read().splitlines()]
        return [event for event in events if event["event"] == name]


@asynccontextmanager
async def logging_server(url: str, **values: Any) -> AsyncIterator[Api]:
    settings = settings_for(url, **{"log_level": "info", **values})
    configure_logs(settings)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the client of the tests, in the same process
    async with serve(settings) as api:
        yield api
