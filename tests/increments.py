"""What clients make of incremental delivery: the parts of a body, byte by byte, and their merged result."""

import json
from typing import Any

from httpx import Response

V02 = "multipart/mixed;incrementalSpec=v0.2"
V2022 = "multipart/mixed;deferSpec=20220824"
EVENTS = "text/event-stream"
HEADERS = {V02: 'multipart/mixed; boundary="-"; incrementalSpec=v0.2'}
HEADERS |= {V2022: 'multipart/mixed; boundary="-"; deferSpec=20220824', EVENTS: "text/event-stream; charset=utf-8"}
BEFORE = "\r\n---\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"

Payload = dict[str, Any]


def payloads_of(response: Response) -> list[Payload]:
    """Return the payloads of a streamed response, whose headers and framing must be exact."""
    headers = response.headers
    assert response.status_code == 200
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert headers["content-type"] in HEADERS.values()
    return (events if headers["content-type"].startswith(EVENTS) else parts)(response.text)


def parts(body: str) -> list[Payload]:
    """Return the payloads of a multipart body."""
    before, *texts = body.removesuffix("\r\n-----\r\n").split(BEFORE)
    assert (before, "".join([*(BEFORE + text for text in texts), "\r\n-----\r\n"])) == ("", body)
    return [json.loads(text) for text in texts]


def events(body: str) -> list[Payload]:
    """Return the payloads of a body of server-sent events."""
    *texts, last, after = body.split("\n\n")
    assert (last, after) == ("event: complete\ndata:", "")
    assert all(text.startswith("event: next\ndata: ") for text in texts)
    return [json.loads(text.removeprefix("event: next\ndata: ")) for text in texts]


def merged(payloads: list[Payload]) -> Payload:
    """Return the one result that all payloads make; the format is seen by the first of several."""
    result: Payload = {"data": payloads[0]["data"], "errors": payloads[0].get("errors", [])}
    assert [payload.get("hasNext", False) for payload in payloads] == [True] * (len(payloads) - 1) + [False]
    (merge_by_ids if "pending" in payloads[0] else merge_by_paths)(result, payloads)
    return result if result["errors"] else {"data": result["data"]}


def merge_by_ids(result: Payload, payloads: list[Payload]) -> None:
    pending: dict[str, Payload] = {}
    for payload in payloads:
        for one in payload.get("pending", []):
            assert one["id"] not in pending
            pending[one["id"]] = one
        for part in payload.get("incremental", []):
            place = found(result["data"], [*pending[part["id"]]["path"], *part.get("subPath", [])])
            if "items" in part:
                place.extend(part["items"])
            else:
                deepen(place, part["data"])
            result["errors"] += part.get("errors", [])
        for one in payload.get("completed", []):
            pending.pop(one["id"])
            result["errors"] += one.get("errors", [])
    assert not pending


def merge_by_paths(result: Payload, payloads: list[Payload]) -> None:
    for part in (part for payload in payloads for part in payload.get("incremental", [])):
        result["errors"] += part.get("errors", [])
        if "items" in part:
            *path, index = part["path"]
            place = found(result["data"], path)
            assert index == len(place)
            place.extend(part["items"] or [])
        elif part["data"] is not None:
            deepen(found(result["data"], part["path"]), part["data"])


def found(data: Any, path: list[Any]) -> Any:
    for step in path:
        data = data[step]
    return data


def deepen(into: Payload, data: Payload) -> None:
    """Merge an object; no format delivers a list twice."""
    for name, value in data.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            deepen(into[name], value)
        else:
            assert name not in into or into[name] == value
            into[name] = value
