"""Checks of the database and its server."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from gqlapi.accounts.demo import find_demo_logins
from gqlapi.database.inspection import (
    DatabaseFacts,
    PostgresFacts,
    SqliteFacts,
    inspect_database,
    inspect_postgresql,
)
from gqlapi.database.migrations import head_revision, missing_revisions
from gqlapi.database.unit import Database
from gqlapi.database.url import mask_url, normalize_url
from gqlapi.doctor.finding import Finding, Severity, error, ok, plural, warning
from gqlapi.doctor.texts import examine_texts
from gqlapi.errors import ApiError
from gqlapi.models import Base
from gqlapi.settings import Settings

MIN_POSTGRESQL = 14
# The first with RETURNING, which the ORM's inserts use.
MIN_SQLITE = (3, 35)
MAX_CLOCK_OFFSET_SECONDS = 2.0
# What migrations, psql and monitoring need beside the server.
SPARE_CONNECTIONS = 3
MIN_FREE_BYTES = 100 * 2**20
LOW_FREE_BYTES = 2**30
TIMES = "\N{MULTIPLICATION SIGN}"
SET_URL = "Start the database, or set GQLAPI_DATABASE_URL to where it is."


async def examine_database(settings: Settings) -> list[Finding]:
    """Run all checks of the database; when it cannot be reached, that is the only finding."""
    try:
        url = normalize_url(settings.database_url)
    except ValueError as wrong:
        return [error("D101", f"GQLAPI_DATABASE_URL: {wrong}.", SET_URL)]
    shown = mask_url(url)
    seconds = settings.connect_timeout_seconds
    try:
        async with asyncio.timeout(2 * seconds):
            facts = await inspect_database(url, timeout_seconds=seconds)
    except FileNotFoundError:
        return [_missing_file(Path(sa.make_url(url).database or ""), shown)]
    except Exception as failure:  # noqa: BLE001 - whatever keeps the database from answering
        return [error("D101", f"{shown} cannot be used: {_reason(failure, url)}.", SET_URL)]
    server = facts.server
    checks = _check_postgresql(server, settings) if isinstance(server, PostgresFacts) else _check_sqlite(server)
    findings = [ok("D101", f"{shown} answers."), check_revision(facts), *checks]
    if findings[1].severity is Severity.OK:  # else there may be no table to look into
        findings += [await check_demo_logins(settings), *await examine_texts(settings)]
    return sorted(findings, key=lambda finding: finding.code)


async def check_demo_logins(settings: Settings) -> Finding:
    """Try the password that everybody knows on the users that `gqlapi dev` makes."""
    database = Database(settings.database_url)
    try:
        logins = await find_demo_logins(database)
    except ApiError as failure:
        return warning("D108", f"Not known: {failure.message}", "Grant SELECT on all tables to the role.")
    finally:
        await database.dispose()
    if not logins:
        return ok("D108", "None works.")
    found = f"{plural(len(logins), 'user')} with the demo password: {', '.join(logins)}."
    if settings.is_production:
        return error("D108", found, "Delete these users, or change their passwords.")
    return ok("D108", found)


async def examine_pool(settings: Settings) -> Finding | None:
    """Check only the number of connections; None for SQLite, and when the database cannot be asked."""
    try:
        url = normalize_url(settings.database_url)
        if url.startswith("sqlite"):
            return None
        async with asyncio.timeout(settings.connect_timeout_seconds):
            facts = await inspect_postgresql(url, timeout_seconds=settings.connect_timeout_seconds)
    except Exception:  # noqa: BLE001 - a database that is down is no reason not to start
        return None
    return check_pool(facts, settings.pool_size, workers_of(settings))


def workers_of(settings: Settings) -> int:
    """Return the number of worker processes; development has one."""
    return settings.workers if settings.is_production else 1


def _missing_file(path: Path, shown: str) -> Finding:
    if not path.parent.is_dir():
        return error("D101", f"The folder {path.parent} does not exist.", f"Create it. {SET_URL}")
    return error("D101", f"{shown} does not exist.", "Run `gqlapi migrate`, or `gqlapi dev`, which does it.")


def _reason(failure: Exception, url: str) -> str:
    """Say in one line why, without the password."""
    if isinstance(failure, TimeoutError):
        return "it does not answer in time"
    original = getattr(failure, "orig", None) or failure
    text = str(original.__cause__ or original).partition("\n")[0] or type(failure).__name__
    password = sa.make_url(url).password
    return (text.replace(str(password), "***") if password else text).rstrip(".")


def check_revision(facts: DatabaseFacts) -> Finding:
    """Compare the revision of the database with ours."""
    current, head = ", ".join(facts.revisions) or None, head_revision()
    missing = missing_revisions(current)
    if missing == []:
        return ok("D102", f"The database is at the newest revision, {head}.")
    if missing is not None:
        found = f"The database is at {current or 'no revision'}, {len(missing)} behind {head}."
        return error("D102", found, "Run `gqlapi migrate`.")
    if set(Base.metadata.tables) <= facts.tables:
        found = f"The database is ahead: its revision {current} is newer than {head}, the last that is known here."
        return warning("D102", found, "Upgrade gqlapi, or let a rolling upgrade end.")
    found = f"The database is at the unknown revision {current}, and our tables are missing."
    return error("D102", found, "Set GQLAPI_DATABASE_URL to a database of gqlapi.")


def _check_postgresql(facts: PostgresFacts, settings: Settings) -> list[Finding]:
    return [
        check_postgresql_version(facts),
        check_encoding(facts),
        check_durability(facts),
        check_pool(facts, settings.pool_size, workers_of(settings)),
        check_clock(facts),
        check_rights(facts),
    ]


def check_postgresql_version(facts: PostgresFacts) -> Finding:
    """Compare the server's version with the oldest that is supported."""
    if facts.version_number < MIN_POSTGRESQL * 10_000:
        fix = f"Upgrade PostgreSQL to {MIN_POSTGRESQL} or newer."
        return error("D103", f"PostgreSQL {facts.version} is not supported.", fix)
    return ok("D103", f"PostgreSQL {facts.version}.")


