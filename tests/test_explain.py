"""`gqlapi explain`: what a query costs, statement by statement."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from gqlapi.advice import advise
from gqlapi.database.tracing import ExplainedStatement
from gqlapi.database.unit import create_database
from gqlapi.documents.ids import sha256_id
from gqlapi.explain import Explanation, explain
from gqlapi.seeding import SeedSize, seed
from tests.api import settings_for
from tests.commands import run
from tests.factories import make_draft, make_user, save
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


class TestViewer:
    async def test_reads_what_the_user_may_see(self, seeded_url: str) -> None:
        database = create_database(settings_for(seeded_url))
        await save(database, [ada := make_user(username="zita"), make_draft(ada)])
        await database.dispose()
        query = '{ posts(filter: {status: [DRAFT], author: {username: {eq: "zita"}}}) { nodes { title } } }'
        for username, rows in ((None, 0), ("Zita", 1)):
            explanation = await explain(settings_for(seeded_url), query, username=username)
            assert explanation.errors == ()
            assert [statement.rows for statement in explanation.statements] == [rows]

    def test_must_exist(self, sqlite_url: str) -> None:
        done = run("explain", "{ __typename }", "--as", "nobody", url=sqlite_url)
        assert (done.status, done.errors) == (1, "error There is no user nobody.\n")


class TestDocument:
    def test_is_a_trusted_one(self, sqlite_url: str, tmp_path: Path) -> None:
        path = tmp_path / "tags.graphql"
        path.write_text("query Tags { tags(first: 2) { nodes { name } } }")
        assert run("documents", "add", str(path), url=sqlite_url).status == 0
        done = run("explain", "--document", sha256_id(path.read_text()), url=sqlite_url)
        assert (done.status, "  tags: " in done.output) == (0, True)
        missing = run("explain", "--document", "x-none", url=sqlite_url)
        assert (missing.status, missing.errors) == (1, "error There is no trusted document x-none.\n")

    @pytest.mark.parametrize("arguments", [(), ("{ __typename }", "--document", "x-none")])
    def test_replaces_the_query(self, sqlite_url: str, arguments: tuple[str, ...]) -> None:
        assert run("explain", *arguments, url=sqlite_url).status == 2


class TestAdvice:
    async def test_is_of_plans_of_the_database(self, seeded_url: str, dialect: str) -> None:
        """A large table without indexes, read by a condition and in an order."""
        rows = {
            "postgresql": "SELECT n AS id, n % 7 AS size, n::text AS name FROM generate_series(1, 50000) AS n",
            "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 50)"
            " SELECT n AS id, n % 7 AS size, n AS name FROM s",
        }[dialect]
        explaining = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}[dialect]
        database = create_database(settings_for(seeded_url))
        async with database.write() as session:
            await session.execute(sa.text(f"CREATE TABLE things AS {rows}"))
            if dialect == "postgresql":
                await session.execute(sa.text("ANALYZE things"))
            query = "SELECT name FROM things WHERE size = 3 AND name <> 'x' ORDER BY name"
            found = [row[-1] for row in await session.execute(sa.text(f"{explaining} {query}"))]
        await database.dispose()
        expected = {
            "postgresql": {
                "things is read as a whole: an index on things (name, size) may help.",
                "Rows are sorted by name: an index in that order would save it.",
            },
            "sqlite": {
                "things is read as a whole, which is slow if it is large.",
                "Rows are sorted for ORDER BY: an index in that order would save it.",
            },
        }[dialect]
        assert {*advise(found)} == expected

    def test_names_the_index_that_sqlite_builds(self) -> None:
        plan = ["SCAN a", "SEARCH b USING AUTOMATIC COVERING INDEX (x=? AND y=?)"]
        assert "one on b (x, y) would save it" in advise(plan)[1]

    def test_leaves_small_tables_and_indexes_alone(self) -> None:
        small = ["Seq Scan on tags  (cost=0.00..1.05 rows=5 width=32)", "  Filter: (name = 'x'::text)"]
        index = ["Index Scan using ix_posts on posts  (cost=0.29..900.10 rows=9 width=4)"]
        assert advise(small) == advise(index) == advise(["SEARCH posts USING INDEX ix_posts (id=?)"]) == []

    async def test_is_printed_with_the_plan(self) -> None:
        statement = ExplainedStatement("SELECT 1", 1, 0.1, ("SCAN things",))
        lines = [*Explanation({}, 1, (statement,), 0.1, ()).lines()]
        assert "  suggestion: things is read as a whole, which is slow if it is large." in lines
