"""The command line: `gqlapi --help`."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import sqlalchemy as sa
import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from starlette.applications import Starlette

from gqlapi import __version__
from gqlapi.app import GRAPHQL_PATH, create_app, create_database, create_limits
from gqlapi.database import migrations
from gqlapi.database.url import normalize_url
from gqlapi.http.graphiql.background import building_in_background
from gqlapi.logs import configure_logs
from gqlapi.progress import Report, progress
from gqlapi.rendering import render_again
from gqlapi.schema import Schema
from gqlapi.seeding import SeedSize, seed
from gqlapi.settings import Settings

SDL_FILE = Path("schema.graphql")
GRACEFUL_SHUTDOWN_SECONDS = 25
# After this long a worker that does not answer its supervisor is killed; uvicorn's 5 are too few on a busy machine.
WORKER_START_SECONDS = 30
DEFAULT_SIZE = SeedSize()
WRONG_USAGE = 2
T = TypeVar("T")

cli = typer.Typer(
    help="A GraphQL API server for publishing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
console = Console(stderr=True)


def main() -> None:
    """Run the command line."""
    cli()


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer passes the option's value
    if value:
        typer.echo(__version__)
        raise typer.Exit


@cli.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Carry the options that stand before a command."""


def load_settings(**overrides: object) -> Settings:
    """Read the settings; a wrong one ends the program with what is wrong and how to mend it."""
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type] # pydantic checks them
    except ValidationError as error:
        problems = (("".join(f"GQLAPI_{part} ".upper() for part in p["loc"][:1]), p["msg"]) for p in error.errors())
        fail(*(name + message.removeprefix("Value error, ") for name, message in problems), status=WRONG_USAGE)
    _check_database_url(settings.database_url)
    return settings


def _check_database_url(text: str) -> None:
    try:
        url = sa.make_url(normalize_url(text))
    except ValueError as error:
        fail(f"GQLAPI_DATABASE_URL {error}", status=WRONG_USAGE)
    folder = Path(url.database or "").parent
    if url.get_backend_name() == "sqlite" and not folder.is_dir():
        fail(f"GQLAPI_DATABASE_URL the folder {folder} does not exist", status=WRONG_USAGE)


