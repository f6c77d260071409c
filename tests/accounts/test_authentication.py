"""Which requests are somebody's, and which are refused."""

import asyncio
import base64
import json
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
import sqlalchemy as sa

from gqlapi.accounts.authentication import USE_PRECISION
from gqlapi.accounts.tokens import AccessTokens, Claims
from gqlapi.database.types import utc_now
from gqlapi.models import ApiScope, ApiToken, Session, User, new_id
from gqlapi.settings import DEV_SECRET_KEY
from tests.api import Api, gets_everything_back, only_error, serve, settings_for
from tests.factories import make_draft, make_user, save
from tests.signing_in import accounts_of, sign_in_as, with_api_token

VIEWER = "{ viewer { username } }"
SIGN_IN = 'signIn(input: {login: "ada", password: "correct horse"}) { errors { code } }'
SIGN_OUT = "signOut(input: {}) { errors { code } }"
LIFETIME = timedelta(minutes=15)


async def make_ada(api: Api, **values: Any) -> User:
    ada = make_user(username="ada", **values)
    await save(api.database, [ada])
    return ada


async def open_session(api: Api, user: User) -> Claims:
    session = Session(id=new_id(), user_id=user.id, expires_at=utc_now() + timedelta(days=1))
    async with api.database.write() as transaction:
        transaction.add(session)
    return Claims(user.id, session.id)


def forge(
    api: Api, claims: Claims, *, key: bytes | None = None, headers: Any = None, algorithm: str = "HS256", **changes: Any
) -> str:
    """Create a token like the server's, with something else about it; None leaves a claim out."""
    keys = accounts_of(api).access_tokens._keys
    (key_id, own_key) = next(iter(keys.items()))
    payload = {
        "iss": "gqlapi",
        "aud": "gqlapi",
        "sub": str(claims.user_id),
        "sid": str(claims.session_id),
        "iat": utc_now(),
        "exp": utc_now() + LIFETIME,
        **changes,
    }
    payload = {name: value for name, value in payload.items() if value is not None}
    with warnings.catch_warnings(action="ignore"):  # the key is short for another algorithm
        return jwt.encode(payload, key or own_key, algorithm, headers=headers or {"kid": key_id})


def tampered(api: Api, claims: Claims) -> str:
    """Name another user, under the signature of the first."""
    header, payload, signature = forge(api, claims).split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = json.dumps({**content, "sub": str(new_id())}).encode()
    return f"{header}.{base64.urlsafe_b64encode(changed).decode().rstrip('=')}.{signature}"


def unsigned(api: Api, claims: Claims) -> str:
    _, payload, _ = forge(api, claims).split(".")
    key_id = next(iter(accounts_of(api).access_tokens._keys))
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT", "kid": key_id}).encode()).decode()
    return f"{header.rstrip('=')}.{payload}."


FORGERIES: dict[str, Callable[[Api, Claims], str]] = {
    "tampered": tampered,
    "alg none": unsigned,
    "expired": lambda api, claims: forge(api, claims, exp=utc_now() - timedelta(seconds=1)),
    "without exp": lambda api, claims: forge(api, claims, exp=None),
    "without sid": lambda api, claims: forge(api, claims, sid=None),
    "another audience": lambda api, claims: forge(api, claims, aud="other"),
    "another issuer": lambda api, claims: forge(api, claims, iss="other"),
    "another algorithm": lambda api, claims: forge(api, claims, algorithm="HS512"),
    "another key": lambda api, claims: forge(api, claims, key=b"x" * 32),
    "the bare secret": lambda api, claims: forge(api, claims, key=DEV_SECRET_KEY.encode()),
    "an unknown key id": lambda api, claims: forge(api, claims, headers={"kid": "0" * 16}),
    "another user's session": lambda api, claims: forge(api, claims, sub=str(new_id())),
    "no session": lambda api, claims: forge(api, claims, sid=str(new_id())),
    "no id": lambda api, claims: forge(api, claims, sid="x"),
    "not a token": lambda _api, _claims: "x",
    "an unknown API token": lambda _api, _claims: "gqlapi_x",
}


def assert_refused(response: Any) -> None:
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert only_error(response)["extensions"]["code"] == "UNAUTHENTICATED"
    assert "data" not in response.json()


