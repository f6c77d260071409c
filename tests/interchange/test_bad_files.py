"""Files that an import refuses: one of them loses nothing else."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from gqlapi.database.unit import Database
from gqlapi.errors import Unavailable
from gqlapi.interchange.writing import BlogWriter
from gqlapi.models import Tag
from tests.interchange.blog import article, lines, posts_of, rows_of, run_import, write

MARCH = datetime(2021, 3, 4, tzinfo=UTC)


class TestBadFiles:
    async def test_lose_nothing_else(self, database: Database, tmp_path: Path) -> None:
        bad: dict[str, str | bytes] = {
            "b.md": "---\ntitle: [\n---\n",
            "d.md": b"\xff",
            "e.md": article("x" * 301),
            "README.md": "Hello",
            "f.md": "no front matter",
        }
        good = {f"{name}.md": article(name, "author: ada", "tags: [t]") for name in "aceg" if name != "e"}
        outcomes = await run_import(database, write(tmp_path, {**bad, **good}))
        assert [outcome.path for outcome in outcomes if outcome.is_bad] == ["b.md", "d.md", "e.md"]
        assert [o.path for o in outcomes if o.status == "skipped" and not o.is_bad] == ["README.md", "f.md"]
        assert sorted(await posts_of(database)) == ["a", "c", "g"]

    async def test_that_the_database_refuses_leave_nothing_behind(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = BlogWriter._create

        async def fail_after_all_is_written(self: BlogWriter, rendered: Any, *rest: Any) -> None:
            await whole(self, rendered, *rest)
            if rendered.article.slug == "b":
                await self._session.execute(sa.insert(Tag).values(slug="x", name="", name_key=""))

        monkeypatch.setattr(BlogWriter, "_create", fail_after_all_is_written)
        files = {f"{name}.md": article(name, f"author: {name}{name}", f"tags: [{name}]") for name in "abc"}
        outcomes = await run_import(database, write(tmp_path, files))
        assert lines(outcomes) == ["created a.md", "skipped b.md: the database does not take it", "created c.md"]
        assert sorted(await posts_of(database)) == ["a", "c"]
        rows = await rows_of(database)
        assert {name: len(rows[name]) for name in rows} == {
            "users": 2,
            "tags": 2,
            "posts": 2,
            "post_tags": 2,
            "post_changes": 2,
            "search": 6,
        }

    async def test_are_not_blamed_for_a_database_that_is_gone(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = BlogWriter._create

        async def fail(self: BlogWriter, rendered: Any, *rest: Any) -> None:
            if rendered.article.slug == "70":
                raise OperationalError("INSERT", {}, Exception("database is locked"))
            await whole(self, rendered, *rest)

        monkeypatch.setattr(BlogWriter, "_create", fail)
        write(tmp_path, {f"{n}.md": article() for n in range(10, 80)})
        outcomes = []
        with pytest.raises(Unavailable):
            outcomes += await run_import(database, tmp_path)
        assert len(await posts_of(database)) == 50
        monkeypatch.undo()
        statuses = [outcome.status for outcome in await run_import(database, tmp_path)]
        assert statuses == ["unchanged"] * 50 + ["created"] * 20


class TestBounds:
    async def test_refuse_a_text_that_cannot_be_rendered_and_nothing_else(
        self, database: Database, tmp_path: Path
    ) -> None:
        files = {
            "a.md": article("A"),
            "b.md": article("B", text="[^a]" * 6_000 + "\n\n[^a]: b"),
            "c.md": article("C", text="<div>" * 3_000),
            "d.md": article("D", text="x" * 100_001),
            "e.md": article("E", text="\ufdfa" * 35_156),
            "f.md": article("F"),
        }
        outcomes = await run_import(database, write(tmp_path, files))
        assert [(o.path, o.status, o.is_bad) for o in outcomes] == [
            ("a.md", "created", False),
            ("b.md", "skipped", True),
            ("c.md", "skipped", True),
            ("d.md", "skipped", True),
            ("e.md", "created", False),
            ("f.md", "created", False),
        ]
        assert outcomes[1].reason.startswith("The HTML of the Markdown would be longer than")
        assert {*await posts_of(database)} == {"a", "e", "f"}

    async def test_leave_the_slug_of_a_refused_file_to_the_next(self, database: Database, tmp_path: Path) -> None:
        files = {"a/x.md": article("A", text="<div>" * 3_000), "b/x.md": article("B")}
        await run_import(database, write(tmp_path, files))
        assert {*await posts_of(database)} == {"x"}

    async def test_hold_for_the_text_in_memory(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gqlapi.interchange.importing.TEXT_PER_TRANSACTION", 1_000)
        lengths = (600, 600, 10, 10, 2_000, 10)
        files = {f"{number}.md": article(text="x" * length) for number, length in enumerate(lengths)}
        reports: list[tuple[str, int, int]] = []
        outcomes = await run_import(database, write(tmp_path, files), report=lambda *report: reports.append(report))
        assert reports == [("files", 2, 6), ("files", 5, 6), ("files", 6, 6)]
        assert {outcome.status for outcome in outcomes} == {"created"}
