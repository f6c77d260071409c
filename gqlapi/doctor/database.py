"""Checks of the database and its server."""

import asyncio
from dataclasses import asdict, replace
from pathlib import Path

import sqlalchemy as sa

from gqlapi.accounts.demo import find_demo_logins
from gqlapi.database.causes import RESTORE, RIGHTS, cause_of
from gqlapi.database.engine import EngineOptions
from gqlapi.database.inspection import (
    DatabaseFacts,
    PostgresFacts,
    SqliteFacts,
    inspect_database,
    inspect_postgresql,
)
from gqlapi.database.migrations import head_revision, is_missing_file, missing_revisions
from gqlapi.database.readiness import READY, Probe
from gqlapi.database.search import DOCUMENTS, WORDS
from gqlapi.database.unit import create_database
from gqlapi.database.url import mask_url, normalize_url
from gqlapi.doctor.finding import Finding, Severity, error, ok, plural, warning
from gqlapi.doctor.replicas import check_replicas
from gqlapi.doctor.servers import check_pool, check_server, workers_of
from gqlapi.doctor.texts import examine_texts
from gqlapi.models import Base
from gqlapi.settings import Settings

SET_URL = "Correct GQLAPI_DATABASE_URL."
SET_DIRECT_URL = "Set GQLAPI_DATABASE_DIRECT_URL to PostgreSQL without the pooler."
MIGRATE = "Run `gqlapi migrate`."
# The checks that say more of each part of readiness.
PARTS = {"connection": "D101", "revision": "D102", "writable": "D113"}


async def examine_database(settings: Settings) -> list[Finding]:
    """Run all checks of the database; when it cannot be reached, that is the only finding."""
    try:
        url = normalize_url(settings.database_url)
    except ValueError as wrong:
        return [error("D101", f"GQLAPI_DATABASE_URL: {wrong}.", SET_URL)]
    shown = mask_url(url)
    if is_missing_file(sa.make_url(url)):
        return [_missing_file(Path(sa.make_url(url).database or ""), shown)]
    try:
        async with asyncio.timeout(2 * settings.connect_timeout_seconds):
            facts = await inspect_database(url, _options(settings))
    except Exception as failure:  # noqa: BLE001 - any reason why the database does not answer
        cause = cause_of(failure, url)
        return [error("D101", f"{shown} cannot be used: {cause.reason}.", cause.fix)]
    revision = check_revision(facts)
    findings = [ok("D101", f"{shown} answers."), revision, *check_server(facts.server, settings)]
    if settings.database_direct_url and (refused := await check_direct_url(settings, settings.database_direct_url)):
        findings = [*(finding for finding in findings if finding.code != refused.code), refused]
    if settings.replica_urls:
        findings.append(await check_replicas(settings.replica_urls, _options(settings)))
    if revision.severity is Severity.OK:  # else there may be no table to look into
        findings += [await check_demo_logins(settings), *await examine_texts(settings)]
    return sorted(findings, key=lambda finding: finding.code)


async def examine_revision(settings: Settings) -> Finding:
    """Check only the revision.

    Raises:
        Exception: the driver's error if the database cannot be reached.
    """
    return check_revision(await inspect_database(settings.database_url, _options(settings)))


def _options(settings: Settings) -> EngineOptions:
    return EngineOptions(
        connect_timeout_seconds=settings.connect_timeout_seconds,
        statement_timeout_ms=settings.statement_timeout_ms,
        pooler=settings.database_pooler,
    )


async def check_demo_logins(settings: Settings) -> Finding:
    """Try the password that everybody knows on the users that `gqlapi dev` makes."""
    database = create_database(settings)
    try:
        logins = await find_demo_logins(database)
    except Exception as failure:  # noqa: BLE001 - the other checks have their say all the same
        cause = cause_of(failure, normalize_url(settings.database_url))
        return warning("D108", f"Not known: {cause.reason}.", cause.fix)
    finally:
        await database.dispose()
    if not logins:
        return ok("D108", "None works.")
    found = f"{plural(len(logins), 'user')} with the demo password: {', '.join(logins)}."
    if settings.is_production:
        return error("D108", found, "Delete these users, or change their passwords.")
    return ok("D108", found)