class TestAccessToken:
    async def test_of_the_servers_own_is_accepted(self, api: Api) -> None:
        token = forge(api, await open_session(api, await make_ada(api)))
        assert await api.bearing(token).data(VIEWER) == {"viewer": {"username": "ada"}}

    async def test_of_a_server_whose_clock_is_ahead_is_accepted(self, api: Api) -> None:
        token = forge(api, await open_session(api, await make_ada(api)), iat=utc_now() + timedelta(seconds=5))
        assert (await api.bearing(token).data(VIEWER))["viewer"]

    @pytest.mark.parametrize("forgery", FORGERIES)
    async def test_that_is_not_valid_is_refused(self, api: Api, forgery: str) -> None:
        token = FORGERIES[forgery](api, await open_session(api, await make_ada(api)))
        assert_refused(await api.bearing(token).post(VIEWER))

    @pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "x", ""])
    async def test_in_another_form_is_refused(self, api: Api, header: str) -> None:
        assert_refused(await api.with_headers(Authorization=header).post(VIEWER))

    async def test_of_a_deleted_user_is_refused(self, api: Api) -> None:
        ada = await make_ada(api)
        client = await sign_in_as(api, ada)
        async with api.database.write() as session:
            await session.execute(sa.update(User).values(deleted_at=utc_now()))
        assert_refused(await client.post(VIEWER))

    async def test_gives_the_connection_back_when_the_request_is_refused_later(self, api: Api) -> None:
        client = await sign_in_as(api, await make_ada(api))
        bodies = [b"x", b"[]", b"{}", b'{"query": 5}', b'{"query": "{"}', b'{"query": "{ nothing }"}']
        headers = {**client.headers, "Content-Type": "application/json"}
        for body in bodies:
            await api.http.post("/graphql", content=body, headers=headers)
        await api.http.get("/graphql", params={"variables": "x"}, headers=client.headers)
        assert await gets_everything_back(api.database)

    async def test_is_refused_by_every_other_operation(self, api: Api) -> None:
        client = api.bearing("x.y.z")
        skipped = SIGN_IN.replace(" { errors", " @skip(if: true) { errors")
        fields = [SIGN_OUT, f"{SIGN_IN} {SIGN_OUT}", f"signIn: {SIGN_OUT}", skipped]
        for document in ["{ __typename }", *(f"mutation {{ {field} }}" for field in fields)]:
            assert_refused(await client.post(document))
        assert_refused(await api.http.get("/graphql", params={"query": VIEWER}, headers=client.headers))

    async def test_does_not_keep_its_owner_from_a_new_one(self, api: Api) -> None:
        client = api.bearing("x.y.z")
        given = {"username": "ada", "email": "ada@example.com", "password": "correct horse"}
        tokens = await client.payload("signUp", given, "refreshToken user { email }")
        assert tokens["user"] == {"email": "ada@example.com"}
        assert (await client.data(f"mutation {{ a: {SIGN_IN} }}"))["a"] == {"errors": []}
        refreshed = await client.payload("refreshSession", {"refreshToken": tokens["refreshToken"]}, "accessToken")
        assert await api.bearing(refreshed["accessToken"]).data(VIEWER) == {"viewer": {"username": "ada"}}

    async def test_is_refused_before_the_database_is_asked(self, api: Api) -> None:
        with api.statements() as statements:
            assert_refused(await api.bearing("x.y.z").post(VIEWER))
        assert statements == []


class TestDatabase:
    async def test_that_is_away_is_told_as_such(self) -> None:
        async with serve(settings_for("postgresql://nobody@127.0.0.1:1/nothing")) as api:
            response = await api.bearing("gqlapi_x").post(VIEWER)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert only_error(response)["extensions"]["code"] == "UNAVAILABLE"

    async def test_whose_connections_are_all_busy_is_told_as_such(self, database_url: str) -> None:
        async with serve(settings_for(database_url, pool_size=1, pool_timeout_seconds=0.1)) as api:
            place = await api.database.gate.enter()
            response = await api.bearing("gqlapi_x").post(VIEWER)
            place.leave()
        assert response.status_code == 503
        assert only_error(response)["extensions"]["code"] == "UNAVAILABLE"

    async def test_without_tables_is_told_as_such(self, empty_database_url: str) -> None:
        async with serve(settings_for(empty_database_url)) as api:
            response = await api.bearing("gqlapi_x").post(VIEWER)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert only_error(response)["extensions"]["code"] == "UNAVAILABLE"


