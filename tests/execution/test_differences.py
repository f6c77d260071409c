"""The executor answers random operations over random schemas as graphql-core does, in each error mode."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import build_schema, execute, parse
from hypothesis import given, note
from hypothesis import strategies as st

from gqlapi.execution import ErrorMode, run
from tests.examples import large_examples
from tests.execution.choices import Choices, chosen
from tests.execution.comparing import differences, impossible
from tests.execution.objects import FORMS
from tests.execution.random_documents import make_request
from tests.execution.random_schemas import make_schema
from tests.execution.random_worlds import make_world
from tests.execution.running import Case, Outcome, refer, run_case

# Where a parent is nulled, graphql-core cancels resolvers before they start, and their coroutines with them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    # That warning cannot be given from a function without builtins, as namedtuple makes them.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. .coroutine object :pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Let those warnings come while they are ignored; what was there before is left to itself."""
    gc.freeze()
    yield
    gc.collect()


def cases(*operations: str) -> st.SearchStrategy[Case]:
    """Draw a schema, resolvers, a request and the form of the root."""

    def make(choices: Choices) -> Case:
        schema = make_schema(choices)
        world = make_world(choices, schema)
        return Case(schema, world, make_request(choices, schema, operations), choices.of([*FORMS, None]))

    return chosen(make)


class TestPropagate:
    @large_examples(500)
    @given(case=cases("query"))
    async def test_queries_have_the_same_data_and_errors(self, case: Case) -> None:
        await check_propagation(case)

    @large_examples(40)
    @given(case=cases("mutation"))
    async def test_mutations_run_one_after_the_other_as_well(self, case: Case) -> None:
        await check_propagation(case)


class TestNull:
    @large_examples(60)
    @given(case=cases("query", "query", "mutation"))
    async def test_failed_fields_are_null_and_all_errors_are_reported(self, case: Case) -> None:
        """No error reaches beyond its own field, so that each must be reported."""
        note(str(case))
        reference = await refer(case)
        outcome, expected = await run_case(case, ErrorMode.NULL), reference.unpropagated
        assert differences(outcome.result, expected.result, reference.possible, {}) == []
        assert outcome.log == started(expected)


class TestHalt:
    @large_examples(60)
    @given(case=cases("query", "query", "mutation"))
    async def test_any_error_leaves_no_data(self, case: Case) -> None:
        note(str(case))
        reference = await refer(case)
        outcome, unhalted = await run_case(case, ErrorMode.HALT), reference.unpropagated
        if not reference.possible:
            assert differences(outcome.result, unhalted.result, [], {}) == []
            return
        assert outcome.result.data is None
        assert outcome.result.errors
        # All invalid variables are reported: nothing ran.
        assert len(outcome.result.errors) == 1 or not any(error.path for error in outcome.result.errors)
        assert impossible(outcome.result.errors, reference.possible) == []

    async def test_nothing_below_a_failed_level_is_resolved(self) -> None:
        schema = build_schema("type Query { bad: Int ok: Query }")
        log: list[str] = []

        async def later(*_: Any) -> dict[str, Any]:
            log.append("resolved")
            return {"bad": fail, "ok": later}

        async def fail(*_: Any) -> None:
            raise ValueError

        root = {"bad": fail, "ok": later}
        result = await run(schema, parse("{ bad ok { ok { bad } } }"), root_value=root, error_mode=ErrorMode.HALT)
        assert (result.data, len(result.errors or ()), log) == (None, 1, ["resolved"])

    @large_examples(30)
    @given(case=cases("mutation"))
    async def test_no_mutation_runs_after_a_failed_one(self, case: Case) -> None:
        note(str(case))
        reference = await refer(case)
        outcome, unhalted = await run_case(case, ErrorMode.HALT), reference.unpropagated
        failed = {str(error.path[0]) for error in reference.possible if error.path}
        fields = list(unhalted.result.data or {})
        first = next((place for place, name in enumerate(fields) if name in failed), len(fields))
        # A field whose arguments are wrong calls no resolver.
        assert outcome.log == [name for name in started(unhalted) if name in fields[: first + 1]]


async def check_propagation(case: Case) -> None:
    note(str(case))
    reference = await refer(case)
    outcome, expected = await run_case(case, ErrorMode.PROPAGATE), reference.expected
    assert differences(outcome.result, expected.result, reference.possible, reference.non_null) == []
    assert outcome.log == started(expected)


def started(reference: Outcome) -> list[str]:
    """Return the root fields of a mutation in the order in which graphql-core began them.

    Below a field that it nulled, it may still call resolvers while the next ones run.
    """
    return list(dict.fromkeys(reference.log))


class TestArguments:
    @pytest.mark.parametrize("mode", ErrorMode)
    async def test_are_read_where_no_resolver_uses_them(self, mode: ErrorMode) -> None:
        schema = build_schema("type Query { ok: Int ids(of: [ID!]! = [1]): Int }")
        document = parse("query($of: [ID!]) { ok ids(of: $of) }")
        arguments: dict[str, Any] = {"root_value": {"ok": 1, "ids": 2}}
        expected: Any = execute(schema, document, variable_values={"of": None}, **arguments)
        result = await run(schema, document, variables={"of": None}, error_mode=mode, **arguments)
        assert result.errors == expected.errors
        assert result.data == (None if mode is ErrorMode.HALT else expected.data)
