"""The command line: `gqlapi --help`."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console

from gqlapi import __version__
from gqlapi.app import GRAPHQL_PATH, create_database, create_limits
from gqlapi.database import migrations
from gqlapi.http.graphiql.background import building_in_background
from gqlapi.logs import configure_logs
from gqlapi.schema import Schema
from gqlapi.seeding import SeedSize, seed
from gqlapi.settings import Settings

SDL_FILE = Path("schema.graphql")
GRACEFUL_SHUTDOWN_SECONDS = 25
DEFAULT_SIZE = SeedSize()

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
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type] # pydantic checks them
    except ValidationError as error:
        for problem in error.errors():
            name = "".join(f"GQLAPI_{part}".upper() for part in problem["loc"][:1])
            console.print(f"[red]error[/] {name} {problem['msg'].removeprefix('Value error, ')}")
        raise typer.Exit(2) from None


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
    asyncio.run(_prepare(settings))
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
    _serve(settings, reload=False, workers=settings.workers)


@cli.command()
def migrate(revision: Annotated[str, typer.Argument(help="Where to.")] = "head") -> None:
    """Bring the database's schema up to date; safe to run several times at once."""
    settings = load_settings()
    asyncio.run(migrations.upgrade(settings.database_url, revision))
    console.print(f"The database is at revision {asyncio.run(migrations.current_revision(settings.database_url))}.")


@cli.command("seed")
def seed_command(
    users: Annotated[int, typer.Option(min=1)] = DEFAULT_SIZE.users,
    posts: Annotated[int, typer.Option(min=0)] = DEFAULT_SIZE.posts,
    tags: Annotated[int, typer.Option(min=0)] = DEFAULT_SIZE.tags,
    key: Annotated[int, typer.Option(help="Another key makes another blog.")] = 1,
) -> None:
    """Fill an empty database with a small blog, always the same one."""
    settings = load_settings()
    if not asyncio.run(_seed(settings, SeedSize(users, posts, tags), key)):
        console.print("[red]error[/] The database has users already; nothing was changed.")
        raise typer.Exit(1)
    console.print(f"Made {users} users, {posts} posts and {tags} tags.")


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
        console.print(f"[red]error[/] {SDL_FILE} differs from the code. Write it: gqlapi schema > {SDL_FILE}")
        raise typer.Exit(1)


async def _prepare(settings: Settings) -> None:
    await migrations.upgrade(settings.database_url)
    await _seed(settings, SeedSize(), key=1)


async def _seed(settings: Settings, size: SeedSize, key: int) -> bool:
    database = create_database(settings)
    try:
        return await seed(database, size, key=key)
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
    uvicorn.run(
        "gqlapi.app:create_app",
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
    )
    sys.exit(0)


def _environment(settings: Settings) -> dict[str, str]:
    return {"GQLAPI_ENVIRONMENT": settings.environment}
