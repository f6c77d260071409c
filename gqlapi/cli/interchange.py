"""`gqlapi import` and `gqlapi export`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from gqlapi.app import create_database
from gqlapi.cli.base import WRONG_USAGE, cli, console, fail, load_settings, run
from gqlapi.interchange.exporting import export_blog
from gqlapi.interchange.importing import FileOutcome, Status, import_blog
from gqlapi.progress import Report, progress
from gqlapi.settings import Settings


@cli.command("import")
def import_command(
    folder: Annotated[Path, typer.Argument(help="The folder; Markdown files are looked for at any depth.")],
    *,
    author: Annotated[str, typer.Option(help="Who wrote the posts that name no author.")] = "editorial",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
) -> None:
    """Import Markdown files with the front matter of Jekyll, Hugo or Zola; can be run again."""
    settings = load_settings()
    if not folder.is_dir():
        fail(f"{folder} is not a folder.", status=WRONG_USAGE)
    with progress(console) as report:
        outcomes = run(_import(settings, folder, author, report, dry_run=dry_run))
    for outcome in outcomes:
        typer.echo(f"{outcome.status:<9}  {outcome.path}{f': {outcome.reason}' if outcome.reason else ''}")
    counts = Counter(outcome.status for outcome in outcomes)
    summary = ", ".join(f"{counts[status]} {status}" for status in Status)
    console.print(f"{'Nothing was written; it would be: ' if dry_run else ''}{summary}.", highlight=False)
    raise typer.Exit(1 if counts[Status.SKIPPED] else 0)


@cli.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty or does not exist.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
) -> None:
    """Write all posts as Markdown files with front matter, which `gqlapi import` reads back."""
    settings = load_settings()
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not force)):
        fail(f"{folder} is not an empty folder; --force writes into it nevertheless.", status=WRONG_USAGE)
    with progress(console) as report:
        count = run(_export(settings, folder, report))
    console.print(f"Wrote {count} posts.")


async def _import(settings: Settings, folder: Path, author: str, report: Report, *, dry_run: bool) -> list[FileOutcome]:
    database = create_database(settings)
    try:
        return await import_blog(database, folder, default_author=author, dry_run=dry_run, report=report)
    finally:
        await database.dispose()


async def _export(settings: Settings, folder: Path, report: Report) -> int:
    database = create_database(settings)
    try:
        return await export_blog(database, folder, report)
    finally:
        await database.dispose()
