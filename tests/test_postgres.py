from pathlib import Path

import pytest

from tests.postgres import BINARIES_VARIABLE, PostgresUnavailable, PrivatePostgres, find_binaries


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


class TestPrivatePostgres:
    async def test_leaves_no_process_and_no_folder(self) -> None:
        private = PrivatePostgres()
        with private as server:
            assert private.folder.is_dir()
            await server.create_database("first")
            await server.create_database("second", template="first")
            await server.drop_database("first")
        assert private.process is not None
        assert private.process.returncode == 0
        assert not private.folder.exists()

    @pytest.mark.parametrize(
        ("initdb", "postgres"), [("echo no space left; exit 1", "exit 0"), ("exit 0", "echo no space left; exit 1")]
    )
    def test_tells_why_it_does_not_start(self, tmp_path: Path, initdb: str, postgres: str) -> None:
        # Inside a folder of pytest, which is closed to other accounts: root has to copy the programs.
        binaries = tmp_path / "install" / "bin"
        binaries.mkdir(parents=True)
        write_program(binaries / "initdb", initdb)
        write_program(binaries / "postgres", postgres)
        private = PrivatePostgres(binaries)
        with pytest.raises(PostgresUnavailable, match="no space left"), private:
            pass
        assert not private.folder.exists()


class TestFindBinaries:
    def test_tells_what_to_do_when_there_are_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(BINARIES_VARIABLE, str(tmp_path))
        with pytest.raises(PostgresUnavailable, match="install it"):
            find_binaries()
