"""The command line of Alembic in a clean copy of the checkout."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from alembic.config import CommandLine, Config
from sqlalchemy.ext.asyncio import AsyncSession

from gqlapi.database.migrations import connect, current_revision, head_revision
from gqlapi.database.types import utc_now
from gqlapi.models import Post, PostState, PostTag, Tag, User
from tests.checkouts import copy_sources
from tests.commands import keeping_logs
from tests.database.catalog import read_catalog

ALEMBIC = Path(sys.executable).parent / "alembic"
PROCESSES = 3
REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"

def upgrade() -> None:
{body}
"""


class Checkout:
    """A copy of the checkout, and the database that its commands work on."""

    def __init__(self, path: Path, url: str | None) -> None:
        self.path = path
        # Without a URL the commands find their own database: no configuration.
        self.url = url or f"sqlite:///{path / 'gqlapi.db'}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GQLAPI_")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # so many processes would compile everything anew
        self.environment = environment | {"PYTHONWARNINGS": "error"} | ({"GQLAPI_DATABASE_URL": url} if url else {})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `alembic` with arguments."""
        return subprocess.Popen(
            [ALEMBIC, *arguments],
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def alembic(self, *arguments: str, status: int = 0) -> str:
        """Run `alembic` in this process, with its models; return what it printed, and an error that is expected."""
        environment = {name: value for name, value in self.environment.items() if name.startswith("GQLAPI_")}
        with ThreadPoolExecutor(1) as threads:  # the command runs its own event loop
            return threads.submit(_invoke, arguments, self.path, environment, may_fail=status != 0).result()

    def alembic_process(self, *arguments: str, status: int = 0) -> str:
        """Run `alembic` as a person does, and return what it printed, errors included when one is expected."""
        process = self.start(*arguments)
        output, errors = process.communicate()
        # 255 is -1: all that Alembic reports about a failure.
        assert (process.returncode == 0) == (status == 0), errors
        return output + errors if status else output

    def add_columns(self, model: str, *definitions: str) -> None:
        """Add columns to the last class of a module of models."""
        module = self.path / "gqlapi" / "models" / f"{model}.py"
        module.write_text(module.read_text() + "".join(f"    {definition}\n" for definition in definitions))

    def add_revision(self, *statements: str) -> None:
        """Add a revision after the newest one."""
        body = "\n".join(f"    {statement}" for statement in statements)
        text = REVISION.format(head=head_revision(), body=body)
        (self.path / "alembic" / "versions" / "next.py").write_text(text)


def _invoke(arguments: tuple[str, ...], folder: Path, environment: dict[str, str], *, may_fail: bool) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GQLAPI_")}
    output = io.StringIO()
    command = CommandLine("alembic")
    options = command.parser.parse_args(arguments)
    with (
        patch.dict(os.environ, clean | environment, clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(output),
        keeping_logs(),
    ):
        try:
            command.run_cmd(Config("alembic.ini", stdout=output, cmd_opts=options), options)
        except (Exception, SystemExit) as error:
            if not may_fail:
                raise
            return f"{output.getvalue()}{error}"
    assert not may_fail
    return output.getvalue()


def copy_checkout(path: Path) -> Path:
    path.mkdir()
    copy_sources(["alembic", "gqlapi", "alembic.ini"], path)
    return path


def as_providers_write(url: str) -> str:
    return url.replace("postgresql://", "postgres://") + "?sslmode=disable"


@pytest.fixture
def checkout(tmp_path: Path, dialect: str, request: pytest.FixtureRequest) -> Checkout:
    """A copy without a database on SQLite, with an empty one on PostgreSQL."""
    path = copy_checkout(tmp_path / "checkout")
    if dialect == "sqlite":
        return Checkout(path, None)
    return Checkout(path, as_providers_write(request.getfixturevalue("empty_postgresql_url")))


@pytest.fixture
def migrated(tmp_path: Path, dialect: str, request: pytest.FixtureRequest) -> Checkout:
    """A copy with a database at the newest revision."""
    path = copy_checkout(tmp_path / "checkout")
    if dialect == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), path / "gqlapi.db")
        return Checkout(path, None)
    return Checkout(path, as_providers_write(request.getfixturevalue("postgresql_url")))


async def add_post(url: str) -> None:
    """Add a published post with a tag."""
    async with connect(url) as connection, AsyncSession(connection) as session:
        user = User(username="ann", username_key="ann", display_name="Ann")
        tag = Tag(slug="sql", name="SQL", name_key="sql")
        session.add_all([user, tag])
        await session.flush()
        texts = dict.fromkeys(("slug", "title", "title_key", "markdown", "html", "text"), "post")
        numbers = {"reading_time_minutes": 1, "renderer": 1}
        post = Post(author_id=user.id, state=PostState.PUBLISHED, published_at=utc_now(), **texts, **numbers)
        session.add(post)
        await session.flush()
        session.add(PostTag(post_id=post.id, tag_id=tag.id, position=0))
        await session.commit()


async def count_post_tags(url: str) -> int:
    async with connect(url) as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(PostTag)) or 0


class TestCommands:
    async def test_go_up_and_down_and_up_again(self, checkout: Checkout) -> None:
        checkout.alembic("upgrade", "head")
        catalog = await read_catalog(checkout.url)
        checkout.alembic("downgrade", "base")
        assert await current_revision(checkout.url) is None
        assert await read_catalog(checkout.url) == set()
        checkout.alembic("upgrade", "head")
        assert await read_catalog(checkout.url) == catalog

    def test_find_the_database_without_being_told(self, migrated: Checkout) -> None:
        assert migrated.alembic_process("current") == f"{head_revision()} (head)\n"
        assert f"{head_revision()} (head), " in migrated.alembic("history")

    def test_check_finds_nothing_to_do(self, migrated: Checkout) -> None:
        assert migrated.alembic("check") == "No new upgrade operations detected.\n"

    async def test_three_upgrades_at_once_succeed(self, checkout: Checkout) -> None:
        processes = [checkout.start("upgrade", "head") for _ in range(PROCESSES)]
        errors = [process.communicate()[1] for process in processes]
        assert [process.returncode for process in processes] == [0] * PROCESSES, errors
        assert sum("Running upgrade" in error for error in errors) == 1
        assert await current_revision(checkout.url) == head_revision()


class TestAutogenerate:
    async def test_writes_added_columns(self, migrated: Checkout) -> None:
        migrated.add_columns(
            "user",
            "seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)",
            "next_role: Mapped[UserRole | None] = mapped_column(enum_column_type(UserRole, 'next_role'))",
        )
        migrated.alembic_process("revision", "--autogenerate", "-m", "Add the last visit")
        [script] = (migrated.path / "alembic" / "versions").glob("????_??_??_????_add_the_last_visit.py")
        text = script.read_text()
        assert "sa.Column('seen_at', UtcDateTime(), nullable=True)" in text
        assert "from gqlapi.database.types import UtcDateTime" in text
        before = await read_catalog(migrated.url)
        migrated.alembic("upgrade", "head")
        migrated.alembic_process("check")
        added = {line for line in await read_catalog(migrated.url) - before if "seen_at" in line or "next_role" in line}
        assert any("ck_users_next_role" in line for line in added)
        migrated.alembic("downgrade", "-1")
        assert await read_catalog(migrated.url) == before


class TestOffline:
    @pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
    async def test_prints_what_makes_the_same_schema(self, checkout: Checkout, postgresql_url: str) -> None:
        script = checkout.alembic("upgrade", "head", "--sql")
        async with connect(checkout.url) as connection:
            driver = await connection.get_raw_connection()
            assert driver.driver_connection is not None
            # One by one, as psql does: several at once are a transaction, in which no index is built concurrently.
            for statement in filter(str.strip, script.split(";\n\n")):
                await driver.driver_connection.execute(statement)
        assert await current_revision(checkout.url) == head_revision()
        assert await read_catalog(checkout.url) == await read_catalog(postgresql_url)

    @pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
    def test_refuses_sqlite(self, checkout: Checkout) -> None:
        assert "--sql writes PostgreSQL scripts only" in checkout.alembic("upgrade", "head", "--sql", status=1)


class TestBatch:
    async def test_keeps_rows_that_refer_to_a_recreated_table(self, migrated: Checkout) -> None:
        await add_post(migrated.url)
        catalog = await read_catalog(migrated.url)
        migrated.add_revision(
            "with op.batch_alter_table('posts', recreate='auto') as batch:",
            "    batch.add_column(sa.Column('subtitle', sa.Text()))",
            "    batch.create_check_constraint('subtitle_length', 'length(subtitle) <= 300')",
            "with op.batch_alter_table('posts') as batch:",
            "    batch.drop_constraint(op.f('ck_posts_subtitle_length'), type_='check')",
            "    batch.drop_column('subtitle')",
        )
        migrated.alembic("upgrade", "head")
        assert await current_revision(migrated.url) == "next"
        assert await count_post_tags(migrated.url) == 1
        assert await read_catalog(migrated.url) == catalog

    async def test_fails_when_it_leaves_broken_references(self, migrated: Checkout) -> None:
        await add_post(migrated.url)
        # PostgreSQL refuses the statement itself, SQLite what the revision leaves behind.
        migrated.add_revision("op.execute('DELETE FROM users')")
        errors = migrated.alembic("upgrade", "head", status=1)
        assert "fk_posts_author_id_users" in errors or "revision next leaves 1 broken references: posts" in errors
        assert await current_revision(migrated.url) == head_revision()
        assert await count_post_tags(migrated.url) == 1
