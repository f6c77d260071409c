"""Query strings of GET requests that come again are not parsed again."""

import json
from urllib.parse import urlencode

import pytest

from gqlapi.http import requests
from gqlapi.http.failures import HttpFailure
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_user, save

QUERY = "query($name: String!) { user(by: { username: $name }) { username } }"


def encode(name: str, **others: str) -> bytes:
    return urlencode({"query": QUERY, "variables": json.dumps({"name": name}), **others}).encode()


async def get(api: Api, name: str) -> object:
    response = await api.http.get("/graphql?" + encode(name).decode())
    return response.json()["data"]["user"]


class TestQueryStrings:
    async def test_that_are_equal_get_what_is_there_now(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url)) as api:
            before = await get(api, "ada")
            user = make_user(username="ada")
            await save(api.database, [user, make_post(user)])
            answers = [await get(api, name) for name in ("ada", "bob", "ada")]
        assert (before, answers) == (None, [{"username": "ada"}, None, {"username": "ada"}])

    def test_are_read_once(self) -> None:
        first, second = (requests.read_parameters(encode("once")) for _ in range(2))
        assert first is second
        assert first.variables == {"name": "once"}
        assert requests.read_parameters(encode("twice")).variables == {"name": "twice"}

    def test_with_the_id_in_the_path_are_others(self) -> None:
        by_path = requests.read_parameters(b"operationName=A", f"sha256:{'0' * 64}")
        other = requests.read_parameters(b"operationName=A", f"sha256:{'1' * 64}")
        assert by_path.document_id != other.document_id

    def test_that_are_long_are_not_kept(self) -> None:
        long = encode("long", padding="x" * requests.MAX_SHORT_BYTES)
        assert requests.read_parameters(long) is not requests.read_parameters(long)

    def test_that_are_wrong_are_refused_each_time(self) -> None:
        for _ in range(2):
            with pytest.raises(HttpFailure, match="variables"):
                requests.read_parameters(b"query=a&variables=%7B")

    def test_are_kept_in_a_bounded_number(self) -> None:
        for number in range(2 * requests.MAX_SHORT):
            requests.read_parameters(encode(f"number-{number}"))
        assert requests._read_short.cache_info().currsize == requests.MAX_SHORT
