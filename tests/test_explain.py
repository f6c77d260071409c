"""`gqlapi explain`: what a query costs, statement by statement."""

import re
from pathlib import Path

import pytest

from gqlapi.database.unit import create_database
from gqlapi.explain import explain
from gqlapi.seeding import SeedSize, seed
from tests.api import settings_for
from tests.commands import run
from tests.test_examples import READING, variables_of

FEED = """
query Feed($n: Int!) { tags(first: $n) { nodes { name posts { nodes { title } } } } }
query Tags { tags { nodes { name } } }
"""


@pytest.fixture
async def seeded_url(database_url: str) -> str:
    database = create_database(settings_for(database_url))
    await seed(database, SeedSize(users=5, posts=20, tags=5))
    await database.dispose()
    return database_url


class TestExplain:
    async def test_tells_cost_statements_and_plans(self, seeded_url: str, dialect: str) -> None:
        explanation = await explain(settings_for(seeded_url), FEED, {"n": 3}, "Feed")
        assert explanation.errors == ()
        assert explanation.costs == {"tags": 193}
        assert explanation.limit == 20_000
        tags, posts = explanation.statements
        assert tags.rows == 4  # one extra row shows whether there is a next page
        assert posts.rows >= 1
        assert "posts" in posts.sql
        assert tags.ms + posts.ms == pytest.approx(explanation.ms, abs=0.2)
        plan = "\n".join(posts.plan)
        assert re.search(r"cost=\d" if dialect == "postgresql" else r"(SEARCH|SCAN) posts", plan)

    async def test_adds_the_points_of_each_root_field(self, seeded_url: str) -> None:
        query = "{ a: posts(first: 2) { nodes { id } } b: tags(first: 3) { nodes { id } } }"
        explanation = await explain(settings_for(seeded_url), query)
        assert explanation.costs == {"a": 7, "b": 10}
        lines = list(explanation.lines())
        assert lines[:3] == ["cost: 17 of 20000 points", "  a: 7", "  b: 10"]
        rows = sum(statement.rows for statement in explanation.statements)
        assert lines[-1] == f"\ntotal: 2 statements, {rows} rows, {explanation.ms} ms"

    async def test_explains_every_example(self, seeded_url: str) -> None:
        for path in READING:
            explanation = await explain(settings_for(seeded_url), path.read_text(), variables_of(path))
            assert explanation.errors == (), path
            assert all(statement.plan and statement.rows >= 0 for statement in explanation.statements)

    async def test_shows_the_cost_of_what_is_refused(self, sqlite_url: str) -> None:
        explanation = await explain(settings_for(sqlite_url, max_cost=10), "{ posts(first: 11) { nodes { id } } }")
        assert "over the limit of 10" in explanation.errors[0]
        assert explanation.costs == {"posts": 34}
        assert explanation.statements == ()

    async def test_shows_no_values_in_the_sql(self, seeded_url: str) -> None:
        query = "query ($t: String!) { posts(filter: { title: { eq: $t } }) { nodes { id } } }"
        explanation = await explain(settings_for(seeded_url), query, {"t": "needle"})
        assert explanation.errors == ()
        assert explanation.statements
        assert all("needle" not in statement.sql for statement in explanation.statements)


@pytest.mark.usefixtures("clean_environment")
class TestCommand:
    def test_reads_a_file_and_variables(self, seeded_url: str, tmp_path: Path) -> None:
        path = tmp_path / "feed.graphql"
        path.write_text(FEED)
        done = run("explain", str(path), "--variables", '{"n": 2}', "--operation", "Feed", url=seeded_url)
        assert (done.status, done.errors) == (0, "")
        assert done.output.startswith("cost: 129 of 20000 points\n  tags: 129\n\nstatement 1: 3 rows, ")
        assert "  plan:\n" in done.output
        assert re.search(r"\ntotal: 2 statements, \d+ rows, [\d.]+ ms\n$", done.output)

    def test_reads_standard_input(self, sqlite_url: str) -> None:
        done = run("explain", "-", url=sqlite_url, text="{ tags { totalCount } }")
        assert done.status == 0
        assert "statement 1: 1 rows" in done.output

    def test_fails_with_errors_of_graphql(self, sqlite_url: str) -> None:
        done = run("explain", "{ nothing }", url=sqlite_url)
        assert done.status == 1
        assert "error Cannot query field 'nothing' on type 'Query'." in done.errors

    def test_fails_without_a_name_among_several(self, sqlite_url: str) -> None:
        done = run("explain", FEED, url=sqlite_url)
        assert done.status == 1
        assert "Name one of the document's operations" in done.errors

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["{ __typename }", "--variables", "{"], "--variables is not JSON"),
            (["{ __typename }", "--variables", "[]"], "--variables must be a JSON object."),
            (["missing.graphql"], "missing.graphql cannot be read: No such file"),
        ],
    )
    def test_refuses_wrong_arguments(self, sqlite_url: str, arguments: list[str], message: str) -> None:
        done = run("explain", *arguments, url=sqlite_url)
        assert done.status == 2
        assert message in done.errors
