"""The parts of `benchmarks/` that start nothing: comparison of answers, plan, statistics and report."""

import json
from collections.abc import Mapping

import pytest

from benchmarks.cells import Cell, Sample, plan
from benchmarks.extras import refusal_ms, slope
from benchmarks.figures import Figures, Spread
from benchmarks.leaves import UnequalAnswers, leaves, require_equal
from benchmarks.load import Load
from benchmarks.report import Report
from benchmarks.targets import Place, Targets
from benchmarks.workloads import WORKLOADS

TARGETS = Targets(("post1", "post2"), (Place("c1", "i1"),) * 4, Place("cursor", "id"), "author")


def sample(cell: Cell, per_second: float, number: int = 0, **changes: float) -> Sample:
    """Return a measurement of one second."""
    answered = round(per_second)
    load = Load(
        requests=answered,
        seconds=1,
        per_second=per_second,
        p50_ms=1,
        p99_ms=2,
        max_ms=3,
        bad=int(changes.get("refused", 0)),
        broken=0,
        good=int(changes.get("good", 0)),
        refused=int(changes.get("refused", 0)),
        other=0,
        answer_bytes=10,
        server_seconds=changes.get("server_seconds", 0.5),
        postgres_seconds=0.25,
        foreign=0,
    )
    return Sample(cell, number, load, memory_mb=50, next_ms=4)


class TestLeaves:
    def test_ignore_names_and_shapes(self) -> None:
        one = leaves({"posts": {"nodes": [{"title": "a", "author": {"name": "b"}}]}})
        require_equal("W2", {"gqlapi": one, "limit": leaves({"p": [{"t": "a"}, {"n": "b"}]})})

    @pytest.mark.parametrize("other", [{"a": 1, "b": 1}, {"a": 1}, {"a": "1", "b": 2}, {"a": 1, "b": 2, "c": None}])
    def test_refuse_what_differs(self, other: Mapping[str, object]) -> None:
        with pytest.raises(UnequalAnswers, match="W2: limit differs from gqlapi"):
            require_equal("W2", {"gqlapi": leaves({"a": 1, "b": 2}), "limit": leaves(dict(other))})

    def test_leave_out_what_is_generated(self) -> None:
        assert leaves({"post": {"id": "x", "title": "a"}}, frozenset({"id"})) == leaves({"title": "a"})

    def test_tell_true_from_1(self) -> None:
        assert leaves({"a": True}) != leaves({"a": 1})


class TestPlan:
    def test_puts_the_servers_of_a_workload_side_by_side(self) -> None:
        assert plan(["gqlapi", "limit"], ["W1", "W2"], 32) == [
            Cell("gqlapi", "W1", 32),
            Cell("limit", "W1", 32),
            Cell("gqlapi", "W2", 32),
            Cell("limit", "W2", 32),
        ]

    def test_overloads_gqlapi_alone(self) -> None:
        cells = plan(["gqlapi", "limit"], ["overload"], 32)
        assert {(cell.server, cell.connections) for cell in cells} == {("gqlapi", 128), ("gqlapi", 256)}

    def test_sends_a_workload_only_to_its_servers(self) -> None:
        assert plan(["gqlapi", "limit", "ordinary"], ["INSERT"], 8) == [Cell("limit", "INSERT", 8)]


class TestRequests:
    @pytest.mark.parametrize("name", sorted(set(WORKLOADS) - {"INSERT", "INTROSPECTION", "GET"}))
    def test_name_the_same_operation_to_all_servers(self, name: str) -> None:
        bodies = [WORKLOADS[name].requests(TARGETS, is_peer=is_peer) for is_peer in (False, True)]
        names = {json.loads(body)["operationName"] for group in bodies for body in group}
        assert len(names) == 1
        assert len(bodies[0]) == len(bodies[1])

    def test_take_places_as_cursors_or_ids(self) -> None:
        bodies = [WORKLOADS["W3"].requests(TARGETS, is_peer=is_peer)[0] for is_peer in (False, True)]
        assert [json.loads(body)["variables"] for body in bodies] == [{"after": "cursor"}, {"after": "id"}]


class TestFigures:
    def test_take_ratios_within_a_round(self) -> None:
        one, base = Cell("gqlapi", "W1", 32), Cell("limit", "W1", 32)
        samples = [sample(one, 10, 0), sample(base, 20, 0), sample(one, 30, 1), sample(base, 100, 1)]
        assert Figures(samples).ratio(one, base) == Spread(median=0.4, least=0.3, greatest=0.5)

    def test_have_no_ratio_without_a_base(self) -> None:
        one = Cell("gqlapi", "W1", 32)
        assert Figures([sample(one, 10)]).ratio(one, Cell("limit", "W1", 32)) is None

    def test_divide_growth_by_the_posts_that_were_added(self) -> None:
        assert slope([1.0, 2.0, 3.0, 10.0]) == pytest.approx(0.1)

    def test_charge_refusals_with_what_good_answers_do_not_explain(self) -> None:
        assert refusal_ms(server_seconds=1, good=100, good_ms=5, refused=1_000) == pytest.approx(0.5)
        assert refusal_ms(server_seconds=1, good=100, good_ms=5, refused=0) is None


class TestReport:
    def report(self) -> Report:
        """Return a report of two servers, with refusals of one of them."""
        one, base = Cell("gqlapi", "W1", 32), Cell("limit", "W1", 32)
        busy = Cell("gqlapi", "W1", 128, is_overload=True)
        samples = [
            sample(one, 50, server_seconds=0.5),
            sample(base, 100),
            sample(busy, 40, good=40, refused=1_000, server_seconds=0.9),
        ]
        titles = {"gqlapi": "as shipped", "limit": "by hand"}
        return Report(titles, {"machine": "small"}, {"W1": 14}, {"gqlapi": 40.0}, samples, 32)

    def test_prints_rates_with_their_ratios(self) -> None:
        text = self.report().to_markdown()
        assert "| gqlapi | 50 (0.500, 0.500-0.500) |" in text
        assert "| limit | 100 (1.000, 1.000-1.000) |" in text
        assert "| gqlapi | 10 + 5 |" in text

    def test_prints_overload(self) -> None:
        assert "| W1 | 128 | 40 | 0.80 | 1000 | 0 | 0.500 | 2 | 4 |" in self.report().to_markdown()

    def test_has_every_sample_in_json(self) -> None:
        written = json.loads(json.dumps(self.report().to_json()))
        assert [entry["cell"]["connections"] for entry in written["samples"]] == [32, 32, 128]
