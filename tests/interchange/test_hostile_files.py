"""Files that were made to do harm: refused one by one, and the rest is imported."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gqlapi.database.unit import Database
from gqlapi.interchange import front_matter
from gqlapi.interchange.exporting import Unwritable, export_blog
from gqlapi.models import User
from tests.interchange.blog import article, lines, posts_of, run_import, write

MANY = 10_000
LONG_NAMES = {
    "key": "a." * MANY + "a = 1",
    "header": f"[{'a.' * MANY}a]",
    "quoted": "x = 1\n" + '"a" . ' * MANY + "'a' = 1",
    "inline": "x = {" + "a." * MANY + "a = 1}",
    "behind a text that ends with four quotes": 'x = {y = """a"""", ' + "a." * MANY + 'a = "z"}',
    "behind a text that ends with four apostrophes": "x = {y = '''a'''', " + "a." * MANY + "a = 'z'}",
    "behind an escaped quote": 'x = {y = "\\"", ' + "a." * MANY + 'a = "z"}',
}
TOO_MANY_PARTS = "a name in its TOML has more than 32 parts"


class TestToml:
    @pytest.mark.parametrize("front", LONG_NAMES.values(), ids=LONG_NAMES.keys())
    async def test_with_long_names_is_not_parsed(
        self, database: Database, tmp_path: Path, front: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parsed: list[int] = []
        parse = tomllib.loads

        def count(text: str) -> dict[str, Any]:
            parsed.append(len(text))
            return parse(text)

        monkeypatch.setattr(tomllib, "loads", count)
        fine = "+++\ntitle = 'B'\ndate = 2021-03-04\n+++\nText.\n"
        outcomes = await run_import(database, write(tmp_path, {"a.md": f"+++\n{front}\n+++\n", "b.md": fine}))
        assert lines(outcomes) == [f"skipped a.md: {TOO_MANY_PARTS}", "created b.md"]
        assert max(parsed) < 100

    def test_may_have_dots_in_texts_numbers_and_comments(self) -> None:
        dots = "a.b." * 100
        front = f"""+++
title = "{dots}" # {dots}
summary = '''
{dots}
''' # "
numbers = [{"1.5, " * 100}]
date = 2021-03-04T05:06:07.123Z
[extra.a.b."c.d"]
e.f = {{ g.h = '{dots}' }}
+++
"""
        fields, _ = front_matter.split(front)
        assert fields["title"] == dots
        assert fields["extra"]["a"]["b"]["c.d"]["e"]["f"]["g"]["h"] == dots


class TestLines:
    async def test_with_control_characters_are_refused_file_by_file(self, database: Database, tmp_path: Path) -> None:
        files = {
            "a.md": article(r'"esc\x1b[31mred"'),
            "b.md": article("Fine ❤️"),
            "c.md": article(r'"two\nlines"'),
            "d.md": article("D", r'author: "bell\x07"'),
            "e.md": article("E", r'tags: ["x\u202Ey"]'),
            "f.md": article(r'"\u200b"'),
            "g.md": article("e\u0301"),
        }
        outcomes = await run_import(database, write(tmp_path, files))
        remove = "It must be one line without invisible characters: remove"
        assert lines(outcomes) == [
            f"skipped a.md: title: {remove} U+001B.",
            "created b.md",
            f"skipped c.md: title: {remove} U+000A.",
            f"skipped d.md: author: {remove} U+0007.",
            f"skipped e.md: tag 'x\\u202ey': {remove} U+202E (RIGHT-TO-LEFT OVERRIDE).",
            f"skipped f.md: title: {remove} U+200B (ZERO WIDTH SPACE).",
            "created g.md",
        ]
        posts = await posts_of(database)
        assert {slug: post.title for slug, post in posts.items()} == {"b": "Fine ❤️", "g": "é"}
        assert [o.path for o in await run_import(database, tmp_path) if o.status == "unchanged"] == ["b.md", "g.md"]

    async def test_that_look_like_a_user_are_refused(self, database: Database, tmp_path: Path) -> None:
        files = {"a.md": article("A", "author: ada"), "b.md": article("B", "author: \u0430da"), "c.md": article("C")}
        outcomes = await run_import(database, write(tmp_path, files))
        assert lines(outcomes)[1] == "skipped b.md: its author \u0430da looks like a user who has another name"
        assert [outcome.status for outcome in outcomes] == ["created", "skipped", "created"]


AUTHORS = "outsider:\n  name: Outsider\n  role: admin\n"


class TestLinks:
    @pytest.mark.parametrize("name", ["_data", "_data/authors.yml"])
    async def test_are_not_followed_to_data(self, database: Database, tmp_path: Path, name: str) -> None:
        outside = write(tmp_path / "outside", {"authors.yml": AUTHORS})
        folder = write(tmp_path / "blog", {"a.md": article()})
        link = folder / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(outside if name == "_data" else outside / "authors.yml")
        outcomes = await run_import(database, folder)
        assert "skipped _data/authors.yml: it is a link, or behind one" in lines(outcomes)
        assert lines(outcomes)[-1] == "created a.md"
        async with database.write() as session:
            assert [*await session.scalars(sa.select(User.username))] == ["editorial"]

    async def test_are_not_followed_to_posts(self, database: Database, tmp_path: Path) -> None:
        outside = write(tmp_path / "outside", {"b.md": article("B")})
        folder = write(tmp_path / "blog", {"a.md": article("A")})
        (folder / "posts").symlink_to(outside)
        (folder / "c.md").symlink_to(outside / "b.md")
        assert lines(await run_import(database, folder)) == ["created a.md", "skipped c.md: it is a link"]

    @pytest.mark.parametrize("kind", ["file", "hard", "dangling", "folder", "data", "pipe"])
    async def test_are_not_written_through(self, database: Database, tmp_path: Path, kind: str) -> None:
        await run_import(database, write(tmp_path / "blog", {"2021-03-04-a.md": article("A")}))
        victim = write(tmp_path / "outside", {"victim.txt": "precious"}) / "victim.txt"
        out = write(tmp_path / "out", {"keep.txt": "x"})
        planted = out / {"folder": "_posts", "data": "_data"}.get(kind, "_posts/2021-03-04-a.md")
        planted.parent.mkdir(exist_ok=True)
        match kind:
            case "file":
                planted.symlink_to(victim)
            case "hard":
                planted.hardlink_to(victim)
            case "dangling":
                planted.symlink_to(victim.with_name("new.txt"))
            case "folder" | "data":
                planted.symlink_to(victim.parent)
            case "pipe":
                os.mkfifo(planted)
        with pytest.raises(Unwritable):
            await export_blog(database, out)
        assert [(path.name, path.read_text()) for path in victim.parent.iterdir()] == [("victim.txt", "precious")]

    async def test_leave_ordinary_files_to_be_overwritten(self, database: Database, tmp_path: Path) -> None:
        await run_import(database, write(tmp_path / "blog", {"2021-03-04-a.md": article("A")}))
        out = write(tmp_path / "out", {"_posts/2021-03-04-a.md": "old and longer than the new one" * 100})
        await export_blog(database, out)
        assert (out / "_posts/2021-03-04-a.md").read_text().endswith("\n---\n\nText.\n")
