"""Counts of what clients use of the schema: what is counted, how it is written, and what it says of deprecations."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphql import build_schema

from gqlapi.cli.schema_usage import usage_lines
from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.http import usage as counting
from gqlapi.models import FieldUsage
from gqlapi.operations.coordinates import coordinates_of, coordinates_of_schema, coordinates_of_variables
from gqlapi.pruning import Retention, prune
from gqlapi.repositories.field_usage import add_usage, list_usage
from gqlapi.schema import Limits, Schema
from tests.api import Api, serve, settings_for
from tests.commands import run_beside

SCHEMA = Schema(Limits())
TAGS = "{ tags(first: 1) { nodes { name } } }"
USED_BY_TAGS = {"Query", "Query.tags", "Query.tags(first:)", "TagConnection.nodes", "Tag.name"}


async def counts(url: str) -> dict[tuple[str, str], int]:
    database = Database(url)
    try:
        async with database.write() as session:
            return {(row.client, row.coordinate): row.uses for row in await list_usage(session)}
    finally:
        await database.dispose()


async def send(api: Api, query: str, variables: dict[str, Any] | None = None, client: str = "web") -> dict[str, Any]:
    return await api.with_headers(**{"graphql-client-name": client}).execute(query, variables)


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Api]:
    async with serve(settings_for(database_url, count_usage=True, max_batch_size=2)) as api:
        yield api


class TestCoordinates:
    def test_are_those_of_one_operation(self) -> None:
        document = """
        query A($f: PostFilter, $s: [PostStatus!] = [DRAFT]) {
          ...F __typename __type(name: "Post") { name }
          posts(first: 2, filter: $f, orderBy: [{ field: TITLE }]) {
            nodes { ... on Node { id } alias: title @skip(if: true) excerpt(length: 3) }
          }
          others: posts(filter: { status: $s, author: { username: { eq: "ada" } } }) { totalCount }
        }
        query B { ...G }
        fragment F on Query { tags { nodes { name } } }
        fragment G on Query { users { totalCount } }
        """
        given = {"f": {"title": {"eq": "x"}, "or": [{"status": "PUBLISHED"}]}}
        operation = SCHEMA.operations.bind(document, "A", given).operation
        assert sorted(coordinates_of(operation)) == [
            "Node.id", "Post.excerpt", "Post.excerpt(length:)", "Post.title", "PostConnection.nodes",
            "PostConnection.totalCount", "PostFilter.author", "PostFilter.status", "PostOrder.field",
            "PostOrderField.TITLE", "PostStatus.DRAFT", "Query", "Query.posts", "Query.posts(filter:)",
            "Query.posts(first:)", "Query.posts(orderBy:)", "Query.tags", "StringFilter.eq", "Tag.name",
            "TagConnection.nodes", "UserFilter.username",
        ]  # fmt: skip
        assert sorted(coordinates_of_variables(operation, given)) == [
            "PostFilter.or", "PostFilter.status", "PostFilter.title", "PostStatus.PUBLISHED", "StringFilter.eq",
        ]  # fmt: skip

    def test_of_the_schema_fit_the_table(self) -> None:
        found = coordinates_of_schema(SCHEMA._schema)
        assert {"Post.title", "Post.excerpt(length:)", "PostFilter.or", "PostStatus.DRAFT", "Node.id"} <= found.keys()
        assert max(map(len, found)) <= FieldUsage.coordinate.type.length

    def test_of_operations_are_among_those_of_the_schema(self) -> None:
        operation = SCHEMA.operations.bind(TAGS).operation
        assert coordinates_of(operation) == USED_BY_TAGS
        assert {"Query", *coordinates_of_schema(SCHEMA._schema)} >= USED_BY_TAGS


class TestCounts:
    async def test_are_added_to_those_of_earlier_servers(self, database_url: str) -> None:
        for _ in range(2):
            async with serve(settings_for(database_url, count_usage=True)) as api:
                for client in ("web", "web", "ios"):
                    assert "errors" not in await send(api, TAGS, client=client)
        expected = {("web", name): 4 for name in USED_BY_TAGS} | {("ios", name): 2 for name in USED_BY_TAGS}
        assert await counts(database_url) == expected

    async def test_are_written_by_a_job(self, database_url: str, server: Api) -> None:
        await send(server, TAGS)
        await server.app.state.background.run("usage")
        assert (await counts(database_url))["web", "Tag.name"] == 1

    async def test_outlive_a_write_that_fails(
        self, database_url: str, server: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = server.app.state.usage

        async def fail(*arguments: Any) -> None:
            await add_usage(*arguments)
            raise OSError

        monkeypatch.setattr(counting, "add_usage", fail)
        await send(server, TAGS)
        await usage.write()
        assert await counts(database_url) == {}
        monkeypatch.undo()
        await send(server, TAGS)
        await usage.write()
        assert (await counts(database_url))["web", "Tag.name"] == 2

    async def test_are_of_each_operation_of_a_batch(self, database_url: str, server: Api) -> None:
        await server.http.post("/graphql", json=[{"query": TAGS}, {"query": TAGS}])
        await server.app.state.usage.write()
        assert (await counts(database_url))["", "Tag.name"] == 2


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
class TestClients:
    async def test_are_not_counted_by_default(self, database_url: str) -> None:
        async with serve(settings_for(database_url)) as api:
            await send(api, TAGS)
        assert await counts(database_url) == {}

    async def test_are_not_counted_for_what_was_refused(self, database_url: str, server: Api) -> None:
        await send(server, "{ nope }")
        await send(server.bearing("wrong"), TAGS)
        await server.app.state.usage.write()
        assert await counts(database_url) == {}

    async def test_name_themselves_in_either_header(self, database_url: str, server: Api) -> None:
        for headers in ({"apollographql-client-name": "a"}, {"graphql-client-name": "b"}, {}):
            await server.with_headers(**headers).execute(TAGS)
        for name in ("", "x" * 101, "a\tb", "<b>"):
            await send(server, TAGS, client=name)
        await server.app.state.usage.write()
        found = {client: uses for (client, name), uses in (await counts(database_url)).items() if name == "Query"}
        assert found == {"a": 1, "b": 1, "": 5}

    async def test_share_a_name_when_there_are_too_many(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(counting, "MAX_CLIENTS", 2)
        for names in ("ab", "cabd"):
            async with serve(settings_for(database_url, count_usage=True)) as api:
                for name in names:
                    await send(api, TAGS, client=name)
                    await api.app.state.usage.write()  # from then on the names in the table are known
        found = {client: uses for (client, name), uses in (await counts(database_url)).items() if name == "Query"}
        assert found == {"a": 2, "b": 2, "c": 1, "(others)": 1}


class TestReport:
    NOW = datetime(2026, 12, 1, tzinfo=UTC)
    SCHEMA = build_schema(
        'type Query { new(a: Int, b: Int @deprecated(reason: "b")): E old: Int @deprecated(reason: "old") }'
        ' enum E { A B @deprecated(reason: "B") }'
    )

    def lines(self, *rows: tuple[str, str, int, int], began: int = 100, only_deprecated: bool = True) -> list[str]:
        usage = [
            FieldUsage(
                coordinate=coordinate,
                client=client,
                uses=uses,
                first_used_at=self.NOW - timedelta(days=began),
                last_used_at=self.NOW - timedelta(days=days),
            )
            for coordinate, client, uses, days in rows
        ]
        return [*usage_lines(self.SCHEMA, usage, self.NOW, days=90, only_deprecated=only_deprecated)]

    def test_says_who_uses_what_is_deprecated(self) -> None:
        assert self.lines(
            ("Query.old", "web", 5, 1), ("Query.old", "", 1_200, 3), ("Query.old", "ios", 9, 91), ("E.B", "web", 1, 91)
        ) == [
            "Query.new(b:)  not used for 90 days: may be removed",
            "Query.old  used by (unnamed) (1,200, last 2026-11-28), web (5, last 2026-11-30)",
            "E.B  not used for 90 days: may be removed",
        ]

    def test_waits_until_counting_began_long_enough_ago(self) -> None:
        lines = self.lines(("Query.new", "web", 5, 1), began=89)
        assert lines == [
            f"{name}  not used since counting began on 2026-09-03" for name in ("Query.new(b:)", "Query.old", "E.B")
        ]

    def test_can_list_everything(self) -> None:
        lines = self.lines(("Query.new", "web", 5, 1), only_deprecated=False)
        assert lines[:2] == ["Query.new  used by web (5, last 2026-11-30)", "Query.new(a:)  not used for 90 days"]
        assert len(lines) == 6

    async def test_is_printed_by_a_command(self, database_url: str) -> None:
        nothing = await run_beside("schema", "usage", url=database_url)
        assert (nothing.status, nothing.output) == (1, "")
        assert "GQLAPI_COUNT_USAGE" in nothing.errors
        async with serve(settings_for(database_url, count_usage=True)) as api:
            await send(api, TAGS)
        done = await run_beside("schema", "usage", "--all", url=database_url)
        assert done.status == 0
        [line] = [line for line in done.lines if line.startswith("Tag.name ")]
        assert line.startswith("Tag.name  used by web (1, last 20")
        deprecated = await run_beside("schema", "usage", url=database_url)
        assert (deprecated.status, deprecated.errors) == (0, "Nothing is deprecated.\n")


class TestPruning:
    async def test_forgets_what_a_client_has_not_used_for_a_year(self, database_url: str) -> None:
        database, now = Database(database_url), utc_now()
        async with database.write() as session:
            session.add_all(
                FieldUsage(
                    coordinate="Query", client=str(days), uses=1,
                    first_used_at=now - timedelta(days=500), last_used_at=now - timedelta(days=days),
                )
                for days in (1, 364, 366, 400)
            )  # fmt: skip
        await prune(database, Retention(timedelta(days=1), timedelta(days=1)))
        await database.dispose()
        assert {client for client, _ in await counts(database_url)} == {"1", "364"}
