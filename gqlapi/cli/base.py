"""What all commands share: the application that they register with, the settings, and how they fail."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import sqlalchemy as sa
import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from gqlapi import __version__
from gqlapi.database.causes import FAILURES, cause_of
from gqlapi.database.replicas import refuse_sqlite
from gqlapi.database.url import normalize_url
from gqlapi.settings import Settings

WRONG_USAGE = 2
DOTENV = Path(".env")
T = TypeVar("T")

cli = typer.Typer(
    help="A GraphQL API server for publishing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
console = Console(stderr=True)

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
Workers = Annotated[int | None, typer.Option(help="Worker processes.")]


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
    """Carry the options before a command."""


def load_settings(*, env_file: Path | None = DOTENV, **overrides: object) -> Settings:
    """Read the settings; a wrong one ends the program with an error and its fix."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(_env_file=env_file, **given)  # type: ignore[arg-type] # pydantic checks them
    except ValidationError as error:
        problems = (("".join(f"GQLAPI_{part} ".upper() for part in p["loc"][:1]), p["msg"]) for p in error.errors())
        fail(*(name + message.removeprefix("Value error, ") for name, message in problems), status=WRONG_USAGE)
    except SettingsError as error:  # a list that is not JSON
        fail(str(error), status=WRONG_USAGE)
    _check_url("GQLAPI_DATABASE_URL", settings.database_url)
    if settings.database_direct_url:
        _check_url("GQLAPI_DATABASE_DIRECT_URL", settings.database_direct_url)
    try:
        refuse_sqlite([settings.database_url, *settings.replica_urls] if settings.replica_urls else [])
    except ValueError as error:
        fail(f"GQLAPI_REPLICA_URLS {error}", status=WRONG_USAGE)
    return settings


def _check_url(name: str, text: str) -> None:
    try:
        url = sa.make_url(normalize_url(text))
    except ValueError as error:
        fail(f"{name} {error}", status=WRONG_USAGE)
    folder = Path(url.database or "").parent
    if url.get_backend_name() == "sqlite" and not folder.is_dir():
        fail(f"{name} the folder {folder} does not exist", status=WRONG_USAGE)


def fail(*messages: str, status: int = 1) -> NoReturn:
    """End the program with one line for each problem."""
    for message in messages:
        console.print("[red]error[/]", end=" ")
        console.print(message, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run work on the database; when it cannot be used, end the program with the reason and what helps."""
    try:
        return asyncio.run(work)
    except FAILURES as error:
        # An operator may read what the driver says; clients get the ApiError alone.
        cause = cause_of(error, load_settings().database_url)
        fail(f"The database cannot be used: {cause.reason}. {cause.fix}")