def fail(*messages: str, status: int = 1) -> NoReturn:
    """End the program with one line for each problem."""
    for message in messages:
        console.print("[red]error[/]", end=" ")
        console.print(message, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run work on the database; when it cannot be reached, say so."""
    try:
        return asyncio.run(work)
    except (OSError, sa.exc.DBAPIError) as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        fail(f"The database cannot be used: {reason}. GQLAPI_DATABASE_URL says where it is.")


Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]


@cli.command()
def dev(
    *,
    host: Host = None,
    port: Port = None,
    reload: Annotated[bool, typer.Option(help="Restart when code changes.")] = True,
) -> None:
    """Create the database if need be, migrate, seed it if empty, and serve with GraphiQL."""
    settings = load_settings(environment="dev", host=host, port=port)
    configure_logs(settings)
    _check_address(settings)
    run(_prepare(settings))
    _print_banner(settings)
    with building_in_background():
        _serve(settings, reload=reload, workers=1)


@cli.command()
def serve(
    host: Host = None, port: Port = None, workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None
) -> None:
    """Serve in production: nothing is migrated or seeded, and dev secrets are refused."""
    settings = load_settings(environment="production", host=host, port=port, workers=workers)
    configure_logs(settings)
    _check_address(settings)
    _serve(settings, reload=False, workers=settings.workers)


@cli.command()
def migrate(revision: Annotated[str, typer.Argument(help="Where to.")] = "head") -> None:
    """Bring the database's schema up to date; safe to run several times at once."""
    settings = load_settings()
    run(migrations.upgrade(settings.database_url, revision))
    console.print(f"The database is at revision {run(migrations.current_revision(settings.database_url))}.")


@cli.command("seed")
def seed_command(
    users: Annotated[int, typer.Option(min=1)] = DEFAULT_SIZE.users,
    posts: Annotated[int, typer.Option(min=0)] = DEFAULT_SIZE.posts,
    tags: Annotated[int, typer.Option(min=0)] = DEFAULT_SIZE.tags,
    key: Annotated[int, typer.Option("--seed", help="Another number makes another blog.")] = 1,
) -> None:
    """Fill an empty database with a blog, always the same one: small by default, or as large as you ask."""
    settings = load_settings()
    with progress(console) as report:
        is_seeded = run(_seed(settings, SeedSize(users, posts, tags), key, report))
    if not is_seeded:
        fail("The database has users already; nothing was changed.")
    console.print(f"Made {users} users, {posts} posts and {tags} tags.")


@cli.command()
def render(
    *,
    all_posts: Annotated[bool, typer.Option("--all", help="Render every post, and rebuild its search entry.")] = False,
) -> None:
    """Render the posts again that an older version of the renderer made; run it after an upgrade."""
    settings = load_settings()
    with progress(console) as report:
        count = run(_render(settings, report, all_posts=all_posts))
    console.print(f"Rendered {count} posts.")


@cli.command()
def schema(
    *,
    check: Annotated[bool, typer.Option(help="Only compare schema.graphql; fail when it differs.")] = False,
) -> None:
    """Print the schema as SDL."""
    sdl = Schema(create_limits(load_settings())).sdl
    if not check:
        typer.echo(sdl, nl=False)
    elif not SDL_FILE.exists() or SDL_FILE.read_text(encoding="utf-8") != sdl:
        fail(f"{SDL_FILE} differs from the code. Write it: gqlapi schema > {SDL_FILE}")


async def _prepare(settings: Settings) -> None:
    await migrations.upgrade(settings.database_url)
    await _seed(settings, SeedSize(), key=1)


async def _seed(settings: Settings, size: SeedSize, key: int, report: Report | None = None) -> bool:
    database = create_database(settings)
    try:
        return await seed(database, size, key=key, progress=report)
    finally:
        await database.dispose()


async def _render(settings: Settings, report: Report, *, all_posts: bool) -> int:
    database = create_database(settings)
    try:
        return await render_again(database, all_posts=all_posts, report=report)
    finally:
        await database.dispose()


def _print_banner(settings: Settings) -> None:
    base = f"http://{settings.host}:{settings.port}"
    url = sa.make_url(settings.database_url).render_as_string(hide_password=True)
    for name, value in (
        ("gqlapi", __version__),
        ("GraphiQL", base + GRAPHQL_PATH),
        ("GraphQL", base + GRAPHQL_PATH),
        ("health", base + "/readyz"),
        ("database", url),
    ):
        console.print(f"  [bold]{name:<9}[/] {value}", highlight=False, soft_wrap=True)


def _serve(settings: Settings, *, reload: bool, workers: int) -> None:
    # Reloader and workers import the application in processes of their own: the environment carries the settings.
    os.environ.update(_environment(settings))
    # After its orderly end uvicorn raises the signal again, which would make the end a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        "gqlapi.cli:application",
        factory=True,
        host=settings.host,
        port=settings.port,
        reload=reload,
        reload_dirs=[str(Path(__file__).parent)] if reload else None,
        workers=None if reload else workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
        timeout_worker_healthcheck=WORKER_START_SECONDS,
    )
    sys.exit(0)


def application() -> Starlette:
    """Make the application of a worker process, which sets up its logs anew."""
    settings = Settings()
    configure_logs(settings)
    return create_app(settings)


def _check_address(settings: Settings) -> None:
    """End the program when nothing can listen on the address, before anything else happens."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        address = f"{settings.host}:{settings.port}"
        fail(f"Cannot listen on {address}: {error.strerror}. Choose another with --port or GQLAPI_PORT.")


def _environment(settings: Settings) -> dict[str, str]:
    return {"GQLAPI_ENVIRONMENT": settings.environment}