async def check_direct_url(settings: Settings, url: str) -> Finding | None:
    """Connect as migrations do; None if that works."""
    try:
        async with asyncio.timeout(2 * settings.connect_timeout_seconds):
            facts = await inspect_postgresql(url, replace(_options(settings), pooler="auto"))
    except ValueError as wrong:
        return error("D109", f"GQLAPI_DATABASE_DIRECT_URL: {wrong}.", SET_DIRECT_URL)
    except Exception as failure:  # noqa: BLE001 - any reason why the database does not answer
        cause = cause_of(failure, url)
        return error("D109", f"GQLAPI_DATABASE_DIRECT_URL cannot be used: {cause.reason}.", SET_DIRECT_URL)
    if facts.is_pooled:
        return error("D109", "GQLAPI_DATABASE_DIRECT_URL leads through a pooler as well.", SET_DIRECT_URL)
    return None


async def examine_pool(settings: Settings) -> Finding | None:
    """Check only the number of connections; None for SQLite, and when the database cannot be asked."""
    try:
        url = normalize_url(settings.database_url)
        if url.startswith("sqlite"):
            return None
        async with asyncio.timeout(settings.connect_timeout_seconds):
            facts = await inspect_postgresql(url, _options(settings))
    except Exception:  # noqa: BLE001 - a database that is down is no reason not to start
        return None
    return check_pool(facts, settings.pool_size, workers_of(settings))


async def examine_readiness(settings: Settings) -> Finding | None:
    """Check only whether requests could be served, in two short statements; None in development, which migrates first.

    A server starts all the same, because its database may come later.
    """
    if not settings.is_production:
        return None
    checks, _ = await Probe(settings.database_url, _options(settings)).check()
    for part, state in asdict(checks).items():
        if state not in READY:
            return error(PARTS[part], f"The database is not ready: {part} is {state!r}.", "Run `gqlapi doctor`.")
    return None


def _missing_file(path: Path, shown: str) -> Finding:
    if not path.parent.is_dir():
        return error("D101", f"The folder {path.parent} does not exist.", f"Create it. {SET_URL}")
    return error("D101", f"{shown} does not exist.", "Run `gqlapi migrate`, or `gqlapi dev`, which does it.")


def check_revision(facts: DatabaseFacts) -> Finding:
    """Compare the revision of the database with ours, and its tables and columns with those that we need."""
    if facts.hides_revision:
        return error("D102", "The role may not read which revision the database is at.", RIGHTS)
    current, head = ", ".join(facts.revisions) or None, head_revision()
    missing = missing_revisions(current)
    if missing == [] and (lost := _lost_parts(facts)):
        found = f"The database is at the newest revision, {head}, but has no {', '.join(lost)}."
        return error("D102", found, "Restore a complete backup.")
    if missing == []:
        return ok("D102", f"The database is at the newest revision, {head}.")
    if missing is not None:
        return _behind(facts, current, len(missing))
    if facts.tables >= Base.metadata.tables.keys():
        found = f"The database is ahead: its revision {current} is newer than {head}, the last that is known here."
        return warning("D102", found, "Upgrade gqlapi, or let a rolling upgrade end.")
    found = f"The database is at the unknown revision {current}, and our tables are missing."
    return error("D102", found, "Set GQLAPI_DATABASE_URL to a database of gqlapi.")


def _lost_parts(facts: DatabaseFacts) -> list[str]:
    """Return the tables that are not there, those of the search among them, and the columns of those that are."""
    models = Base.metadata.tables
    search = (DOCUMENTS.name, WORDS.name) if isinstance(facts.server, SqliteFacts) else (DOCUMENTS.name,)
    lost = {*models, *search} - facts.tables
    columns = {f"{name}.{column.name}" for name, table in models.items() if name not in lost for column in table.c}
    return [f"table {name}" for name in sorted(lost)] + [f"column {name}" for name in sorted(columns - facts.columns)]


def _behind(facts: DatabaseFacts, current: str | None, count: int) -> Finding:
    in_the_way = sorted(facts.tables & Base.metadata.tables.keys())
    if current is None and in_the_way:
        return error("D102", f"The database is at no revision, but has the tables {', '.join(in_the_way)}.", RESTORE)
    found = f"The database is at {current or 'no revision'}, {count} behind {head_revision()}."
    return error("D102", found, _how_to_migrate(facts))


def _how_to_migrate(facts: DatabaseFacts) -> str:
    if isinstance(facts.server, PostgresFacts) and not facts.server.may_create:
        return f"{MIGRATE[:-1]} as a role that may create tables in the schema; this one may not."
    return MIGRATE
