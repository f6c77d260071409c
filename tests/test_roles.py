"""`examples/postgresql/roles.sql`: one role migrates, the other serves and is allowed nothing else."""

import asyncio
import os
import subprocess
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa

from gqlapi.database.migrations import upgrade
from gqlapi.doctor import Severity, examine
from tests.api import serve, settings_for
from tests.architecture import ROOT
from tests.factories import make_post, make_user, save
from tests.postgres import PostgresServer, find_binaries


async def test_serve_without_the_rights_of_an_owner(postgres: PostgresServer) -> None:
    # Roles belong to the whole server.
    name = f"gqlapi_{uuid4().hex[:12]}"
    script = (ROOT / "examples" / "postgresql" / "roles.sql").read_text().replace("gqlapi", name)
    passwords = {"GQLAPI_OWNER_PASSWORD": "owner's", "GQLAPI_SERVER_PASSWORD": "server's"}
    command = [f"{find_binaries()}/psql", "--set=ON_ERROR_STOP=1", "--no-psqlrc", "--quiet", postgres.maintenance_url]
    environment = {**os.environ, **passwords}
    try:
        done = await asyncio.to_thread(
            subprocess.run, command, input=script, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        owner, server = (url_of(postgres, role, name) for role in (f"{name}_owner", name))
        await upgrade(owner)
        async with serve(settings_for(server)) as api:
            await save(api.database, [ada := make_user(), make_post(ada)])
            assert (await api.data("{ posts { totalCount } }")) == {"posts": {"totalCount": 1}}
        findings = {finding.code: finding for finding in await examine(database_url=server, port=0)}
        assert [finding for finding in findings.values() if finding.severity is Severity.ERROR] == []
        connection = await asyncpg.connect(server)
        for statement in ("CREATE TABLE x (id int)", "DROP TABLE posts", "TRUNCATE posts"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()
    finally:
        await postgres.drop_database(name)
        for role in (name, f"{name}_owner"):
            await postgres.execute(f'DROP ROLE IF EXISTS "{role}"')


def url_of(postgres: PostgresServer, role: str, database: str) -> str:
    url = sa.make_url(postgres.url(database)).set(username=role, password=None)
    return url.render_as_string(hide_password=False)
