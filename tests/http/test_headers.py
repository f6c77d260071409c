"""The headers of all answers, and the Hosts that requests may name."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api import Api, only_error, serve, settings_for

SECRET = "a secret of more than thirty-two characters"
PRODUCTION = {"environment": "production", "secret_key": SECRET}
QUERY = {"query": "{ __typename }"}
SIGN_IN = {"query": 'mutation { signIn(input: { login: "x", password: "y" }) { accessToken } }'}
JSON = {"Content-Type": "application/json"}
HTML = {"Accept": "text/html"}
# Each kind of answer: how it is asked for, and its status in production.
REQUESTS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "a query": ("POST", "/graphql", {"json": QUERY}, 200),
    "a query in a URL": ("GET", "/graphql", {"params": QUERY}, 200),
    "a mutation": ("POST", "/graphql", {"json": SIGN_IN}, 200),
    "a bad body": ("POST", "/graphql", {"content": b"{", "headers": JSON}, 400),
    "a bad token": ("POST", "/graphql", {"json": QUERY, "headers": {"Authorization": "Bearer x"}}, 401),
    "a query in a body": ("QUERY", "/graphql", {"json": QUERY}, 200),
    "a bad method": ("DELETE", "/graphql", {}, 405),
    "a bad media type": ("POST", "/graphql", {"content": b"x"}, 415),
    "a page": ("GET", "/graphql", {"headers": HTML}, 404),
    "a redirect": ("GET", "/", {}, 307),
    "a slash": ("POST", "/graphql/", {"json": QUERY}, 307),
    "nothing": ("GET", "/nothing/", {}, 404),
    "health": ("GET", "/healthz", {}, 200),
    "readiness": ("GET", "/readyz", {}, 200),
}


async def ask(api: Api, name: str, **headers: str) -> httpx.Response:
    method, path, options, _ = REQUESTS[name]
    return await api.http.request(method, path, **{**options, "headers": {**options.get("headers", {}), **headers}})


@pytest.fixture(scope="module")
def url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database that the tests share; what they write to it is never read."""
    return f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path_factory.mktemp('headers') / 'gqlapi.db')}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dev(url: str) -> AsyncIterator[Api]:
    """A server of a developer."""
    async with serve(settings_for(url)) as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def production(url: str) -> AsyncIterator[Api]:
    """A server in production."""
    async with serve(settings_for(url, **PRODUCTION)) as api:
        yield api


@pytest.mark.parametrize("name", REQUESTS)
class TestEveryAnswer:
    async def test_has_the_headers_that_browsers_need_to_be_strict(self, dev: Api, production: Api, name: str) -> None:
        for api in (dev, production):
            response = await ask(api, name)
            assert response.headers.get_list("X-Content-Type-Options") == ["nosniff"]
            assert response.headers.get_list("Referrer-Policy") == ["no-referrer"]
            is_page = response.headers.get("Content-Type", "").startswith("text/html")
            assert ("frame-ancestors 'none'" in response.headers.get("Content-Security-Policy", "")) == is_page
            assert response.status_code == REQUESTS[name][3] or (api, name) == (dev, "a page")

    async def test_leads_to_no_host_that_the_client_sent(self, production: Api, name: str) -> None:
        response = await ask(production, name, Host="evil.example")
        assert response.status_code == REQUESTS[name][3]
        assert "evil" not in f"{response.headers} {response.text}"
        assert response.headers.get("Location") in ({"/graphql"} if response.status_code == 307 else {None})


class TestCaching:
    @pytest.mark.parametrize(
        "name", [name for name, (method, path, *_) in REQUESTS.items() if (method, path) == ("POST", "/graphql")]
    )
    async def test_is_forbidden_where_tokens_may_be(self, dev: Api, name: str) -> None:
        assert (await ask(dev, name)).headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("name", ["a query in a URL", "a query in a body", "a bad method"])
    async def test_is_forbidden_without_the_id_of_a_document(self, dev: Api, name: str) -> None:
        for headers in ({}, {"Authorization": "Bearer gqlapi_x"}):
            assert (await ask(dev, name, **headers)).headers.get_list("Cache-Control") == ["no-store"]


class TestHost:
    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:8000", "api.localhost", "127.0.0.1", "10.1.2.3:99", "[::1]:8000", "localhost."]
    )
    async def test_of_this_machine_is_allowed_in_dev(self, dev: Api, host: str) -> None:
        for name in ("a query", "a page", "health"):
            assert (await ask(dev, name, Host=host)).status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:8000", "localhost.evil.example", "xlocalhost", "127.0.0.1.evil.example", "[x]"],
    )
    async def test_that_may_lead_anywhere_is_refused_in_dev(self, dev: Api, host: str) -> None:
        for name in ("a query", "a page", "a mutation", "health"):
            response = await ask(dev, name, Host=host)
            assert response.status_code == 400
            error = only_error(response)
            assert error["extensions"] == {"code": "BAD_REQUEST"}
            assert error["message"] == f"The Host {host!r} is not allowed. GQLAPI_ALLOWED_HOSTS allows names."
            assert response.headers["X-Request-Id"]

    async def test_is_any_in_production_unless_some_are_named(self, production: Api, sqlite_url: str) -> None:
        assert (await ask(production, "a query", Host="blog.example")).status_code == 200
        async with serve(settings_for(sqlite_url, **PRODUCTION, allowed_hosts=["Blog.example"])) as api:
            found = {
                host: (await ask(api, "a query", Host=host)).status_code for host in ("blog.EXAMPLE:443", "b.example")
            }
            assert found == {"blog.EXAMPLE:443": 200, "b.example": 400}
            assert (await ask(api, "health")).status_code == 200

    async def test_may_be_the_one_that_is_listened_on(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, host="mybox.lan")) as api:
            assert (await ask(api, "a query", Host="mybox.lan:8000")).status_code == 200
