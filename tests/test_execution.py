"""Answers are completed a slice at a time, and not beyond their budget."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gqlapi.database.read_unit import UnitClosed
from gqlapi.execution.pacing import Pace, Turns
from gqlapi.execution.reference import PacedExecutor
from gqlapi.loaders import PacedLoader
from tests.api import Api, only_error, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save

LISTS = "{ users(first: 50) { nodes { id posts(first: 50) { nodes { id title author { id } tags { name } } } } } }"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Api]:
    """A server with lists that are completed in slices, and lists within them."""
    async with serve(settings_for(database_url, max_cost=10**6)) as api:
        users = [make_user() for _ in range(30)]
        tags = [make_tag() for _ in range(3)]
        posts = [make_post(user, *tags) for user in users[:3] for _ in range(40)]
        await save(api.database, [*users, *tags, *posts])
        yield api


class TestTurns:
    async def test_are_taken_one_in_each_iteration_in_order(self) -> None:
        turns, taken, iterations = Turns(), [], 0

        async def work(name: str) -> None:
            for _ in range(3):
                await turns.take()
                taken.append((iterations, name))

        async def count() -> None:
            nonlocal iterations
            while len(taken) < 6:
                iterations += 1
                await asyncio.sleep(0)

        await asyncio.gather(work("a"), work("b"), count())
        assert [name for _, name in taken] == ["a", "b"] * 3
        assert len({iteration for iteration, _ in taken}) == len(taken)

    async def test_of_the_cancelled_go_to_the_next(self) -> None:
        turns = Turns()
        waiting = [asyncio.create_task(turns.take()) for _ in range(3)]
        await asyncio.sleep(0)
        for task in waiting[:2]:
            task.cancel()
        await asyncio.wait_for(waiting[2], 1)
        await asyncio.wait_for(turns.take(), 1)

    async def test_are_waited_for_until_an_operation_is_quiet(self) -> None:
        turns = Turns()
        pace, done = Pace(turns), []

        async def work(name: str) -> None:
            for _ in range(5):
                await pace.turn()
            done.append(name)

        async def wait() -> None:
            await pace.quiet()
            done.append("quiet")

        await asyncio.gather(work("a"), work("b"), wait())
        assert done == ["a", "b", "quiet"]


class TestSlices:
    async def test_change_neither_the_answer_nor_its_statements(
        self, server: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with server.statements() as in_slices:
            paced = await server.data(LISTS)
        monkeypatch.setattr("gqlapi.execution.reference.UNPACED_ITEMS", 10**6)
        monkeypatch.setattr("gqlapi.loaders.UNPACED_KEYS", 10**6)
        with server.statements() as at_once:
            assert await server.data(LISTS) == paced
        assert len(in_slices) == len(at_once) == 4
        assert sum(len(user["posts"]["nodes"]) for user in paced["users"]["nodes"]) == 120

    @pytest.mark.usefixtures("server")
    @pytest.mark.parametrize(("executor", "least"), [("compiled", 3), ("reference", 30 + 120)])
    async def test_let_other_requests_run(
        self, database_url: str, executor: str, least: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A slice of no length ends after each level of the compiled executor, after each item of the reference."""
        monkeypatch.setattr("gqlapi.execution.pacing.SLICE_SECONDS", -1)
        turns, take = 0, Turns.take

        async def counted(self: Turns) -> None:
            nonlocal turns
            turns += 1
            await take(self)

        monkeypatch.setattr(Turns, "take", counted)
        async with serve(settings_for(database_url, executor=executor, max_cost=10**6)) as api:
            await api.data(LISTS)
        assert turns >= least

    async def test_report_errors_at_their_places(self, server: Api) -> None:
        ids = ["x" if number in {3, 40} else f"{number}" for number in range(50)]
        result = await server.execute("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids})
        assert [error["path"] for error in result["errors"]] == [["nodes", index] for index in range(50)]


class TestAnswer:
    @pytest.mark.parametrize(
        "document",
        [
            pytest.param("{ posts(first: 100) { nodes { content { html text } } } }", id="texts"),
            pytest.param("{ posts(first: 100) { nodes { " + "x" * 1_000 + ": id } } }", id="a long alias"),
            pytest.param("{ __schema { types { name description fields { name } } } }", id="introspection"),
        ],
    )
    async def test_stops_at_its_budget(self, database_url: str, document: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is left out is most of the answer: 120, 60 and over 500 leaves."""
        completed = 0
        complete = PacedExecutor.complete_leaf_value

        def count(*arguments: Any) -> Any:
            nonlocal completed
            completed += 1
            return complete(*arguments)

        monkeypatch.setattr(PacedExecutor, "complete_leaf_value", count)
        async with serve(settings_for(database_url, max_answer_bytes=5_000, report_costs=False)) as api:
            author = make_user()
            await save(api.database, [author, *(make_post(author, text="word " * 100) for _ in range(60))])
            response = await api.post(document)
        assert (response.status_code, response.json()["data"]) == (294, None)
        assert only_error(response)["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": 5_000}
        assert completed < (200 if "__schema" in document else 50)

    async def test_counts_characters_that_json_escapes(self, sqlite_url: str) -> None:
        """Counted as one byte while the answer is completed, and as they are when it is encoded."""
        async with serve(settings_for(sqlite_url, max_answer_bytes=2_000)) as api:
            author = make_user(bio="\x01" * 1_500)
            await save(api.database, [author, make_post(author)])
            error = only_error(await api.post("{ users { nodes { bio } } }"))
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": 2_000}


async def test_a_load_that_outlives_its_operation_leaves_no_failure_behind() -> None:
    """An exception that nothing waits for would be logged by asyncio."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))

    async def load(_keys: list[Any]) -> list[Any]:
        raise UnitClosed

    loader = PacedLoader(load, Pace(Turns()))
    future = loader.load(1)
    await asyncio.wait([future])
    assert future.cancelled()
    del future, loader
    gc.collect()
    assert complaints == []


class TestIntrospection:
    async def test_answers_for_types_that_wrap_others(self, server: Api) -> None:
        """`isOneOf` is that of input objects, and null for all other types."""
        types = await server.data(
            "{ __schema { types { name isOneOf inputFields { type { isOneOf kind ofType { isOneOf } } } } } }"
        )
        by_name = {type_["name"]: type_["isOneOf"] for type_ in types["__schema"]["types"]}
        assert (by_name["PostKey"], by_name["PostFilter"], by_name["Post"]) == (True, False, None)
        wrapped = [
            field["type"]
            for type_ in types["__schema"]["types"]
            for field in type_["inputFields"] or ()
            if field["type"]["kind"] in {"NON_NULL", "LIST"}
        ]
        assert wrapped
        assert {type_["isOneOf"] for type_ in wrapped} == {None}
