"""The ASGI application."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import structlog
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from strawberry.types import ExecutionResult
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gqlapi.accounts import Accounts
from gqlapi.accounts.common_passwords import common_passwords
from gqlapi.accounts.passwords import Passwords
from gqlapi.accounts.registration import ReservedNames
from gqlapi.accounts.throttling import AttemptLimits, Throttle
from gqlapi.accounts.tokens import AccessTokens
from gqlapi.background import POOL_SIZE, BackgroundWork, Job
from gqlapi.context import Context
from gqlapi.database.unit import Database, create_database
from gqlapi.doctor import Severity, check_proxies, examine_pool, examine_readiness
from gqlapi.documents.automatic import DocumentStore, MemoryStore, RedisStore
from gqlapi.documents.persisted import PersistedDocuments
from gqlapi.documents.trusted import TrustedDocuments
from gqlapi.feed import Feed, LiveQueries, LiveQuery
from gqlapi.http import GRAPHQL_PATH
from gqlapi.http.caching import Caching
from gqlapi.http.compression import Compression
from gqlapi.http.execution import Executor
from gqlapi.http.fallbacks import answer_refusal
from gqlapi.http.graphiql.page import BrowserPage, send_asset
from gqlapi.http.graphql import GraphQLEndpoint
from gqlapi.http.health import Readiness, Startup, healthz
from gqlapi.http.hosts import HostCheck
from gqlapi.http.methods import OPERATIONS
from gqlapi.http.origins import Origins
from gqlapi.http.request_id import OnRequest, RequestIdMiddleware
from gqlapi.http.responses import Negotiation
from gqlapi.http.runner import Runner
from gqlapi.http.sdl import SchemaFile
from gqlapi.http.shortcut import Shortcut
from gqlapi.http.subscriptions import Subscriptions
from gqlapi.http.telemetry import Telemetry
from gqlapi.http.usage import FLUSH_SECONDS, UsageCounter
from gqlapi.http.websocket import WebSocketEndpoint
from gqlapi.logs import configure_logs
from gqlapi.operations.caching import Observation
from gqlapi.operations.rate import Rates
from gqlapi.pruning import prune, retention_of
from gqlapi.schema import Limits, Schema
from gqlapi.settings import Settings
from gqlapi.shared import SharedStore

DEV_ORIGINS = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"

logger = structlog.get_logger()


def create_app(settings: Settings | None = None) -> Starlette:
    """Create the application; nothing connects to the database before the first request."""
    settings = settings or Settings()
    if not structlog.is_configured():  # a worker, or an ASGI server of somebody else's
        configure_logs(settings)
    database = create_database(settings, logs_incidents=True)
    store, compression = create_store(settings), Compression(is_on=settings.compression)
    accounts = create_accounts(settings, store)
    schema = Schema(create_limits(settings), settings.executor)
    origins = Origins(settings.cors_origins, None if settings.is_production else DEV_ORIGINS)
    documents = create_documents(settings, schema, store)
    background = create_background(settings, database)
    usage = create_usage(settings, background)
    telemetry = Telemetry(settings, database, schema.operations.cache)
    executor, caching = Executor(schema, documents), create_caching(settings, compression)
    rates, reporter = create_rates(settings, store), telemetry.reporter
    runner = Runner(
        executor, database, accounts, caching, limits=schema.limits, usage=usage, rates=rates, reporter=reporter
    )
    subscriptions = create_subscriptions(settings, runner, schema)
    negotiation = Negotiation(settings.http_status)
    endpoint = GraphQLEndpoint(subscriptions, negotiation, origins, compression, max_body_bytes=settings.max_body_bytes)
    graphql, startup = _with_page(settings, endpoint), Startup()
    sockets = WebSocketEndpoint(subscriptions, origins)
    telemetry.watch_subscriptions(subscriptions, sockets)
    shortcut = Middleware(Shortcut, path=GRAPHQL_PATH, endpoint=graphql, documents=endpoint, sockets=sockets)
    graphql_routes = [Route(GRAPHQL_PATH, graphql), WebSocketRoute(GRAPHQL_PATH, sockets)]

    app = Starlette(
        routes=[*graphql_routes, *_routes(settings, startup, Readiness(database.probe), schema), *telemetry.routes],
        middleware=_middleware(settings, origins, shortcut, telemetry.on_request),
        exception_handlers={HTTPException: answer_refusal},
        lifespan=_lifespan(settings, startup, telemetry, runner, background, documents, usage),
    )
    # Starlette would redirect to the Host that the client sent.
    app.router.redirect_slashes = False
    parts = {"database": database, "accounts": accounts, "schema": schema, "documents": documents, "usage": usage}
    live = {"feed": runner.feed, "live": runner.live, "subscriptions": subscriptions, "metrics": telemetry.metrics}
    app.state = State({**parts, **live, "background": background, "shared": store})
    return app


def create_feed(settings: Settings, database: Database) -> Feed:
    """Create the change feed, which looks for changes when the database has committed."""
    feed = Feed(database, keep_changes_for=timedelta(days=settings.change_retention_days))
    database.on_commit = feed.note_commit
    return feed


def create_live_queries(schema: Schema, feed: Feed, database: Database, accounts: Accounts) -> LiveQueries:
    """Create what answers live queries: each answer has its context."""

    def run(query: LiveQuery, observation: Observation) -> Awaitable[ExecutionResult]:
        context = Context(database, viewer=query.viewer, accounts=accounts)
        return schema.answer_live(query, context, observation)

    return LiveQueries(feed, run)


def create_subscriptions(settings: Settings, runner: Runner, schema: Schema) -> Subscriptions:
    """Create what answers the events of subscriptions, and what these follow."""
    runner.feed = feed = create_feed(settings, runner.database)
    runner.live = create_live_queries(schema, feed, runner.database, runner.accounts)
    per_user, in_all = settings.max_subscriptions_per_user, settings.max_subscriptions
    return Subscriptions(runner, per_user=per_user, in_all=in_all)


def create_store(settings: Settings) -> SharedStore | None:
    """Create the access to Redis, if the settings name one.

    Raises:
        RedisMissing: the extra `redis` is not installed.
        ValueError: it is not the URL of a Redis.
    """
    return None if settings.redis_url is None else SharedStore(settings.redis_url.get_secret_value())


def create_rates(settings: Settings, store: SharedStore | None = None) -> Rates | None:
    """Build the rate limits from the settings, or None if there are none."""
    points = settings.user_points_per_minute, settings.visitor_points_per_minute
    return Rates(*points, store) if any(points) else None


def create_background(settings: Settings, database: Database) -> BackgroundWork:
    """Create what runs jobs beside requests, such as pruning: on a separate pool, or through SQLite's one writer."""
    is_own = database.dialect_name == "postgresql"
    own = create_database(settings, pool_size=POOL_SIZE) if is_own else database
    background = BackgroundWork(own, releases_connections=is_own)
    if settings.prune_minutes:
        retention = retention_of(settings)
        background.register(Job("prune", 60 * settings.prune_minutes, lambda: prune(own, retention)))
    return background


