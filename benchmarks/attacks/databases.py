"""Databases with the rows that attacks are sent against: a template, and a copy for each server."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import sqlalchemy as sa

from benchmarks.attacks.rows import write_rows
from gqlapi.database.migrations import upgrade
from gqlapi.database.unit import create_database
from gqlapi.settings import Settings


class SQLiteCopies:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        """Use a folder that exists."""
        self._template = folder / "template.db"
        self._copy = folder / "attacked.db"

    @property
    def template_url(self) -> str:
        """The URL of the template."""
        return f"sqlite:///{self._template}"

    async def create(self) -> None:
        """Create the template without tables."""

    async def drop(self) -> None:
        """Drop nothing: the folder is temporary."""

    @asynccontextmanager
    async def copy(self) -> AsyncIterator[str]:
        """Copy the template for the length of a block, and yield its URL."""
        shutil.copyfile(self._template, self._copy)
        try:
            yield f"sqlite:///{self._copy}"
        finally:
            self._remove_copy()

    def _remove_copy(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._copy}{suffix}").unlink(missing_ok=True)


class PostgreSQLCopies:
    """Databases beside the one of a URL, which is only used to create and drop them."""

    def __init__(self, url: str) -> None:
        """Use a server by the URL of a database of a role that may create databases."""
        self._url = sa.make_url(url).set(drivername="postgresql")
        self._template = f"gqlapi_attacks_{uuid4().hex}"

    @property
    def template_url(self) -> str:
        """The URL of the template."""
        return self._url_of(self._template)

    async def create(self) -> None:
        """Create the template without tables."""
        await self._execute(f'CREATE DATABASE "{self._template}"')

    async def drop(self) -> None:
        """Drop the template."""
        await self._execute(f'DROP DATABASE IF EXISTS "{self._template}" WITH (FORCE)')

    @asynccontextmanager
    async def copy(self) -> AsyncIterator[str]:
        """Copy the template for the length of a block, and yield its URL."""
        name = f"{self._template}_copy"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        try:
            yield self._url_of(name)
        finally:
            await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._url.render_as_string(hide_password=False))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


Copies = SQLiteCopies | PostgreSQLCopies


@asynccontextmanager
async def prepared(url: str | None, folder: Path) -> AsyncIterator[Copies]:
    """Write the rows to a template: on the PostgreSQL of a URL, or in SQLite."""
    copies = SQLiteCopies(folder) if url is None else PostgreSQLCopies(url)
    await copies.create()
    try:
        await upgrade(copies.template_url)
        database = create_database(Settings(_env_file=None, database_url=copies.template_url))
        try:
            await write_rows(database)
        finally:
            await database.dispose()
        yield copies
    finally:
        await copies.drop()
