"""`gqlapi import` and `gqlapi export`, as a person runs them."""

import pytest

from tests.interchange.blog import article, write
from tests.processes import Folder


@pytest.fixture
def folder(folder: Folder) -> Folder:
    """A directory with a migrated, empty database and a blog."""
    assert folder.run("migrate").returncode == 0
    write(folder.path, {"blog/2021-03-04-a.md": article("A", "tags: [x]"), "blog/README.md": "Read me."})
    return folder


class TestImport:
    def test_prints_a_line_for_each_file_and_the_counts(self, folder: Folder) -> None:
        for status, counts in (("created", "1 created, 0 updated, 0"), ("unchanged", "0 created, 0 updated, 1")):
            result = folder.run("import", "blog")
            assert result.returncode == 0
            assert result.stdout == f"{status:<9}  2021-03-04-a.md\nskipped    README.md: it is no post\n"
            assert result.stderr == f"files: 2\n{counts} unchanged, 1 skipped.\n"

    def test_fails_when_a_file_is_bad(self, folder: Folder) -> None:
        write(folder.path, {"blog/b.md": "---\ntitle: [\n---\n"})
        result = folder.run("import", "blog")
        assert result.returncode == 1
        assert "created    2021-03-04-a.md" in result.stdout
        assert "skipped    b.md: its YAML cannot be read: " in result.stdout
        assert result.stderr.endswith("1 created, 0 updated, 0 unchanged, 2 skipped, 1 of them need fixing.\n")

    def test_tells_what_a_dry_run_would_do(self, folder: Folder) -> None:
        for _ in range(2):
            result = folder.run("import", "blog", "--dry-run")
            assert (result.returncode, result.stdout.splitlines()[0]) == (0, "created    2021-03-04-a.md")
            assert "Nothing was written; it would be: 1 created, " in result.stderr

    @pytest.mark.parametrize("line", ["GQLAPI_DATABASE_URL=sqlite:///other.db", "  export gqlapi_port=1"])
    def test_does_not_read_the_settings_of_a_foreign_folder(self, folder: Folder, line: str) -> None:
        write(folder.path, {".env": f"A=1\n{line}\n"})
        result = folder.run("import", "blog")
        assert (result.returncode, result.stdout) == (2, "")
        assert "`import` does not read .env" in result.stderr
        assert not (folder.path / "other.db").exists()

    def test_reads_the_settings_that_it_is_given(self, folder: Folder) -> None:
        write(folder.path, {".env": "GQLAPI_DATABASE_URL=sqlite:///none/other.db\n"})
        result = folder.run("import", "blog", "--env-file", ".env")
        assert (result.returncode, "the folder none does not exist" in result.stderr) == (2, True)

    def test_passes_over_settings_of_others(self, folder: Folder) -> None:
        write(folder.path, {".env": "# GQLAPI_PORT=1\nHUGO_ENV=x\nOTHER_GQLAPI_PORT=x\n"})
        assert folder.run("import", "blog").returncode == 0

    def test_takes_an_author_for_posts_without_one(self, folder: Folder) -> None:
        assert folder.run("import", "blog", "--author", "Ada L").returncode == 0
        assert folder.run("export", "out").returncode == 0
        assert "author: ada-l\n" in (folder.path / "out/_posts/2021-03-04-a.md").read_text()

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [(["nowhere"], "nowhere is not a folder."), (["blog", "--author", " "], "--author is not a name.")],
    )
    def test_refuses_wrong_arguments(self, folder: Folder, arguments: list[str], problem: str) -> None:
        result = folder.run("import", *arguments)
        assert (result.returncode, result.stdout, result.stderr) == (2, "", f"error {problem}\n")

    def test_says_that_there_are_no_tables(self, folder: Folder) -> None:
        (folder.path / "gqlapi.db").write_bytes(b"")
        result = folder.run("import", "blog")
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith("error The database cannot be used: no such table")

    def test_says_that_the_database_is_gone(self, folder: Folder) -> None:
        result = folder.run("import", "blog", database_url="postgresql://gqlapi:hunter2@127.0.0.1:1/gqlapi")
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith("error ")
        assert not any(word in result.stderr for word in ("Traceback", "hunter2"))


class TestExport:
    def test_writes_what_import_reads(self, folder: Folder) -> None:
        folder.run("import", "blog")
        result = folder.run("export", "new/out")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "posts: 1\nWrote 1 posts.\n")
        again = folder.run("import", "new/out")
        assert (again.returncode, again.stdout) == (0, "unchanged  _posts/2021-03-04-a.md\n")

    def test_keeps_out_of_a_folder_with_files(self, folder: Folder) -> None:
        folder.run("import", "blog")
        refused = folder.run("export", "blog")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == "error blog is not empty; --force writes into it nevertheless.\n"
        assert not (folder.path / "blog/_posts").exists()
        assert folder.run("export", "blog", "--force").returncode == 0
        assert (folder.path / "blog/README.md").exists()

    def test_says_what_cannot_be_written(self, folder: Folder) -> None:
        assert folder.run("export", "gqlapi.db").stderr == "error gqlapi.db is not a folder.\n"
        write(folder.path, {"out/_data": "in the way"})
        result = folder.run("export", "out", "--force")
        assert (result.returncode, "Traceback" in result.stderr) == (1, False)
        assert result.stderr.startswith("error out/_data/authors.yml cannot be written: ")
