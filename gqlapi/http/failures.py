"""Failures of a request before GraphQL begins, answered in GraphQL's own shape."""

import asyncio
from http import HTTPStatus

from gqlapi.errors import Code
from gqlapi.http.json import HeaderList, encode_json

RETRY_AFTER: HeaderList = ((b"retry-after", b"1"),)
# A refusal takes 0.06 ms of CPU: so many a second are sent at once, the others are delayed.
PROMPT_REFUSALS_PER_SECOND = 200
# A client that repeats at once, ignoring Retry-After, gets one refusal in this time for each of its connections.
MAX_REFUSAL_DELAY_SECONDS = 1.0


class HttpFailure(Exception):
    """A request that is refused with a status."""

    def __init__(
        self, status_code: int, message: str, *, code: Code = Code.BAD_REQUEST, headers: HeaderList = ()
    ) -> None:
        """Refuse with a message for the client's developer."""
        super().__init__(message)
        self.status_code = status_code
        self.message = message
        self.code = code
        self.headers = headers

    @property
    def content(self) -> bytes:
        """The body of the response."""
        return encode_json({"errors": [{"message": self.message, "extensions": {"code": str(self.code)}}]})


def busy() -> HttpFailure:
    """Return the refusal of a request for want of a place."""
    message = "The server is busy. Try again."
    return HttpFailure(HTTPStatus.SERVICE_UNAVAILABLE, message, code=Code.UNAVAILABLE, headers=RETRY_AFTER)


class Pacer:
    """Delays refusals that are too many, so that a process under overload spends its time on answers.

    A delayed refusal holds a connection and nothing else; its client cannot repeat before it has arrived.
    """

    def __init__(
        self,
        per_second: float = PROMPT_REFUSALS_PER_SECOND,
        max_delay_seconds: float = MAX_REFUSAL_DELAY_SECONDS,
    ) -> None:
        """Allow `per_second` refusals; none is delayed for longer than `max_delay_seconds`."""
        self._interval = 1 / per_second
        self._max_delay_seconds = max_delay_seconds
        self._next = 0.0

    def take(self) -> float:
        """Return the delay of the next refusal, in seconds."""
        now = asyncio.get_running_loop().time()
        self._next = min(max(now, self._next + self._interval), now + self._max_delay_seconds)
        return self._next - now
