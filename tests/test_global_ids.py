"""Ids of many objects are those of one after the other."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from gqlapi.models.global_id import GlobalId, GlobalIdMixin, decode_global_id, encode_global_ids


class Node(GlobalIdMixin):
    def __init__(self, typename: str, id_: UUID) -> None:
        self.typename = typename  # type: ignore[misc] # of the instance: any length has to be tried
        self.id = id_


@given(st.from_regex("[A-Za-z]{1,9}", fullmatch=True), st.lists(st.uuids(), max_size=12))
def test_of_many_are_those_of_each(typename: str, ids: list[UUID]) -> None:
    encoded = encode_global_ids([Node(typename, id_) for id_ in ids])
    assert encoded == [GlobalId(typename, id_).encode() for id_ in ids]
    assert [decode_global_id(text) for text in encoded] == [GlobalId(typename, id_) for id_ in ids]
