"""The comparison of results accepts what the specification leaves open, and nothing else."""

from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, Source

from tests.execution.comparing import Path, differences


def failure(*path: str | int, message: str = "failed", **details: Any) -> GraphQLError:
    return GraphQLError(message, path=list(path), **details)


def compare(
    result: tuple[Any, list[GraphQLError]],
    expected: tuple[Any, list[GraphQLError]],
    possible: list[GraphQLError] | None = None,
    non_null: tuple[Path, ...] = (),
) -> list[str]:
    """Compare results of data and errors; without others, only the expected errors are possible."""
    return differences(
        ExecutionResult(*result),
        ExecutionResult(*expected),
        expected[1] if possible is None else possible,
        dict.fromkeys(non_null, True),
    )


class TestData:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            ({"a": [{"b": 1, "c": 2}]}, {"a": [{"c": 2, "b": 1}]}),
            ({"a": 1}, {"a": 1.0}),
            ({"a": 1}, {"a": True}),
            ({"a": []}, {"a": None}),
            ({"a": [1, 2]}, {"a": [2, 1]}),
            ({"a": (1,)}, {"a": [1]}),
            ({}, None),
        ],
    )
    def test_differs(self, data: Any, expected: Any) -> None:
        assert compare((data, []), (expected, [])) != []

    @pytest.mark.parametrize("data", [None, {}, {"a": [{"b": None, "c": [1, 2.0, "x", True]}]}])
    def test_is_equal(self, data: Any) -> None:
        assert compare((data, []), (data, [])) == []


class TestErrors:
    def test_are_a_set(self) -> None:
        data = {"a": None, "b": None}
        assert compare((data, [failure("b"), failure("a")]), (data, [failure("a"), failure("b")])) == []

    def test_at_one_position_stand_for_each_other(self) -> None:
        data = {"a": None}
        left, right = failure("a", "x"), failure("a", "y", "z")
        non_null = (("a", "x"), ("a", "y"), ("a", "y", "z"))
        assert compare((data, [left]), (data, [right]), [left, right], non_null) == []
        assert compare((data, [left, right]), (data, [right]), [left, right], non_null) == []

    def test_that_do_not_reach_their_position_do_not_stand_for_one_that_does(self) -> None:
        data = {"a": None}
        cause, other = failure("a", "x"), failure("a", "y", "z")
        non_null = (("a", "x"), ("a", "y", "z"))
        assert compare((data, [other]), (data, [cause]), [cause, other], non_null) != []
        assert compare((data, [cause, other]), (data, [cause]), [cause, other], non_null) == []

    def test_of_the_whole_request_may_be_at_any_root_field(self) -> None:
        left, right = failure("a"), failure("b")
        assert compare((None, [left]), (None, [right]), [left, right], (("a",), ("b",))) == []

    @pytest.mark.parametrize(
        ("errors", "expected"),
        [
            pytest.param([], [failure("a")], id="missing"),
            pytest.param([failure("a")], [], id="too many"),
            pytest.param([failure("b")], [failure("a")], id="elsewhere"),
            pytest.param([failure("a"), failure("a")], [failure("a")], id="twice"),
            pytest.param([failure("a", message="other")], [failure("a")], id="another message"),
            pytest.param([failure("a", extensions={"code": "A"})], [failure("a")], id="other extensions"),
            pytest.param([failure("a", original_error=ValueError())], [failure("a")], id="another cause"),
        ],
    )
    def test_differ(self, errors: list[GraphQLError], expected: list[GraphQLError]) -> None:
        data = {"a": None, "b": None}
        assert compare((data, errors), (data, expected)) != []

    def test_differ_in_their_locations(self) -> None:
        source = Source("{ a }")
        here, there = (failure("a", source=source, positions=[position]) for position in (0, 2))
        assert compare(({"a": None}, [here]), ({"a": None}, [there])) != []

    def test_below_a_list_that_failed_half_way_are_left_open(self) -> None:
        data = {"a": None}
        assert compare((data, [failure("a"), failure("a", 0)]), (data, [failure("a")])) == []
        assert compare((data, [failure("a", 0)]), (data, [failure("a")])) != []

    def test_must_not_be_where_data_is(self) -> None:
        with pytest.raises(AssertionError, match="data as well"):
            compare(({"a": 1}, [failure("a")]), ({"a": 1}, [failure("a")]))
        with pytest.raises(AssertionError, match="data as well"):
            compare(({"a": 1}, [GraphQLError("failed")]), ({"a": 1}, []))
