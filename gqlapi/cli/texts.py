"""`gqlapi search` and `gqlapi check-texts`."""

import typer

from gqlapi.cli.base import cli, console, load_settings, run
from gqlapi.database.unit import create_database
from gqlapi.progress import Report, progress
from gqlapi.reindexing import reindex
from gqlapi.settings import Settings
from gqlapi.text_report import report_texts

search_cli = typer.Typer(help="The search index.", no_args_is_help=True)
cli.add_typer(search_cli, name="search")


@search_cli.callback()
def _search() -> None:
    """Maintain the search index."""


@search_cli.command("reindex")
def reindex_command() -> None:
    """Index all posts, users and tags again; runs beside the servers, and can be stopped and started again."""
    settings = load_settings()
    with progress(console) as report:
        counts = run(_reindex(settings, report))
    found = ", ".join(f"{count} {kind}" for kind, count in counts.items() if kind != "removed")
    console.print(f"Indexed {found}; removed {counts['removed']} documents without a row.", highlight=False)


@cli.command("check-texts")
def check_texts() -> None:
    """List names, titles and slugs that could not be written today; changes nothing, and fails when there are some."""
    settings = load_settings()
    found = run(_check(settings))
    console.print(f"{found} texts could not be written today." if found else "All texts could be written today.")
    raise typer.Exit(1 if found else 0)


async def _reindex(settings: Settings, report: Report) -> dict[str, int]:
    database = create_database(settings)
    try:
        return await reindex(database, report)
    finally:
        await database.dispose()


async def _check(settings: Settings) -> int:
    database, found = create_database(settings), 0
    try:
        async for finding in report_texts(database):
            typer.echo(str(finding))
            found += 1
    finally:
        await database.dispose()
    return found
