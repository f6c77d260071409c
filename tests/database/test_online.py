"""Revisions that do not stop the traffic: the examples of docs/migrations.md, followed to the letter."""

import asyncio
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.database import migrations, online
from gqlapi.database.migrations import connect, current_revision, head_revision, known_revisions, upgrade
from gqlapi.database.types import utc_now
from tests.api import serve, settings_for
from tests.architecture import ROOT
from tests.commands import run_beside
from tests.database.test_text_keys import execute, migrate
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.guide import BLOCK
from tests.signing_in import sign_in_as

FIRST, LAST = "51e0000000a1", "51e0000000a4"
COUNT = 5
CREATE = 'mutation($t: String!) { createPost(input: {title: $t, markdown: "x"}) { post { id } errors { message } } }'


@pytest.fixture
def examples(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The revisions of the documentation, after ours, which have made the template of the databases."""
    assert database_url
    head = head_revision()
    scripts = shutil.copytree(migrations.scripts_directory(), tmp_path / "scripts")
    for _, title, code in BLOCK.findall((ROOT / "docs" / "migrations.md").read_text()):
        if title:
            text = re.sub(r'down_revision = "e.*"', f'down_revision = "{head}"', code)
            (scripts / "versions" / Path(title).name).write_text(text)
    monkeypatch.setattr(migrations, "scripts_directory", lambda: scripts)
    monkeypatch.setattr(online, "BATCH_SIZE", 2)
    return scripts


@pytest.fixture
async def url(database_url: str) -> str:
    """A database with posts."""
    async with serve(settings_for(database_url)) as api:
        ada = make_user(username="ada")
        await save(api.database, [ada, *(make_post(ada, title=f"Title {number}") for number in range(COUNT))])
    return database_url


async def subtitles(url: str) -> list[Any]:
    async with connect(url) as connection:
        return [*(await connection.exec_driver_sql("SELECT subtitle FROM posts ORDER BY id")).scalars()]


async def columns(url: str) -> dict[str, Any]:
    async with connect(url) as connection:
        found = await connection.run_sync(lambda sync: sa.inspect(sync).get_columns("posts"))
    return {column["name"]: column for column in found}


async def indexes(url: str) -> set[str | None]:
    async with connect(url) as connection:
        found = await connection.run_sync(lambda sync: sa.inspect(sync).get_indexes("posts"))
    return {index["name"] for index in found}


@pytest.mark.usefixtures("examples")
class TestExamples:
    async def test_go_up_and_down(self, url: str) -> None:
        await upgrade(url)
        assert await subtitles(url) == [f"Title {number}" for number in range(COUNT)]
        assert not (await columns(url))["subtitle"]["nullable"]
        assert "ix_posts_subtitle_id" in await indexes(url)
        await migrate(url, "downgrade", f"{FIRST}-1")
        assert "subtitle" not in await columns(url)
        await upgrade(url)
        assert await current_revision(url) == LAST

    async def test_let_the_version_before_write(self, url: str) -> None:
        await upgrade(url)
        async with serve(settings_for(url)) as api:
            await save(api.database, [bela := make_user(), make_post(bela, title="New")])
        assert (await subtitles(url))[-1] == ""

    async def test_continue_where_they_were_stopped(
        self, url: str, dialect: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batches: list[int] = []
        original = online.change_in_batches

        def stop(table: sa.TableClause, is_due: Any, change: Any) -> int:
            def failing(connection: sa.Connection, keys: Sequence[Any]) -> None:
                batches.append(len(keys))
                if len(batches) == 2:
                    raise ZeroDivisionError
                change(connection, keys)

            return original(table, is_due, failing)

        monkeypatch.setattr(online, "change_in_batches", stop)
        with pytest.raises(ZeroDivisionError):
            await upgrade(url)
        if dialect == "postgresql":
            assert [text is None for text in await subtitles(url)] == [False, False, True, True, True]
        await upgrade(url)
        assert batches == ([2, 2, 2, 1] if dialect == "postgresql" else [2, 2, 2, 2, 1])
        assert None not in await subtitles(url)

    async def test_refuse_a_change_that_leaves_rows_due(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        original = online.change_in_batches

        def change_nothing(table: sa.TableClause, is_due: Any, _: Any) -> int:
            return original(table, is_due, lambda *_: None)

        monkeypatch.setattr(online, "change_in_batches", change_nothing)
        with pytest.raises(RuntimeError, match="still due"):
            await upgrade(url)

    async def test_build_an_index_anew_that_is_invalid(self, url: str, dialect: str) -> None:
        await upgrade(url)
        if dialect == "sqlite":
            return  # an index is there as a whole or not at all
        await execute(url, "UPDATE alembic_version SET version_num = '51e0000000a3'")
        await execute(
            url,
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_posts_subtitle_id'::regclass",
        )
        await upgrade(url)
        async with connect(url) as connection:
            valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_posts_subtitle_id'::regclass"
            assert (await connection.exec_driver_sql(valid)).scalar() is True

    async def test_fail_no_request_of_a_server_that_writes(self, url: str) -> None:
        async with serve(settings_for(url)) as api:
            await save(api.database, [bela := make_user()])
            mine = await sign_in_as(api, bela)
            done = asyncio.Event()
            outcomes: list[list[Any]] = []

            async def write(number: int) -> None:
                while not done.is_set():
                    title = f"{number} {len(outcomes)}"
                    outcomes.append((await mine.data(CREATE, {"t": title}))["createPost"]["errors"])

            writers = [asyncio.create_task(write(number)) for number in range(4)]
            while len(outcomes) < 8:
                await asyncio.sleep(0.001)
            before = len(outcomes)
            await upgrade(url)
            done.set()
            await asyncio.gather(*writers)
        assert outcomes == [[]] * len(outcomes)
        assert len(outcomes) > before
        assert await current_revision(url) == LAST


class TestAllRevisions:
    async def test_take_rows_of_the_first_to_the_last(self, database_url: str) -> None:
        async with serve(settings_for(database_url)) as api:
            ada, tag = make_user(username="ada", bio="Bio"), make_tag(name="Quince")
            posts = [make_post(ada, tag, title=f"Quince {number}") for number in range(3)]
            await save(api.database, [ada, tag, *posts, make_draft(ada, tag), make_post(ada, deleted_at=utc_now())])
            expected = await api.data(ROWS)
        revisions = [*reversed(known_revisions())]
        await migrate(database_url, "downgrade", revisions[0])
        for revision in revisions:
            await migrate(database_url, "upgrade", revision)
            assert await current_revision(database_url) == revision
        async with serve(settings_for(database_url)) as api:
            assert await api.data(ROWS) == expected
        done = await run_beside("doctor", url=database_url, port="0")
        assert done.status == 0


ROWS = """{
  posts(first: 9) { totalCount nodes { id slug title publishedAt createdAt version author { username bio }
    tags { name slug } } }
  search(query: "quince", first: 9) { nodes { __typename } }
}"""


class TestDefaults:
    async def test_make_rows_of_other_programs_valid(self, url: str, dialect: str) -> None:
        id_ = "gen_random_uuid()" if dialect == "postgresql" else "lower(hex(randomblob(16)))"
        names = "author_id, title, title_key, state, published_at, reading_time_minutes, renderer, markdown, html, text"
        await execute(url, f"INSERT INTO posts (id, slug, {names}) SELECT {id_}, 'foreign', {names} FROM posts LIMIT 1")  # noqa: S608 - our own names
        async with serve(settings_for(url)) as api:
            query = '{ post(by: {slug: "foreign"}) { version createdAt updatedAt } }'
            post = (await api.data(query))["post"]
        assert post["version"] == 1
        assert post["createdAt"] == post["updatedAt"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|\+00:00)", post["createdAt"])
        assert post["createdAt"][:13] <= utc_now().isoformat()[:13]


class TestCheck:
    async def test_changes_nothing(self, database_url: str) -> None:
        done = await run_beside("migrate", "--check", url=database_url)
        assert (done.status, head_revision() in done.errors) == (0, True)
        await migrate(database_url, "downgrade", "-1")
        done = await run_beside("migrate", "--check", url=database_url)
        assert (done.status, "1 behind" in done.errors) == (1, True)
        assert await current_revision(database_url) != head_revision()
