"""A shared cache by RFC 9111, as simple as can be: it keeps all that it may, for as long as it may."""

from collections.abc import Mapping
from typing import NamedTuple

import httpx


class Kept(NamedTuple):
    """A response that is kept, with the headers of its request and the second of that."""

    response: httpx.Response
    request_headers: Mapping[str, str]
    asked_at: float
    max_age: int


class SharedCache:
    """Keeps responses, and forgets them by tags."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Kept]] = {}

    def find(self, url: str, headers: httpx.Headers, now: float) -> httpx.Response | None:
        """Return a fresh response that fits a request (sections 4.1 and 4.2)."""
        for kept in self._kept.get(url, ()):
            names = [name.strip() for name in kept.response.headers.get("vary", "").split(",") if name.strip()]
            fits = all(headers.get(name) == kept.request_headers.get(name) for name in names)
            if fits and now - kept.asked_at < kept.max_age:
                return kept.response
        return None

    def put(self, url: str, headers: httpx.Headers, response: httpx.Response, now: float) -> None:
        """Keep a response, if that is allowed (sections 3 and 3.5)."""
        directives = dict(
            (part.strip().lower().partition("=")[::2]) for part in response.headers.get("cache-control", "").split(",")
        )
        max_age = int(directives.get("s-maxage") or directives.get("max-age") or 0)
        is_allowed = "authorization" not in headers or not {"public", "s-maxage", "must-revalidate"}.isdisjoint(
            directives
        )
        if directives.keys() & {"no-store", "private", "no-cache"} or not is_allowed or not max_age:
            return
        self._kept.setdefault(url, []).insert(0, Kept(response, headers, now, max_age))

    def purge(self, *tags: str) -> None:
        """Forget the responses that have one of some tags."""
        for url, kept in self._kept.items():
            self._kept[url] = [one for one in kept if _tags(one.response).isdisjoint(tags)]


def _tags(response: httpx.Response) -> set[str]:
    return set(response.headers.get("surrogate-key", "").split(" "))
