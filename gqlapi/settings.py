"""Configuration, read from `GQLAPI_*` environment variables and `.env`."""

import re
from ipaddress import ip_network
from typing import Literal, Self

from limits import parse as parse_limit
from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEV_SECRET_KEY = "dev-secret-key-do-not-use-in-production"  # noqa: S105 - refused in production
MIN_SECRET_LENGTH = 32

# Names that speak for the site, that addresses and programs use, and that imports use for authors.
RESERVED_USERNAMES = (
    *("admin", "administrator", "moderator", "root", "system", "sysadmin", "webmaster", "hostmaster", "postmaster"),
    *("abuse", "security", "support", "help", "info", "contact", "staff", "team", "official", "noreply", "no-reply"),
    *("api", "graphql", "www", "me", "anonymous", "deleted", "null", "undefined", "gqlapi", "editorial"),
)

ExecutorName = Literal["compiled", "reference"]
HttpStatus = Literal["422", "400"]
DocumentsMode = Literal["any", "persisted", "trusted"]
SqliteSynchronous = Literal["normal", "full"]
# As browsers write it: no path, and no port that the scheme implies.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s*A-Z]+")


class Settings(BaseSettings):
    """Everything an operator can set; the README's table is compared with these fields by a test."""

    model_config = SettingsConfigDict(env_prefix="GQLAPI_", env_file=".env", extra="ignore", hide_input_in_errors=True)

    environment: Literal["dev", "production"] = Field(
        "dev",
        description="`production` refuses dev secrets, logs JSON and hides GraphiQL; `gqlapi serve` sets it.",
    )
    secret_key: SecretStr = Field(
        SecretStr(DEV_SECRET_KEY),
        description="Signs what the server hands out; at least 32 characters in production.",
    )

    previous_secret_keys: list[SecretStr] = Field(
        default_factory=list,
        description="Previous secret keys, as JSON: tokens signed with them are accepted until they expire.",
    )
    access_token_minutes: int = Field(15, ge=1, le=60, description="How long an access token is valid.")
    refresh_token_days: int = Field(
        30, ge=1, le=3_650, description="How long a session stays valid without being used."
    )
    session_days: int = Field(
        90, ge=1, le=3_650, description="How long a session lasts at most, however often it is refreshed."
    )
    sign_in_limit: str = Field("5/minute", description="Sign-in attempts per address and account.")
    sign_in_address_limit: str = Field("30/minute", description="Sign-in attempts per address.")
    sign_in_account_limit: str = Field(
        "50/hour", description="Failed sign-in attempts per account, from all addresses."
    )
    sign_up_limit: str = Field("20/hour", description="Valid sign-up attempts per address.")
    refresh_limit: str = Field("120/minute", description="Session refreshes per address.")
    reserved_usernames: list[str] = Field(
        default_factory=lambda: [*RESERVED_USERNAMES],
        description="Reserved user names, as JSON: sign-up refuses them and names that look the same.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Addresses and networks of proxies, as JSON, whose `X-Forwarded-For` is trusted; `[]` if there are "
        "none.",
    )
    change_retention_days: int = Field(30, ge=1, le=3_650, description="How long `gqlapi prune` keeps the change feed.")
    audit_retention_days: int = Field(90, ge=1, le=3_650, description="How long `gqlapi prune` keeps the audit trail.")
    deleted_post_days: int = Field(
        90,
        ge=0,
        le=3_650,
        description="How long a deleted post can be restored; then it is removed with its slugs. 0 keeps it for good.",
    )
    prune_minutes: int = Field(
        60, ge=0, le=10_080, description="How often servers prune by themselves; 0 leaves it to `gqlapi prune`."
    )

    database_url: str = Field(
        "sqlite+aiosqlite:///gqlapi.db",
        description="SQLite or PostgreSQL; `postgres://` and libpq's parameters are accepted.",
    )
    database_pooler: Literal["auto", "none", "session", "transaction"] = Field(
        "auto",
        description="Mode of a pooler, such as PgBouncer, in front of PostgreSQL. `auto` recognises one, and sends the "
        "settings with each transaction.",
    )
    database_direct_url: str = Field(
        "",
        description="PostgreSQL without the pooler, for what needs a separate session: migrations, and LISTEN of the "
        "change feed. By default the database URL.",
    )
    replica_urls: list[str] = Field(
        default_factory=list, description="Replicas of PostgreSQL, as JSON, that query operations read from."
    )
    replica_max_lag_seconds: float = Field(
        10.0, gt=0, description="Longest lag of a replica; one that is further behind is left out."
    )
    replica_wait_ms: int = Field(
        100,
        ge=0,
        description="Longest wait for a replica to catch up with the caller's writes, before the primary is read.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis (`redis://`, `rediss://`) for rate limits, sign-in limits and registered documents that all "
        "processes share; needs the extra `redis`.",
    )
    read_consistency: Literal["snapshot", "statement"] = Field(
        "snapshot",
        description="`snapshot`: a query operation reads one state of the database. `statement`: each statement its "
        "own (PostgreSQL only).",
    )
    pool_size: int = Field(10, ge=1, description="Database connections a worker keeps, and operations it runs at once.")
    pool_queue_size: int = Field(1_000, ge=0, description="Operations that may wait for a connection.")
    pool_timeout_seconds: float = Field(
        2.0, gt=0, description="Timeout for a connection while none becomes free; five times that in all."
    )
    client_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the connections and of the queue that one client, known by address or token, may have.",
    )
    sqlite_synchronous: SqliteSynchronous | None = Field(
        None,
        description="`full`: a commit is on the disk before it is acknowledged, by default in production. `normal`: "
        "faster, but a power failure may lose the last commits (SQLite only).",
    )
    pool_pre_ping: bool = Field(default=False, description="Test each connection before use (one more round trip).")
    connect_timeout_seconds: float = Field(3.0, gt=0, description="Longest wait for a new connection to PostgreSQL.")
    statement_timeout_ms: int = Field(5_000, ge=1, description="Statement timeout.")
    operation_timeout_seconds: float = Field(10.0, gt=0, description="Operation timeout.")

    executor: ExecutorName = Field(
        "compiled",
        description="`compiled`: each operation is compiled once. `reference`: graphql-core executes it, to compare.",
    )
    documents: DocumentsMode = Field(
        "any",
        description="Which documents run. `any`: all. `persisted`: those with an id, which clients may register. "
        "`trusted`: those that `gqlapi documents add` has added.",
    )
    max_apq_bytes: int = Field(
        4_194_304,
        ge=0,
        description="Memory of a worker for documents that clients register (APQ); 0 accepts no registrations.",
    )
    max_body_bytes: int = Field(1_048_576, ge=1, description="Largest request body; a larger one gets 413.")
    max_document_length: int = Field(65_536, ge=1, description="Characters in a document.")
    max_tokens: int = Field(2_000, ge=1, description="Tokens in a document.")
    max_variable_values: int = Field(
        10_000, ge=1, description="Values in `variables`, and in the arguments of all fields together."
    )
    max_depth: int = Field(15, ge=1, description="Nested fields, `edges`, `node` and `nodes` not counted.")
    max_fields: int = Field(5_000, ge=1, description="Fields of an operation, fragments expanded.")
    max_aliases: int = Field(30, ge=0, description="Aliases in an operation, fragments expanded.")
    max_root_fields: int = Field(20, ge=1, description="Root fields of a query.")
    max_mutations: int = Field(10, ge=1, description="Root fields of a mutation.")
    max_directives: int = Field(50, ge=0, description="Directives in an operation, fragments expanded.")
    max_cost: int = Field(
        20_000, ge=1, description="Points of an operation: the rows that it may read and the values that it may return."
    )
    user_points_per_minute: int = Field(
        0, ge=0, description="Points of all operations of a signed-in user in a minute; 0 is no limit."
    )
    visitor_points_per_minute: int = Field(
        0, ge=0, description="Points of all operations of visitors from one network in a minute; 0 is no limit."
    )
    max_subscriptions: int = Field(10_000, ge=1, description="Subscriptions of a worker at a time.")
    max_subscriptions_per_user: int = Field(
        50, ge=1, description="Subscriptions of a signed-in user at a time, in one worker."
    )
    max_answer_bytes: int = Field(10_485_760, ge=1, description="Size of an answer.")
    max_batch_size: int = Field(
        1,
        ge=1,
        le=10,
        description="Operations of one request: several in an array, or one with several sets of variables. By default "
        "there are no batches.",
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on.")
    max_connections: int = Field(
        1_000,
        ge=1,
        description="Client connections of a worker, fewer if open files are limited; beyond it idle ones are closed.",
    )
    receive_timeout_seconds: float = Field(
        10.0, gt=0, description="Longest wait for the headers of a request, and for its body (1 s more for each 4 KiB)."
    )
    send_timeout_seconds: float = Field(
        20.0, gt=0, description="Longest time in which a client takes less than 4 KiB/s of an answer."
    )
    keep_alive_seconds: float = Field(
        75.0, gt=0, description="How long an idle connection stays open; longer than a proxy keeps it."
    )
    workers: int = Field(2, ge=1, description="Worker processes of `gqlapi serve`.")
    stop_grace_seconds: float = Field(
        5.0,
        ge=0,
        le=300,
        description="How long `gqlapi serve` accepts connections after SIGTERM, while `/readyz` answers 503.",
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Names that a request may give as its Host, as JSON, beside `localhost` and IP addresses. Where it "
        "is empty, production allows all names, and dev none.",
    )
    cors_origins: list[str] = Field(
        default_factory=list,
        description="Origins that browsers may call from, as JSON. In dev, localhost on any port is allowed as well.",
    )
    cors_credentials: bool = Field(
        default=False,
        description="Allow cookies of these origins and the credentials of a proxy; tokens in `Authorization` do not "
        "need it.",
    )
    cors_max_age_seconds: int = Field(
        86_400, ge=0, description="How long browsers may keep the answer to a preflight; Chromium keeps it for 2 hours."
    )
    http_status: HttpStatus = Field(
        "422",
        description="Status of a request that is not valid. `422`: as GraphQL over HTTP says, and 294 for partial "
        "success. `400`: as its old drafts said, for old tools, and 200 for partial success.",
    )
    cache_max_age_seconds: int = Field(
        0,
        ge=0,
        le=86_400,
        description="Longest time for which shared caches, such as a CDN, may keep answers to GET requests for "
        "documents with an id. With 0, caches ask the server each time.",
    )
    cache_tag_bytes: int = Field(
        1_500,
        ge=100,
        le=16_000,
        description="Size of each header with cache tags; of types whose ids do not fit, the type is the tag.",
    )
    compression: bool = Field(
        default=False,
        description="Compress answers of more than 1 KiB with gzip, and with Brotli if the extra `brotli` is "
        "installed; leave it off behind a proxy that compresses.",
    )
    graphiql: bool | None = Field(
        None, description="Serve GraphiQL; by default only in dev, and only where any document runs."
    )
    serve_schema: bool | None = Field(
        None, description="Serve the schema as SDL at `/graphql/schema.graphql`; by default only in dev."
    )
    count_usage: bool = Field(
        default=False, description="Count which clients use which fields, for `gqlapi schema usage`."
    )
    report_costs: bool | None = Field(
        None,
        description="Report the points and the SQL statements of each operation in its `extensions`; by default only "
        "in dev.",
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65_535, description="Port to serve metrics for Prometheus on, at `/metrics`; none by default."
    )
    metrics_host: str = Field("127.0.0.1", description="Address to serve metrics on.")
    metrics_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path of the API that answers with the metrics, such as `/metrics`, to anyone; none by default.",
    )
    slow_operation_ms: int = Field(
        0, ge=0, description="Log operations that take longer, with the plan of their slowest statement; 0 logs none."
    )
    tracing: bool = Field(
        default=False,
        description="Send spans with OpenTelemetry, as the `OTEL_*` variables say; needs the extra `otel`.",
    )
    trace_documents: bool = Field(
        default=False, description="Put the text of documents into spans: it may hold values that clients wrote there."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum log level.")

    @field_validator(
        "sign_in_limit", "sign_in_address_limit", "sign_in_account_limit", "sign_up_limit", "refresh_limit"
    )
    @classmethod
    def _check_limit(cls, text: str) -> str:
        try:
            parse_limit(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a limit such as 5/minute") from None
        return text

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, proxies: list[str]) -> list[str]:
        for proxy in proxies:
            ip_network(proxy)  # a ValueError says what is wrong
        return proxies

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin such as https://blog.example")
        return origins

    @field_validator("cors_credentials")
    @classmethod
    def _refuse_credentials_for_all(cls, allowed: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's
        if allowed and "*" in info.data.get("cors_origins", ()):
            raise ValueError("it cannot be combined with the origin *, which would let every site act for its visitors")
        return allowed

    @model_validator(mode="after")
    def _refuse_dev_secrets(self) -> Self:
        secret = self.secret_key.get_secret_value()
        if self.is_production and (secret == DEV_SECRET_KEY or len(secret) < MIN_SECRET_LENGTH):
            raise ValueError(
                f"GQLAPI_SECRET_KEY must be set to a secret of at least {MIN_SECRET_LENGTH} characters in production"
            )
        for key in self.previous_secret_keys if self.is_production else []:
            if key.get_secret_value() == DEV_SECRET_KEY or len(key.get_secret_value()) < MIN_SECRET_LENGTH:
                raise ValueError("GQLAPI_PREVIOUS_SECRET_KEYS must hold secrets that production accepts")
        return self

    @model_validator(mode="after")
    def _refuse_graphiql_without_texts(self) -> Self:
        if self.graphiql and self.documents != "any":
            raise ValueError("GQLAPI_GRAPHIQL needs GQLAPI_DOCUMENTS=any: GraphiQL sends documents without ids")
        return self

    @property
    def direct_url(self) -> str:
        """Return the URL for what needs a separate session."""
        return self.database_direct_url or self.database_url

    @property
    def has_own_sessions(self) -> bool:
        """Return whether a pooler, if there is one, gives each client of the direct URL a separate session."""
        return self.database_pooler == "session" and not self.database_direct_url

    @property
    def is_production(self) -> bool:
        """Return whether the strict rules of production apply."""
        return self.environment == "production"

    @property
    def synchronous(self) -> SqliteSynchronous:
        """Return how far SQLite writes a commit before it is acknowledged."""
        return self.sqlite_synchronous or ("full" if self.is_production else "normal")

    @property
    def serves_graphiql(self) -> bool:
        """Return whether `/graphql` answers a browser with GraphiQL."""
        return not self.is_production and self.documents == "any" if self.graphiql is None else self.graphiql

    @property
    def serves_schema(self) -> bool:
        """Return whether `/graphql/schema.graphql` answers with the SDL."""
        return not self.is_production if self.serve_schema is None else self.serve_schema

    @property
    def reports_costs(self) -> bool:
        """Return whether results and the log say what an operation cost."""
        return not self.is_production if self.report_costs is None else self.report_costs
