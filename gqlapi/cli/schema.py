"""`gqlapi schema`."""

import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gqlapi.cli.base import WRONG_USAGE, cli, console, fail, load_settings, run
from gqlapi.database.types import utc_now
from gqlapi.database.unit import create_database
from gqlapi.models import FieldUsage
from gqlapi.repositories.field_usage import list_usage
from gqlapi.settings import Settings

if TYPE_CHECKING:
    from gqlapi.schema import Schema

SDL_FILE = Path("schema.graphql")

schema_cli = typer.Typer(help="The schema as SDL, and its changes.")
cli.add_typer(schema_cli, name="schema")


@schema_cli.callback(invoke_without_command=True)
def schema(
    context: typer.Context,
    *,
    check: Annotated[bool, typer.Option(help="Only compare schema.graphql; fail when it differs.")] = False,
) -> None:
    """Print the schema as SDL, without a command."""
    if context.invoked_subcommand is not None:
        return
    sdl = _current_sdl()
    if not check:
        typer.echo(sdl, nl=False)
    elif not SDL_FILE.exists() or SDL_FILE.read_text(encoding="utf-8") != sdl:
        fail(f"{SDL_FILE} differs from the code. Write it: gqlapi schema > {SDL_FILE}")


@schema_cli.command("check")
def check_changes(
    *,
    against: Annotated[
        str, typer.Option(metavar="REF", help="A revision of git, whose schema.graphql is compared, or an SDL file.")
    ],
) -> None:
    """List what changed since an earlier schema; fail when a change breaks clients."""
    from graphql import GraphQLError  # noqa: PLC0415 - see `_load_schema`

    from gqlapi.cli.schema_changes import changes_between  # noqa: PLC0415

    try:
        changes = changes_between(_earlier_sdl(against), _current_sdl())
    except GraphQLError as error:
        fail(f"The schema of {against} cannot be read: {error.message}", status=WRONG_USAGE)
    for change in changes:
        typer.echo(f"{change.severity:<9}  {change.kind}  {change.text}")
    counts = Counter(change.severity for change in changes)
    numbers = ", ".join(f"{counts[severity]} {severity}" for severity in ("breaking", "dangerous", "safe"))
    typer.echo(f"Changes since {against}: {numbers}")
    if counts["breaking"]:
        raise typer.Exit(1)


@schema_cli.command("usage")
def show_usage(
    *,
    days: Annotated[int, typer.Option(min=1, max=365, help="What was not used for so long counts as unused.")] = 90,
    everything: Annotated[bool, typer.Option("--all", help="List what is not deprecated as well.")] = False,
) -> None:
    """List which clients use what is deprecated, and what may be removed. GQLAPI_COUNT_USAGE counts."""
    from gqlapi.cli.schema_usage import usage_lines  # noqa: PLC0415 - see `_load_schema`

    settings = load_settings()
    usage = run(_read_usage(settings))
    if not usage:
        fail("No use has been counted. Set GQLAPI_COUNT_USAGE=true for the servers.")
    schema = _load_schema(settings)._schema  # noqa: SLF001 - Strawberry has no name for graphql-core's schema
    lines = [*usage_lines(schema, usage, utc_now(), days=days, only_deprecated=not everything)]
    for line in lines:
        typer.echo(line)
    if not lines:
        console.print("Nothing is deprecated.", highlight=False)


async def _read_usage(settings: Settings) -> Sequence[FieldUsage]:
    database = create_database(settings)
    try:
        async with database.write() as session:
            return await list_usage(session)
    finally:
        await database.dispose()


def _current_sdl() -> str:
    return _load_schema(load_settings()).sdl


def _load_schema(settings: Settings) -> "Schema":
    # A second of imports, for which the other commands should not wait.
    from gqlapi.app import create_limits  # noqa: PLC0415
    from gqlapi.schema import Schema  # noqa: PLC0415

    return Schema(create_limits(settings))


def _earlier_sdl(reference: str) -> str:
    """Return the SDL of a file, or that of a revision."""
    if Path(reference).is_file():
        return Path(reference).read_text(encoding="utf-8")
    command = ["git", "show", "--end-of-options", f"{reference}:./{SDL_FILE}"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - no option can be given
    except FileNotFoundError:
        fail(f"{reference} is not a file, and git is not installed.", status=WRONG_USAGE)
    except subprocess.CalledProcessError as error:
        fail(
            f"{reference} is neither a file nor a revision with {SDL_FILE}: {error.stderr.strip()}", status=WRONG_USAGE
        )
    return shown.stdout
