"""`gqlapi import` and `gqlapi export`."""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from gqlapi.cli.base import DOTENV, WRONG_USAGE, cli, console, fail, load_settings, run
from gqlapi.database.unit import create_database
from gqlapi.errors import ApiError
from gqlapi.interchange.exporting import Unwritable, export_blog
from gqlapi.interchange.importing import import_blog
from gqlapi.interchange.reading import can_be_author
from gqlapi.interchange.writing import FileOutcome, Status
from gqlapi.progress import Report, progress
from gqlapi.settings import Settings

MAX_DOTENV_LENGTH = 100_000
SETTING = re.compile(r"^\s*(export\s+)?GQLAPI_", re.MULTILINE | re.IGNORECASE)


@cli.command("import")
def import_command(
    folder: Annotated[Path, typer.Argument(help="The folder; Markdown files are looked for at any depth.")],
    *,
    author: Annotated[str, typer.Option(help="Who wrote the new posts that name no author.")] = "editorial",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    env_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Read settings from this file, such as .env.")
    ] = None,
) -> None:
    """Import Markdown files with the front matter of Jekyll, Hugo or Zola; can be run again.

    Prints a line for each file, and fails when one could not be read. Settings come from the environment: a .env here
    may be part of what is imported.
    """
    if env_file is None:
        _refuse_dotenv()
    settings = load_settings(env_file=env_file)
    if not folder.is_dir():
        fail(f"{folder} is not a folder.", status=WRONG_USAGE)
    if not can_be_author(author):
        fail("--author is not a name.", status=WRONG_USAGE)
    outcomes: list[FileOutcome] = []
    try:
        with progress(console) as report:
            run(_import(settings, folder, author, report, outcomes, dry_run=dry_run))
    except ApiError as error:
        fail(f"{error} The files that are not listed were not imported; run it again.")
    finally:
        for outcome in outcomes:
            typer.echo(f"{outcome.status:<9}  {outcome.path}{f': {outcome.reason}' if outcome.reason else ''}")
    bad = sum(outcome.is_bad for outcome in outcomes)
    console.print(_summary(outcomes, bad, dry_run=dry_run), highlight=False, soft_wrap=True)
    raise typer.Exit(1 if bad else 0)


@cli.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or does not exist.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
) -> None:
    """Write all posts as Markdown files with front matter, which `gqlapi import` reads back."""
    # The files are to show one state of the blog.
    settings = load_settings().model_copy(update={"read_consistency": "snapshot"})
    if folder.exists() and not folder.is_dir():
        fail(f"{folder} is not a folder.", status=WRONG_USAGE)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        fail(f"{folder} is not empty; --force writes into it nevertheless.", status=WRONG_USAGE)
    try:
        with progress(console) as report:
            count = run(_export(settings, folder, report))
    except (ApiError, Unwritable) as error:
        fail(str(error))
    console.print(f"Wrote {count} posts.", highlight=False)


def _refuse_dotenv() -> None:
    """End the program where a `.env` that is not read has settings: else the import would go to another database."""
    if not DOTENV.is_file():
        return
    with DOTENV.open(errors="replace") as file:
        text = file.read(MAX_DOTENV_LENGTH)
    if SETTING.search(text):
        reason = "`import` does not read .env, because the folder may be somebody else's."
        fail(f"{reason} If it is yours, pass --env-file .env.", status=WRONG_USAGE)


def _summary(outcomes: list[FileOutcome], bad: int, *, dry_run: bool) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    summary = ", ".join(f"{counts[status]} {status}" for status in Status)
    to_fix = f", {bad} of them need fixing" if bad else ""
    return f"{'Nothing was written; it would be: ' if dry_run else ''}{summary}{to_fix}."


async def _import(
    settings: Settings, folder: Path, author: str, report: Report, outcomes: list[FileOutcome], *, dry_run: bool
) -> None:
    database = create_database(settings)
    try:
        async for outcome in import_blog(database, folder, default_author=author, dry_run=dry_run, report=report):
            outcomes.append(outcome)  # noqa: PERF401 - what was done is reported when the rest fails
    finally:
        await database.dispose()


async def _export(settings: Settings, folder: Path, report: Report) -> int:
    database = create_database(settings)
    try:
        return await export_blog(database, folder, report)
    finally:
        await database.dispose()
