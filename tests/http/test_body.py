"""Bodies that end early."""

import pytest
from starlette.types import Message

from gqlapi.http.body import Bodies
from gqlapi.http.failures import HttpFailure


class TestBodies:
    async def test_refuses_a_body_whose_client_went_away(self) -> None:
        messages: list[Message] = [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Message:
            return messages.pop(0)

        with pytest.raises(HttpFailure) as failure:
            await Bodies(10).read(receive)
        assert failure.value.status_code == 400
