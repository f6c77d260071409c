"""GraphiQL as a browser gets it: the page, its files, and the page of a server without them."""

import gzip
import json
import os
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gqlapi.http.graphiql import bundle, fallback, waiting
from gqlapi.http.graphiql.build import INSTALLING
from gqlapi.http.graphiql.bundle import MANIFEST, compress
from gqlapi.http.graphiql.examples import load_examples
from gqlapi.http.graphiql.progress import NAME, STALE_SECONDS, ProgressFile
from tests.api import Api, serve, settings_for

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT, STYLE = "graphiql-AAAA.js", "graphiql-BBBB.css"
FILES = {SCRIPT: "console.log(1);", STYLE: "body { margin: 0 }", "codicon-CCCC.ttf": "glyphs", "LICENSES.txt": "MIT"}


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def config(self) -> dict[str, Any]:
        """Return the configuration of the page's script."""
        text = next(attributes["data-config"] for _, attributes in self.found if attributes.get("id") == "graphiql")
        config: dict[str, Any] = json.loads(text)
        return config

    def addresses(self) -> list[str]:
        return [tag[name] for _, tag in self.found for name in ("src", "href") if name in tag]


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the server looks for a bundle; it holds none."""
    folder = tmp_path / "bundles"
    monkeypatch.setattr(bundle, "BUNDLES", folder)
    return folder


@pytest.fixture
def small_bundle(bundles: Path) -> Path:
    """A bundle with little in it."""
    folder = bundles / "0123456789abcdef"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / MANIFEST).write_text(json.dumps({"script": SCRIPT, "style": STYLE}))
    compress(folder)
    return folder


@pytest_asyncio.fixture
async def api(sqlite_url: str, bundles: Path) -> AsyncIterator[Api]:  # noqa: ARG001 - it must be there before the server
    """A client of a server; nothing here depends on the database."""
    async with serve(settings_for(sqlite_url)) as client:
        yield client


@pytest.mark.usefixtures("small_bundle")
class TestPage:
    @pytest.mark.parametrize("accept", [BROWSER["Accept"], BROWSER["Accept"].upper()])
    async def test_is_what_a_browser_gets(self, api: Api, accept: str) -> None:
        response = await api.http.get("/graphql", headers={"Accept": accept})
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "Accept" in response.headers["vary"].split(", ")
        addresses = ["data:,", f"graphql/assets/{STYLE}", f"graphql/assets/{SCRIPT}"]
        assert Tags(response.text).addresses() == addresses

    async def test_holds_the_endpoint_and_the_examples(self, api: Api) -> None:
        config = Tags((await api.http.get("/graphql", headers=BROWSER)).text).config()
        assert config["endpoint"] == "graphql"
        assert config["examples"] == load_examples()

    async def test_knows_the_demo_users_only_in_development(self, api: Api, sqlite_url: str) -> None:
        in_production = settings_for(sqlite_url, graphiql=True, environment="production", secret_key="x" * 32)
        async with serve(in_production) as production:
            pages = [await each.http.get("/graphql", headers=BROWSER) for each in (api, production)]
        demo = {"logins": ["admin", "editor", "author", "reader"], "password": "gqlapi-demo"}
        assert [Tags(page.text).config()["demo"] for page in pages] == [demo, None]

    async def test_names_no_other_host(self, api: Api) -> None:
        response = await api.http.get("/graphql", headers=BROWSER)
        assert "//" not in response.text
        assert not re.search(r"[*/]|https?:|blob:|unsafe-eval", response.headers["content-security-policy"])

    async def test_runs_no_inline_script(self, api: Api) -> None:
        response = await api.http.get("/graphql", headers=BROWSER)
        policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == "'self'"
        assert not [tag for tag in Tags(response.text).found if tag[0] == "script" and "src" not in tag[1]]

    async def test_is_sent_once(self, api: Api) -> None:
        first = await api.http.get("/graphql", headers=BROWSER)
        again = await api.http.get("/graphql", headers={**BROWSER, "If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]

    @pytest.mark.parametrize("accept", ["*/*", "application/json", "application/graphql-response+json"])
    async def test_is_not_for_other_clients(self, api: Api, accept: str) -> None:
        response = await api.http.get("/graphql", headers={"Accept": accept})
        assert "text/html" not in response.headers.get("content-type", "")

    async def test_leaves_queries_to_the_endpoint(self, api: Api) -> None:
        query = {"query": "{ __typename }"}
        for response in (
            await api.http.get("/graphql", params=query, headers={"Accept": "application/json"}),
            await api.http.post("/graphql", json=query, headers=BROWSER),
        ):
            assert response.json()["data"] == {"__typename": "Query"}

    async def test_opens_links_to_queries(self, api: Api) -> None:
        response = await api.http.get("/graphql", params={"query": "{ __typename }"}, headers=BROWSER)
        assert response.headers["content-type"] == "text/html; charset=utf-8"

    async def test_is_not_served_where_it_is_off(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, graphiql=False)) as api:
            page = await api.http.get("/graphql", headers=BROWSER)
            asset = await api.http.get(f"/graphql/assets/{SCRIPT}")
        assert "text/html" not in page.headers.get("content-type", "")
        assert asset.status_code == 404


@pytest.mark.usefixtures("small_bundle")
class TestAssets:
    @pytest.mark.parametrize(
        ("name", "media_type"),
        list(zip(FILES, ["text/javascript", "text/css", "font/ttf", "text/plain"], strict=True)),
    )
    async def test_have_their_type(self, api: Api, name: str, media_type: str) -> None:
        response = await api.http.get(f"/graphql/assets/{name}")
        assert (response.status_code, response.text) == (200, FILES[name])
        assert response.headers["content-type"].partition(";")[0] == media_type
        assert response.headers["x-content-type-options"] == "nosniff"

    async def test_are_kept_for_ever(self, api: Api) -> None:
        response = await api.http.get(f"/graphql/assets/{SCRIPT}")
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"

    async def test_travel_as_the_client_takes_them(self, api: Api) -> None:
        packed = await api.http.get(f"/graphql/assets/{SCRIPT}", headers={"Accept-Encoding": "br, gzip"})
        plain = await api.http.get(f"/graphql/assets/{SCRIPT}", headers={"Accept-Encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.content == plain.content == FILES[SCRIPT].encode()
        assert packed.headers["etag"] != plain.headers["etag"]
        assert all("Accept-Encoding" in response.headers["vary"].split(", ") for response in (packed, plain))

    @pytest.mark.parametrize(
        ("codings", "is_packed"),
        [("gzip", True), ("br, gzip;q=0.5", True), ("", False), ("br", False), ("gzip;q=0, br", False)],
    )
    async def test_are_packed_only_for_who_asks(self, api: Api, codings: str, *, is_packed: bool) -> None:
        response = await api.http.get(f"/graphql/assets/{SCRIPT}", headers={"Accept-Encoding": codings})
        assert ("content-encoding" in response.headers) is is_packed

    async def test_are_sent_once(self, api: Api) -> None:
        etag = (await api.http.get(f"/graphql/assets/{SCRIPT}")).headers["etag"]
        again = await api.http.get(f"/graphql/assets/{SCRIPT}", headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert "content-encoding" not in again.headers

    @pytest.mark.parametrize(
        "name",
        [
            MANIFEST,
            f"{SCRIPT}.gz",
            "",
            "nothing.js",
            f"..%2f0123456789abcdef%2f{SCRIPT}.gz",
            "%2e%2e/%2e%2e/page.py",
            "..%5c..%5cpage.py",
            "%2fetc%2fpasswd",
            f"{SCRIPT}%00",
        ],
    )
    async def test_lead_nowhere_else(self, api: Api, name: str) -> None:
        assert (await api.http.get(f"/graphql/assets/{name}")).status_code == 404

    async def test_are_those_of_the_newest_bundle(self, api: Api, small_bundle: Path) -> None:
        assert (await api.http.get(f"/graphql/assets/{SCRIPT}")).status_code == 200
        newer = small_bundle.rename(small_bundle.with_name("fedcba9876543210"))
        (newer / f"{SCRIPT}.gz").write_bytes(gzip.compress(b"newer"))
        assert (await api.http.get(f"/graphql/assets/{SCRIPT}")).text == "newer"


class TestWaitingPage:
    @pytest.fixture
    def progress(self, bundles: Path) -> ProgressFile:
        progress = ProgressFile(bundles)
        progress(INSTALLING)
        return progress

    async def test_is_shown_while_the_bundle_is_built(self, api: Api, progress: ProgressFile) -> None:
        page = await api.http.get("/graphql", headers=BROWSER)
        assert "GraphiQL is being built" in page.text
        assert "//" not in page.text
        (name,) = waiting.FILES
        assert Tags(page.text).addresses() == ["data:,", f"graphql/assets/{name}"]
        assert (await api.http.get(f"/graphql/assets/{name}")).status_code == 200
        progress.remove()
        assert "GraphiQL is being built" not in (await api.http.get("/graphql", headers=BROWSER)).text

    @pytest.mark.usefixtures("progress")
    async def test_asks_for_the_progress(self, api: Api, request: pytest.FixtureRequest) -> None:
        response = await api.http.get("/graphql/assets/build.json")
        assert response.json() == {"built": False, "progress": {"step": INSTALLING, "seconds": 0}}
        assert response.headers["cache-control"] == "no-store"
        request.getfixturevalue("small_bundle")
        response = await api.http.get("/graphql/assets/build.json")
        assert response.json() == {"built": True, "progress": None}

    @pytest.mark.usefixtures("progress")
    async def test_forgets_a_builder_that_was_killed(self, api: Api, bundles: Path) -> None:
        path = bundles / NAME
        long_ago = path.stat().st_mtime - STALE_SECONDS
        os.utime(path, (long_ago, long_ago))
        assert (await api.http.get("/graphql/assets/build.json")).json() == {"built": False, "progress": None}
        assert "GraphiQL is not built" in (await api.http.get("/graphql", headers=BROWSER)).text


class TestFallbackPage:
    async def test_loads_pinned_files_from_one_host(self, api: Api) -> None:
        response = await api.http.get("/graphql", headers=BROWSER)
        cdn = Tags(response.text).config()["cdn"]
        foreign = [*cdn["scripts"], *cdn["styles"]]
        assert len(foreign) == len(fallback.SCRIPTS) + len(fallback.STYLES)
        for address, integrity in foreign:
            assert re.fullmatch(re.escape(fallback.HOST) + r"(@[\w-]+/)?[\w-]+@\d+\.\d+\.\d+/[\w./-]+", address)
            assert re.fullmatch(r"sha256-[\w+/]{43}=", integrity)
        allowed = re.findall(r"https?://\S+?(?=[ ;])", response.headers["content-security-policy"])
        assert allowed == [address for address, _ in foreign]

    async def test_is_not_held_up_by_the_other_host(self, api: Api) -> None:
        # A tag would keep the page blank for as long as that host does not answer.
        page = Tags((await api.http.get("/graphql", headers=BROWSER)).text)
        assert [address for address in page.addresses() if "//" in address] == []

    async def test_is_started_by_a_file_of_its_own(self, api: Api) -> None:
        page = Tags((await api.http.get("/graphql", headers=BROWSER)).text)
        response = await api.http.get("/" + page.addresses()[-1])
        assert response.text == Path(fallback.__file__).with_suffix(".js").read_text()

    async def test_says_how_to_build(self, api: Api) -> None:
        page = (await api.http.get("/graphql", headers=BROWSER)).text
        assert re.sub("</?code>", "`", page).count(fallback.REMEDY) == 1

    async def test_gives_way_to_a_bundle(self, api: Api, request: pytest.FixtureRequest) -> None:
        assert fallback.HOST in (await api.http.get("/graphql", headers=BROWSER)).text
        request.getfixturevalue("small_bundle")
        assert fallback.HOST not in (await api.http.get("/graphql", headers=BROWSER)).text
