"""Long answers are encoded while they are sent: the bytes are those of the same answer encoded at once."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gqlapi.http import graphql
from gqlapi.http.json import encode_json
from gqlapi.http.pieces import PIECE_BYTES, Pieces
from tests.api import Api
from tests.factories import make_post, make_user, save

leaves = st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=5) | st.just("\ud800")
values = st.recursive(
    leaves, lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=3), inside, max_size=4)
)
QUERY = "{ posts(first: 100) { nodes { title content { markdown } } } }"


class Watched(Pieces):
    made = 0

    def __init__(self, value: Any) -> None:
        Watched.made += 1
        super().__init__(value)


class TestPieces:
    @given(values)
    @settings(max_examples=60)
    def test_are_the_json_of_the_value(self, value: Any) -> None:
        pieces = Pieces(value)
        assert b"".join(pieces) == b"".join(pieces) == encode_json(value)
        assert len(pieces) == len(encode_json(value))

    def test_are_of_about_one_size(self) -> None:
        sizes = [*map(len, Pieces([{"text": "x" * 1_000, "list": [1]}] * 500))]
        assert len(sizes) == 8
        assert max(sizes) < PIECE_BYTES + 2_000

    def test_hold_one_long_text_each(self) -> None:
        objects = [{"text": letter * 200_000} for letter in "xyz"]
        assert [piece.count(b"text") for piece in Pieces(objects)] == [1, 1, 1, 0]


class TestAnswer:
    @pytest.mark.parametrize("dialect", ["sqlite"])
    async def test_is_the_same_in_pieces(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        author = make_user()
        await save(api.database, [author, *(make_post(author, markdown="ü" * 30_000) for _ in range(5))])
        data = await api.data(QUERY)
        monkeypatch.setattr(graphql, "MAX_WHOLE_LENGTH", 1_000)
        monkeypatch.setattr(graphql, "Pieces", Watched)
        in_pieces = await api.http.post("/graphql", json={"query": QUERY})

        assert Watched.made == 1
        assert orjson.loads(in_pieces.content)["data"] == data
        assert len(data["posts"]["nodes"]) == 5
        assert int(in_pieces.headers["Content-Length"]) == len(in_pieces.content)
