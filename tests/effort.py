"""The effort of a request, in calls of Python functions: the same on every machine, unlike seconds."""

import sys
from types import FrameType
from typing import Any

from tests.api import Api, internals_in

WARM_UP = "{ serverInfo { version } }"


async def measure(api: Api, query: str, variables: dict[str, Any] | None = None) -> tuple[dict[str, Any], int]:
    """Return the result of an operation that runs no SQL, and the calls that it took.

    A comment makes a document that no cache knows.
    """
    await api.post(WARM_UP)
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    with api.statements() as statements:
        sys.setprofile(count)
        try:
            response = await api.post(f"{query} # measured", variables)
        finally:
            sys.setprofile(None)
    assert (statements, internals_in(response)) == ([], [])
    result: dict[str, Any] = response.json()
    return result, calls