class TestRefusal:
    @pytest.mark.parametrize(
        ("document", "code"),
        [
            ("{", "GRAPHQL_PARSE_FAILED"),
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("{ users(first: 100) { nodes { posts(first: 100) { nodes { id } } } } }", "LIMIT_EXCEEDED"),
            ("{ posts(first: 0) { totalCount } }", "BAD_USER_INPUT"),
            ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ],
    )
    async def test_of_a_document_comes_before_any_sql(self, api: Api, document: str, code: str) -> None:
        """A token is looked up for operations that are allowed, and for no others."""
        client = await with_api_token(api, await make_ada(api), ApiScope.READ)
        with api.statements() as statements:
            error = only_error(await client.post(document))
        assert (error["extensions"]["code"], statements) == (code, [])

    async def test_of_a_token_takes_one_statement(self, api: Api) -> None:
        with api.statements() as statements:
            assert_refused(await api.bearing("gqlapi_x").post(VIEWER))
        assert len(statements) == 1


class TestKeyRotation:
    async def test_accepts_what_the_key_before_signed(self, database_url: str) -> None:
        old = AccessTokens(["o" * 32], LIFETIME)
        settings = settings_for(database_url, secret_key="n" * 32, previous_secret_keys=["o" * 32])
        async with serve(settings) as api:
            claims = await open_session(api, await make_ada(api))
            before, _ = old.issue(claims, utc_now())
            after, _ = accounts_of(api).access_tokens.issue(claims, utc_now())
            assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
            for token in (before, after):
                assert (await api.bearing(token).data(VIEWER))["viewer"]

    async def test_refuses_it_when_the_key_is_gone(self, database_url: str) -> None:
        async with serve(settings_for(database_url, secret_key="n" * 32)) as api:
            claims = await open_session(api, await make_ada(api))
            token, _ = AccessTokens(["o" * 32], LIFETIME).issue(claims, utc_now())
            assert_refused(await api.bearing(token).post(VIEWER))


async def last_use(client: Api) -> str:
    """Return when the viewer's only token was used, before this request, or nothing."""
    [token] = (await client.data("{ viewer { apiTokens { lastUsedAt } } }"))["viewer"]["apiTokens"]
    return token["lastUsedAt"] or ""


async def later_use(client: Api, earlier: str) -> str:
    """Return when the token was used, once it is later: it is noted after the answer was sent."""
    async with asyncio.timeout(10):
        while (use := await last_use(client)) <= earlier:
            await asyncio.sleep(0.01)
    return use


