"""Checks of a database's server, or of the file of SQLite, by what is known of it."""

import shutil
from collections.abc import Iterator

from gqlapi.database.causes import DIRECT, FILE, POOLER
from gqlapi.database.connector import Way
from gqlapi.database.inspection import PostgresFacts, SqliteFacts
from gqlapi.doctor.finding import Finding, error, ok, plural, warning
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
WAYS = {
    Way.SESSION: "each connection has a separate session",
    Way.TRANSACTION: "settings go with each transaction, and it prepares statements",
    Way.UNPREPARED: "settings go with each transaction, and statements are not prepared",
}


def workers_of(settings: Settings) -> int:
    """Return the number of worker processes; development has one."""
    return settings.workers if settings.is_production else 1


def check_server(facts: PostgresFacts | SqliteFacts, settings: Settings) -> list[Finding]:
    """Run all checks of a server, or of a file."""
    if isinstance(facts, SqliteFacts):
        return [*_check_sqlite(facts, settings)]
    return [*_check_postgresql(facts, settings)]


def _check_postgresql(facts: PostgresFacts, settings: Settings) -> Iterator[Finding]:
    yield check_postgresql_version(facts)
    yield check_encoding(facts)
    yield check_durability(facts)
    yield check_pool(facts, settings.pool_size, workers_of(settings))
    yield check_clock(facts)
    yield check_pooler(facts, settings)
    yield check_rights(facts)


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
        found = "synchronous_commit is off: a crash loses acknowledged changes."
        return warning("D105", found, "Set synchronous_commit to on, for the server, the database or the role.")
    return ok("D105", f"synchronous_commit is {facts.synchronous_commit}.")


def check_pool(facts: PostgresFacts, pool_size: int, workers: int) -> Finding:
    """Compare the connections of all workers with what the server admits."""
    # A worker takes one more for its jobs, and the worker that has the turn another one.
    jobs = workers + 1
    wanted = workers * pool_size + jobs
    if facts.is_pooled:
        found = f"{plural(workers, 'worker')} {TIMES} {plural(pool_size, 'connection')} = {wanted} of the pooler."
        return ok("D106", found)
    found = (
        f"{plural(workers, 'worker')} {TIMES} {plural(pool_size, 'connection')}, and {jobs} for background jobs, "
        f"= {wanted}; PostgreSQL admits "
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


def check_pooler(facts: PostgresFacts, settings: Settings) -> Finding:
    """Look for a program in between, which may hand one connection to several clients in turn."""
    if not facts.is_pooled:
        return ok("D109", "PostgreSQL answers by itself.")
    if facts.way is Way.DIRECT:
        return error("D109", "A pooler passes the connection on, which GQLAPI_DATABASE_POOLER denies.", POOLER)
    found = f"A pooler passes the connection on; {WAYS[facts.way]}."
    if not settings.database_direct_url and not settings.has_own_sessions:
        return warning("D109", f"{found} Migrations cannot run through it.", DIRECT)
    return ok("D109", found)


def check_rights(facts: PostgresFacts) -> Finding:
    """Ask for a database that takes writes, from this role."""
    if facts.is_in_recovery:
        found = "The database is a standby, which is read-only."
        return error("D113", found, "Set GQLAPI_DATABASE_URL to the primary, or promote the standby.")
    if facts.is_read_only:
        found = "The database is read-only: default_transaction_read_only is on."
        return error("D113", found, "Turn it off for the server, the database and the role.")
    if facts.refused_tables:
        found = f"The role may not read and write {plural(facts.refused_tables, 'table')}."
        return error("D113", found, "Grant SELECT, INSERT, UPDATE and DELETE on all tables to it.")
    if facts.refused_sequences:
        found = f"The role may not use {plural(facts.refused_sequences, 'sequence')}."
        return error("D113", found, "Grant USAGE on all sequences to it.")
    return ok("D113", "The role may write.")


def _check_sqlite(facts: SqliteFacts, settings: Settings) -> Iterator[Finding]:
    yield check_sqlite_version(facts)
    yield check_synchronous(settings)
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


def check_synchronous(settings: Settings) -> Finding:
    """Ask that a commit is on the disk before it is acknowledged, in production."""
    if settings.synchronous == "full":
        return ok("D105", "synchronous is FULL.")
    found = "synchronous is NORMAL: a power failure or a crash of the system may lose the last acknowledged commits"
    if settings.is_production:
        return warning("D105", f"{found}.", "Unset GQLAPI_SQLITE_SYNCHRONOUS, or set it to full.")
    return ok("D105", f"{found}; a crash of the program does not. Production uses FULL.")


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
    return error("D113", f"The file cannot be written: {facts.write_failure}.", FILE)
