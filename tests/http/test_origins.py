"""Pages of other origins: preflights, and requests that browsers send without one."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from pydantic import ValidationError

from gqlapi.documents.ids import sha256_id
from gqlapi.settings import Settings
from tests.api import Api, only_error, serve, settings_for

QUERY = {"query": "{ serverInfo { version } }"}
ROWS = {"query": "{ posts { totalCount } }"}
SECRET = "a secret of more than thirty-two characters"
PRODUCTION = {"environment": "production", "secret_key": SECRET}
BLOG, EVIL = "https://blog.example", "https://evil.example"
# What the clients that we know send in addition to the headers that browsers always allow.
REQUEST_HEADERS = (
    "accept,apollo-require-preflight,apollographql-client-name,apollographql-client-version,authorization,content-type,"
    "graphql-client-name,graphql-require-preflight,idempotency-key,traceparent,x-apollo-operation-name,x-request-id"
)
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(sqlite_template: Path) -> AsyncIterator[Api]:
    """A server in production that one other origin may call."""
    url = f"sqlite:///{sqlite_template}"
    async with serve(settings_for(url, **PRODUCTION, cors_origins=[BLOG], cors_max_age_seconds=600)) as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dev_server(sqlite_template: Path) -> AsyncIterator[Api]:
    """A server of a developer."""
    async with serve(settings_for(f"sqlite:///{sqlite_template}")) as api:
        yield api


async def preflight(server: Api, origin: str, method: str = "POST", headers: str = "content-type") -> httpx.Response:
    """Send the request that a browser sends first."""
    return await server.http.options(
        "/graphql",
        headers={"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers},
    )


class TestPreflight:
    @pytest.mark.parametrize(
        "origin", ["http://localhost:3000", "http://127.0.0.1:5173", "https://localhost", "http://[::1]:8080"]
    )
    async def test_lets_localhost_in_while_developing(self, dev_server: Api, origin: str) -> None:
        before = await preflight(dev_server, origin)
        response = await dev_server.http.post("/graphql", json=QUERY, headers={"Origin": origin})
        assert before.headers["Access-Control-Allow-Origin"] == origin
        assert response.headers["Access-Control-Allow-Origin"] == origin

    @pytest.mark.parametrize(
        "origin", [EVIL, "http://localhost.evil.example", "http://evil.example/localhost:1", "null"]
    )
    async def test_lets_nobody_else_in(self, dev_server: Api, origin: str) -> None:
        refused = await preflight(dev_server, origin)
        assert (refused.status_code, "Access-Control-Allow-Origin" in refused.headers) == (400, False)

    async def test_lets_only_configured_origins_in_in_production(self, server: Api, sqlite_url: str) -> None:
        assert (await preflight(server, BLOG)).headers["Access-Control-Allow-Origin"] == BLOG
        assert "Access-Control-Allow-Origin" not in (await preflight(server, "http://localhost:3000")).headers
        async with serve(settings_for(sqlite_url, **PRODUCTION)) as api:
            refused = await preflight(api, BLOG)
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD, POST, QUERY")

    @pytest.mark.parametrize("method", ["GET", "POST", "QUERY"])
    async def test_allows_what_clients_send(self, server: Api, method: str) -> None:
        response = await preflight(server, BLOG, method, REQUEST_HEADERS)
        assert (response.status_code, response.headers["Access-Control-Max-Age"]) == (200, "600")
        assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
        assert response.headers["Access-Control-Allow-Headers"] == REQUEST_HEADERS
        assert "Access-Control-Allow-Credentials" not in response.headers

    async def test_refuses_other_methods(self, server: Api) -> None:
        assert (await preflight(server, BLOG, "DELETE")).status_code == 400

    async def test_allows_credentials_where_they_are_set(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, **PRODUCTION, cors_origins=[BLOG], cors_credentials=True)) as api:
            allowed, refused = await preflight(api, BLOG), await preflight(api, EVIL)
        assert allowed.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Access-Control-Allow-Origin" not in refused.headers


class TestAnswer:
    """What the scripts of an allowed page can read."""

    @pytest.mark.parametrize(
        ("content", "headers", "status"),
        [
            ({"query": "{ __typename }"}, {}, 200),
            ({"query": "{"}, {}, 400),
            ({"qeury": ""}, {}, 422),
            ({"query": "{ __typename }"}, {"Authorization": "Bearer x"}, 401),
            ({"query": "{ __typename }"}, {"Accept": "image/png"}, 406),
        ],
    )
    async def test_is_readable_with_every_status(
        self, server: Api, content: dict[str, str], headers: dict[str, str], status: int
    ) -> None:
        response = await server.http.post("/graphql", json=content, headers={"Origin": BLOG, **headers})
        assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (status, BLOG)
        exposed = "X-Request-Id, X-Position, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, Allow"
        assert response.headers["Access-Control-Expose-Headers"] == exposed
        assert response.headers["Vary"] == "Accept, Origin"

    async def test_is_not_readable_for_other_pages(self, server: Api) -> None:
        response = await server.http.post("/graphql", json=QUERY, headers={"Origin": EVIL})
        assert (response.status_code, "Access-Control-Allow-Origin" in response.headers) == (200, False)


async def send(server: Api, method: str, content: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    if method in {"POST", "QUERY"}:
        return await server.http.request(method, "/graphql", json=content, headers=headers)
    return await server.http.request(method, "/graphql", params=content, headers=headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "QUERY"])
class TestCrossSite:
    @pytest.mark.parametrize(
        "headers",
        [
            *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "", "Same-Origin, cross-site")),
            *({"Origin": origin} for origin in (EVIL, "null", "http://127.0.0.1:1", "https://BLOG.example", "")),
            {**CROSS_SITE, "Origin": EVIL},
            {**CROSS_SITE, "Origin": "http://api.example", "Host": "api.example"},
            {**CROSS_SITE, "Content-Type": "application/json", "X-Requested-With": "x"},
        ],
        ids=str,
    )
    async def test_is_refused_before_anything_runs(self, server: Api, method: str, headers: dict[str, str]) -> None:
        with server.statements() as statements:
            response = await send(server, method, ROWS, headers)
        assert (response.status_code, statements) == (403, [])
        assert method == "HEAD" or only_error(response)["extensions"]["code"] == "FORBIDDEN"

    @pytest.mark.parametrize(
        "name", ["GraphQL-Require-Preflight", "Apollo-Require-Preflight", "X-Apollo-Operation-Name"]
    )
    async def test_is_allowed_after_a_preflight(self, server: Api, method: str, name: str) -> None:
        for headers in (CROSS_SITE, {"Origin": EVIL}):
            assert (await send(server, method, QUERY, {**headers, name: "1"})).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://api.example", "Host": "behind-a-proxy:8000"},
            {"Origin": "https://api.example:8443", "Host": "api.example:8443"},
            {"Origin": BLOG},
            {**CROSS_SITE, "Origin": BLOG},
            {"Sec-Fetch-Site": "same-site", "Origin": BLOG},
        ],
        ids=str,
    )
    async def test_is_not_what_others_send(self, server: Api, method: str, headers: dict[str, str]) -> None:
        assert (await send(server, method, QUERY, headers)).status_code == 200


class TestPost:
    async def test_needs_a_preflight_by_its_media_type_alone(self, server: Api) -> None:
        assert (await send(server, "POST", QUERY, {**CROSS_SITE, "Origin": EVIL})).status_code == 200
        headers = {"Content-Type": "text/plain", "Origin": EVIL}
        response = await server.http.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
        assert response.status_code == 415


class TestSettings:
    @pytest.mark.parametrize(
        "origin",
        ["blog.example", "https://blog.example/", "https://Blog.example", "null", "", "https://*.example", "/"],
    )
    def test_refuse_what_is_no_origin(self, origin: str) -> None:
        with pytest.raises(ValidationError, match="is not an origin such as"):
            Settings(_env_file=None, cors_origins=[origin])

    @pytest.mark.parametrize("origin", ["*", BLOG, "http://localhost:3000", "capacitor://localhost", "http://[::1]:1"])
    def test_accept_origins(self, origin: str) -> None:
        assert Settings(_env_file=None, cors_origins=[origin]).cors_origins == [origin]

    def test_refuse_credentials_for_all_sites(self) -> None:
        with pytest.raises(ValidationError, match="cannot be combined with the origin"):
            Settings(_env_file=None, cors_origins=["*"], cors_credentials=True)

    async def test_may_let_all_sites_in(self, sqlite_url: str) -> None:
        async with serve(settings_for(sqlite_url, **PRODUCTION, cors_origins=["*"])) as api:
            assert (await send(api, "GET", QUERY, {**CROSS_SITE, "Origin": EVIL})).status_code == 200
            assert (await preflight(api, EVIL, "QUERY")).headers["Access-Control-Allow-Origin"] == "*"


async def test_a_document_that_is_known_may_be_read_by_other_sites(sqlite_url: str) -> None:
    text = "{ serverInfo { version } }"
    by_id, named = f"/graphql/documents/{sha256_id(text)}", {"documentId": sha256_id(text)}
    async with serve(settings_for(sqlite_url)) as api:
        registered = await api.http.post(by_id, json={"query": text})
        allowed = await api.http.get(by_id, headers=CROSS_SITE)
        queried = await api.http.request("QUERY", "/graphql", json=named, headers=CROSS_SITE)
        with_text = await api.http.get(by_id, params={"query": text}, headers=CROSS_SITE)
    assert [response.status_code for response in (registered, allowed, queried, with_text)] == [200, 200, 200, 403]