def create_usage(settings: Settings, background: BackgroundWork) -> UsageCounter | None:
    """Create what counts the use of fields, and the job that writes the sums, if the settings ask for it."""
    if not settings.count_usage:
        return None
    usage = UsageCounter(background.database)
    background.register(Job("usage", FLUSH_SECONDS, usage.write, is_exclusive=False))
    return usage


def create_limits(settings: Settings) -> Limits:
    """Build Limits from settings."""
    return Limits(
        max_document_length=settings.max_document_length,
        max_tokens=settings.max_tokens,
        max_variable_values=settings.max_variable_values,
        max_depth=settings.max_depth,
        max_fields=settings.max_fields,
        max_aliases=settings.max_aliases,
        max_root_fields=settings.max_root_fields,
        max_mutations=settings.max_mutations,
        max_directives=settings.max_directives,
        max_cost=settings.max_cost,
        max_answer_bytes=settings.max_answer_bytes,
        max_batch_size=settings.max_batch_size,
        operation_timeout_seconds=settings.operation_timeout_seconds,
    )


def create_caching(settings: Settings, compression: Compression) -> Caching:
    """Create what decides which answers caches may keep."""
    return Caching(compression, max_age_seconds=settings.cache_max_age_seconds, max_tag_bytes=settings.cache_tag_bytes)


