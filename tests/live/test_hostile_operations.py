"""Over WebSocket and as server-sent events, hostile operations are refused with the codes that they get over POST."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from benchmarks.attacks.attack import BAD_CURSOR, BAD_INPUT, INVALID, TOO_LARGE, UNPARSED, Attack
from benchmarks.attacks.corpus import ATTACKS
from gqlapi.serving.limits import MAX_MESSAGE_BYTES
from tests.api import Api, serve, settings_for
from tests.live.sockets import connected
from tests.live.streams import EVENTS

REFUSALS = UNPARSED | INVALID | TOO_LARGE | BAD_INPUT | BAD_CURSOR
OF_EACH_KIND = 4


def payload_of(attack: Attack) -> dict[str, Any] | None:
    """Return the request of an attack that is refused before it runs, if it is one that a socket takes."""
    request = attack.make(0)
    if request.method != "POST" or not attack.answers <= REFUSALS or len(request.body) > MAX_MESSAGE_BYTES // 2:
        return None
    try:
        payload = json.loads(request.body)
        json.dumps(payload, ensure_ascii=False).encode()  # a client's own library sends no lone surrogates
    except ValueError:
        return None
    return payload if isinstance(payload, dict) and isinstance(payload.get("query"), str) else None


def sample() -> list[Any]:
    """Return some attacks of each kind."""
    counts: Counter[str] = Counter()
    chosen = []
    for attack in ATTACKS:
        payload = payload_of(attack)
        if payload is not None and counts[attack.kind] < OF_EACH_KIND:
            counts[attack.kind] += 1
            chosen.append(pytest.param(payload, id=attack.id))
    return chosen


SAMPLE = sample()


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Api]:
    """A server over SQLite: no database is asked."""
    async with serve(settings_for(sqlite_url)) as api:
        yield api


def codes_of(errors: list[dict[str, Any]]) -> list[str]:
    return [error["extensions"]["code"] for error in errors]


def test_there_are_some_of_several_kinds() -> None:
    assert len(SAMPLE) >= 12


@pytest.mark.parametrize("payload", SAMPLE)
async def test_is_refused_alike_and_runs_no_statement(api: Api, payload: dict[str, Any]) -> None:
    wanted = codes_of((await api.http.post("/graphql", json=payload)).json()["errors"])
    with api.statements() as statements:
        events = await api.http.post("/graphql", json=payload, headers={"Accept": EVENTS})
        async with connected(api) as socket:
            await socket.send(type="subscribe", id="1", payload=payload)
            message = await socket.receive()
    assert statements == []
    # Of a list, each item may be refused: that is an answer with errors.
    is_answer = message["type"] == "next"
    text = events.text.partition("data: ")[2].partition("\n")[0] if is_answer else events.text
    assert codes_of(json.loads(text)["errors"]) == wanted
    assert codes_of(message["payload"]["errors"] if is_answer else message["payload"]) == wanted