class TestApiToken:
    async def test_is_shown_once_and_stored_as_a_hash(self, api: Api) -> None:
        client = await sign_in_as(api, await make_ada(api))
        given = {"name": "ci", "scopes": ["WRITE_POSTS", "READ"]}
        payload = await client.payload(
            "createApiToken", given, "secret apiToken { id name scopes lastUsedAt expiresAt }"
        )
        token = {"name": "ci", "scopes": ["READ", "WRITE_POSTS"], "lastUsedAt": None, "expiresAt": None}
        assert payload["apiToken"].items() >= token.items()
        async with api.database.write() as session:
            (row,) = await session.scalars(sa.select(ApiToken))
        assert payload["secret"] not in {str(value) for value in vars(row).values()}
        assert (await api.bearing(payload["secret"]).data(VIEWER))["viewer"]

    async def test_answers_although_its_use_cannot_be_noted(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        client = await with_api_token(api, await make_ada(api), ApiScope.READ)

        async def fail(*_: Any, **__: Any) -> None:
            raise OSError

        monkeypatch.setattr("gqlapi.accounts.authentication.AccountWriteRepository.touch_api_token", fail)
        for _ in range(2):
            assert (await client.data(VIEWER))["viewer"]

    async def test_lets_no_client_wait_for_the_note_of_its_use(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        client = await with_api_token(api, await make_ada(api), ApiScope.READ)
        may_end = asyncio.Event()

        async def wait(*_: Any, **__: Any) -> None:
            await may_end.wait()

        monkeypatch.setattr("gqlapi.accounts.authentication.AccountWriteRepository.touch_api_token", wait)
        for _ in range(3):  # over one connection
            assert (await client.data(VIEWER))["viewer"]
        may_end.set()
        assert await gets_everything_back(api.database)

    async def test_notes_its_use_once_in_a_while(self, api: Api) -> None:
        client = await with_api_token(api, await make_ada(api), ApiScope.READ)
        assert await last_use(client) == ""
        first = await later_use(client, "")
        for _ in range(3):
            assert await last_use(client) == first
        async with api.database.write() as session:
            await session.execute(sa.update(ApiToken).values(last_used_at=utc_now() - 2 * USE_PRECISION))
        assert await later_use(client, first) > first

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ({"name": "", "scopes": ["READ"]}, ("REQUIRED", ["name"])),
            ({"name": "x" * 101, "scopes": ["READ"]}, ("TOO_LONG", ["name"])),
            ({"name": "x", "scopes": []}, ("REQUIRED", ["scopes"])),
            ({"name": "x", "scopes": ["READ"], "expiresAt": "2020-01-01T00:00:00Z"}, ("INVALID", ["expiresAt"])),
        ],
    )
    async def test_is_refused_with_wrong_values(self, api: Api, given: Any, error: Any) -> None:
        client = await sign_in_as(api, await make_ada(api))
        payload = await client.payload("createApiToken", given, "secret")
        assert payload["secret"] is None
        assert [(found["code"], found["path"]) for found in payload["errors"]] == [error]

    async def test_is_one_of_a_hundred_at_most(self, api: Api) -> None:
        ada = await make_ada(api)
        client = await sign_in_as(api, ada)
        async with api.database.write() as session:
            session.add_all(
                ApiToken(user_id=ada.id, hash=str(number), name="x", scopes=frozenset(ApiScope)) for number in range(99)
            )
        given = {"name": "x", "scopes": ["READ"]}
        payloads = await asyncio.gather(*(client.payload("createApiToken", given, "secret") for _ in range(3)))
        assert sorted(error["code"] for payload in payloads for error in payload["errors"]) == ["TOO_MANY"] * 2

    async def test_is_refused_after_its_end(self, api: Api) -> None:
        client = await with_api_token(api, await make_ada(api), expires_at=utc_now() - timedelta(seconds=1))
        assert_refused(await client.post(VIEWER))

    async def test_is_refused_once_it_is_revoked(self, api: Api) -> None:
        ada, bela = await make_ada(api), make_user(username="bela")
        await save(api.database, [bela])
        client, program = await sign_in_as(api, ada), await with_api_token(api, ada, ApiScope.READ)
        [token] = (await client.data("{ viewer { apiTokens { id } } }"))["viewer"]["apiTokens"]
        other = await (await sign_in_as(api, bela)).payload("revokeApiToken", token, "deletedId")
        assert other["errors"][0]["code"] == "NOT_FOUND"
        assert await client.payload("revokeApiToken", token, "deletedId") == {"deletedId": token["id"], "errors": []}
        assert_refused(await program.post(VIEWER))

    async def test_with_read_alone_writes_nothing(self, api: Api) -> None:
        client = await with_api_token(api, await make_ada(api), ApiScope.READ)
        payload = await client.payload("createPost", {"title": "x", "markdown": ""}, "post { id }")
        assert payload["post"] is None
        assert [(error["code"], error["requiredScope"]) for error in payload["errors"]] == [
            ("FORBIDDEN", "WRITE_POSTS")
        ]

    async def test_reads_what_its_owner_reads(self, api: Api) -> None:
        ada = await make_ada(api)
        draft = make_draft(ada)
        await save(api.database, [draft])
        client = await with_api_token(api, ada, ApiScope.READ)
        data = await client.data(
            "{ posts(filter: {status: [DRAFT]}) { nodes { id viewerCanUpdate } } viewer { email } }"
        )
        assert data == {
            "posts": {"nodes": [{"id": draft.global_id, "viewerCanUpdate": False}]},
            "viewer": {"email": "ada@example.com"},
        }

    @pytest.mark.parametrize("scopes", [[*ApiScope], [ApiScope.READ]])
    @pytest.mark.parametrize("given", [{"name": "x", "scopes": ["READ"]}, {"name": "", "scopes": []}])
    async def test_cannot_make_another(self, api: Api, scopes: list[ApiScope], given: Any) -> None:
        client = await with_api_token(api, await make_ada(api), *scopes)
        payload = await client.payload("createApiToken", given, "secret")
        [error] = payload["errors"]
        assert (payload["secret"], error["code"], error["requiredScope"]) == (None, "FORBIDDEN", None)
        assert error["message"] == "Sign in: no token may create an API token."

    @pytest.mark.parametrize(
        ("mutation", "given"),
        [
            ("changePassword", {"currentPassword": "", "newPassword": ""}),
            ("createApiToken", {"name": "", "scopes": []}),
            ("revokeApiToken", {"id": "x"}),
        ],
    )
    async def test_and_account_are_for_who_may_manage_them(self, api: Api, mutation: str, given: Any) -> None:
        client = await with_api_token(api, await make_ada(api), ApiScope.WRITE_POSTS)
        refused = [(await asker.payload(mutation, given))["errors"] for asker in (api, client)]
        scope = None if mutation == "createApiToken" else "ADMIN"
        assert [[(e["code"], e["requiredScope"]) for e in errors] for errors in refused] == [
            [("UNAUTHENTICATED", None)],
            [("FORBIDDEN", scope)],
        ]
