"""`gqlapi migrate`, `gqlapi seed` and `gqlapi render`."""

from typing import Annotated

import typer

from gqlapi.cli.base import WRONG_USAGE, cli, console, fail, load_settings, run
from gqlapi.cli.work import render_database, seed_database
from gqlapi.database import migrations
from gqlapi.doctor import Severity, examine_revision
from gqlapi.progress import progress
from gqlapi.seeding import SeedSize

DEFAULT_SIZE = SeedSize()


@cli.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="Where to.")] = "head",
    *,
    check: Annotated[bool, typer.Option("--check", help="Only look; fail if the database is behind.")] = False,
) -> None:
    """Bring the database's schema up to date; safe to run several times at once.

    Changes nothing, and succeeds, when a newer version has migrated the database already: this one runs on it.
    """
    settings = load_settings()
    if check:
        finding = run(examine_revision(settings))
        if finding.severity is Severity.ERROR:
            fail(f"{finding.found} {finding.fix}")
        console.print(finding.found, markup=False, highlight=False, soft_wrap=True)
        return
    try:
        is_known = run(migrations.upgrade(settings.direct_url, revision, has_own_sessions=settings.has_own_sessions))
    except migrations.UnknownRevision as error:
        fail(f"{error}.", status=WRONG_USAGE)
    if is_known:
        at = run(migrations.current_revision(settings.direct_url))
        console.print(f"The database is at revision {at}.")
        return
    finding = run(examine_revision(settings))
    if finding.severity is Severity.ERROR:
        fail(f"{finding.found} {finding.fix}")
    console.print(f"{finding.found} Nothing was changed.", markup=False, highlight=False, soft_wrap=True)


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
        is_seeded = run(seed_database(settings, SeedSize(users, posts, tags), key, report))
    if not is_seeded:
        fail("The database has users already; nothing was changed.")
    console.print(f"Made {users} users, {posts} posts and {tags} tags.")


@cli.command()
def render(
    *,
    all_posts: Annotated[bool, typer.Option("--all", help="Render every post, and rebuild its search entry.")] = False,
) -> None:
    """Render the posts again that an older version of the renderer made; run it after an upgrade.

    Prints a line for each post that cannot be rendered and keeps its HTML, and fails when there is one.
    """
    settings = load_settings()
    with progress(console) as report:
        result = run(render_database(settings, report, all_posts=all_posts))
    for slug, reason in result.kept.items():
        typer.echo(f"kept  {slug}: {reason}")
    kept = f", {len(result.kept)} keep their HTML" if result.kept else ""
    console.print(f"Rendered {result.count} posts{kept}.")
    raise typer.Exit(1 if result.kept else 0)