def check_encoding(facts: PostgresFacts) -> Finding:
    """Ask for an encoding that holds every character."""
    if facts.encoding != "UTF8":
        fix = "Create the database anew with ENCODING 'UTF8', and restore a dump into it."
        return error("D104", f"The database's encoding is {facts.encoding}; texts need UTF8.", fix)
    return ok("D104", "UTF8.")


def check_durability(facts: PostgresFacts) -> Finding:
    """Ask that a commit is on the disk before it is acknowledged."""
    if facts.synchronous_commit == "off":
        found = "synchronous_commit is off: a crash loses changes that clients were told are saved."
        return warning("D105", found, "Set synchronous_commit to on, for the server, the database or the role.")
    return ok("D105", f"synchronous_commit is {facts.synchronous_commit}.")


def check_pool(facts: PostgresFacts, pool_size: int, workers: int) -> Finding:
    """Compare the connections of all workers with what the server admits."""
    wanted = workers * pool_size
    found = (
        f"{plural(workers, 'worker')} {TIMES} {plural(pool_size, 'connection')} = {wanted}; PostgreSQL admits "
        f"{facts.usable_connections} "
        f"(max_connections {facts.max_connections}, {facts.reserved_connections} of them reserved)."
    )
    fix = "Lower GQLAPI_POOL_SIZE or GQLAPI_WORKERS, or raise max_connections."
    if wanted > facts.usable_connections:
        return error("D106", found, fix)
    if wanted + SPARE_CONNECTIONS > facts.usable_connections:
        return warning("D106", f"{found} Nothing is left for migrations and other programs.", fix)
    return ok("D106", found)


def check_clock(facts: PostgresFacts) -> Finding:
    """Compare the clocks: ours decides what is published, the server's what its functions say."""
    if facts.clock_offset_seconds > MAX_CLOCK_OFFSET_SECONDS:
        found = f"The clocks of this machine and of the database differ by {facts.clock_offset_seconds:.1f} seconds."
        return warning("D107", found, "Synchronise both with NTP.")
    return ok("D107", "The clocks of this machine and of the database agree.")


def check_rights(facts: PostgresFacts) -> Finding:
    """Ask for a database that takes writes, from this role."""
    if facts.is_read_only:
        found = "The database is read-only: a standby, or default_transaction_read_only is on."
        return error("D113", found, "Set GQLAPI_DATABASE_URL to the primary, or turn the setting off.")
    if facts.refused_tables:
        found = f"The role may not write to {plural(facts.refused_tables, 'table')}."
        return error("D113", found, "Grant SELECT, INSERT, UPDATE and DELETE on all tables to it.")
    return ok("D113", "The role may write.")


def _check_sqlite(facts: SqliteFacts) -> Iterator[Finding]:
    yield check_sqlite_version(facts)
    yield check_journal(facts)
    yield check_disk_space(facts)
    yield check_writing(facts)


def check_sqlite_version(facts: SqliteFacts) -> Finding:
    """Compare SQLite's version with the oldest that is supported, and look for its full-text search."""
    fix = f"Use a Python with SQLite {'.'.join(map(str, MIN_SQLITE))} or newer, built with FTS5."
    if tuple(map(int, facts.version.split("."))) < MIN_SQLITE:
        return error("D103", f"SQLite {facts.version} is not supported.", fix)
    if not facts.has_fts5:
        return error("D103", f"SQLite {facts.version} was built without FTS5, which search needs.", fix)
    return ok("D103", f"SQLite {facts.version}.")


def check_journal(facts: SqliteFacts) -> Finding:
    """Ask for the journal that lets readers and the writer work at the same time."""
    if facts.journal_mode != "wal":
        found = f"The journal is {facts.journal_mode}, not WAL: a writer stops all readers."
        return warning("D111", found, "Move the file to a local disk, and run `gqlapi migrate`, which sets WAL.")
    return ok("D111", "WAL.")


def check_disk_space(facts: SqliteFacts) -> Finding:
    """Ask for room to grow, and for a migration to write a table anew."""
    free = shutil.disk_usage(facts.path.parent).free
    found = f"{free // 2**20} MiB are free beside {facts.path.name}."
    fix = "Free disk space, or move the file."
    if free < MIN_FREE_BYTES:
        return error("D112", found, fix)
    if free < max(LOW_FREE_BYTES, facts.path.stat().st_size):
        return warning("D112", found, fix)
    return ok("D112", found)


def check_writing(facts: SqliteFacts) -> Finding:
    """Look at how beginning a write went."""
    if not facts.write_failure:
        return ok("D113", "A write can begin.")
    if "locked" in facts.write_failure:
        found = "Another program holds the file's write lock for seconds."
        return warning("D113", found, "Look for a long transaction, an import or a backup.")
    fix = "Let the server's user write the file and its folder."
    return error("D113", f"The file cannot be written: {facts.write_failure}.", fix)