def create_documents(settings: Settings, schema: Schema, store: SharedStore | None = None) -> PersistedDocuments:
    """Create what finds the documents of requests; no trusted document is read yet."""
    size = settings.max_apq_bytes
    registered: DocumentStore | None = None
    if size:
        registered = MemoryStore(size) if store is None else RedisStore(size, store)
    return PersistedDocuments(settings.documents, TrustedDocuments(schema.operations.static_errors), registered)


def create_accounts(settings: Settings, store: SharedStore | None = None) -> Accounts:
    """Create the account services."""
    common_passwords()  # read now, not while the first person signs up
    secrets = [key.get_secret_value() for key in (settings.secret_key, *settings.previous_secret_keys)]
    limits = AttemptLimits(
        sign_in=settings.sign_in_limit,
        sign_in_address=settings.sign_in_address_limit,
        sign_in_account=settings.sign_in_account_limit,
        sign_up=settings.sign_up_limit,
        refresh=settings.refresh_limit,
    )
    return Accounts(
        passwords=Passwords(),
        access_tokens=AccessTokens(secrets, timedelta(minutes=settings.access_token_minutes)),
        throttle=Throttle(limits, store),
        refresh_lifetime=timedelta(days=settings.refresh_token_days),
        reserved_names=ReservedNames(settings.reserved_usernames),
        session_lifetime=timedelta(days=settings.session_days),
    )


def _with_page(settings: Settings, endpoint: ASGIApp) -> ASGIApp:
    return BrowserPage(endpoint, offers_demo=not settings.is_production) if settings.serves_graphiql else endpoint


def _routes(settings: Settings, startup: Startup, readiness: Readiness, schema: Schema) -> list[Route]:
    return [
        Route("/", _to_graphql),
        Route(GRAPHQL_PATH + "/", _to_graphql, methods=[*OPERATIONS]),
        *([Route(GRAPHQL_PATH + "/assets/{name}", send_asset)] if settings.serves_graphiql else []),
        *([Route(GRAPHQL_PATH + "/schema.graphql", SchemaFile(schema).send)] if settings.serves_schema else []),
        Route("/healthz", healthz),
        Route("/startupz", startup.startupz),
        Route("/readyz", readiness.readyz),
    ]


def _lifespan(
    settings: Settings,
    startup: Startup,
    telemetry: Telemetry,
    runner: Runner,
    background: BackgroundWork,
    documents: PersistedDocuments,
    usage: UsageCounter | None,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await _warn(settings)
        database, feed = runner.database, runner.feed
        async with (
            telemetry.running(),
            background.running(),
            documents.trusted.watching(database),
            database.watching_replicas(),
        ):
            startup.is_complete = True
            yield
        if feed is not None:
            await feed.close()
        if usage is not None:
            await usage.close()
        if (store := app.state.shared) is not None:
            await store.close()
        if background.database is not database:
            await background.database.dispose()
        await database.dispose()

    return lifespan


async def _warn(settings: Settings) -> None:
    findings = check_proxies(settings), await examine_pool(settings), await examine_readiness(settings)
    for finding in findings:
        if finding is not None and finding.severity is not Severity.OK:
            logger.warning("doctor", code=finding.code, found=finding.found, fix=finding.fix)


def _middleware(
    settings: Settings, origins: Origins, shortcut: Middleware, on_request: OnRequest | None
) -> list[Middleware]:
    cors = origins.middleware(
        allow_credentials=settings.cors_credentials, max_age_seconds=settings.cors_max_age_seconds
    )
    hosts = Middleware(HostCheck, names=[*settings.allowed_hosts, settings.host])
    proxies = Middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    return [
        *([proxies] if settings.trusted_proxies else []),
        Middleware(RequestIdMiddleware, on_request=on_request),
        *([hosts] if settings.allowed_hosts or not settings.is_production else []),
        *cors,
        shortcut,
    ]


async def _to_graphql(_request: Request) -> Response:
    return RedirectResponse(GRAPHQL_PATH)
