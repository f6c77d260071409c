"""`gqlapi schema`."""

from pathlib import Path
from typing import Annotated

import typer

from gqlapi.cli.base import cli, fail, load_settings

SDL_FILE = Path("schema.graphql")


@cli.command()
def schema(
    *,
    check: Annotated[bool, typer.Option(help="Only compare schema.graphql; fail when it differs.")] = False,
) -> None:
    """Print the schema as SDL."""
    # A second of imports, for which the other commands should not wait.
    from gqlapi.app import create_limits  # noqa: PLC0415
    from gqlapi.schema import Schema  # noqa: PLC0415

    sdl = Schema(create_limits(load_settings())).sdl
    if not check:
        typer.echo(sdl, nl=False)
    elif not SDL_FILE.exists() or SDL_FILE.read_text(encoding="utf-8") != sdl:
        fail(f"{SDL_FILE} differs from the code. Write it: gqlapi schema > {SDL_FILE}")
