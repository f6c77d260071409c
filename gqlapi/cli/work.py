"""What several commands do to a database."""

from gqlapi.app import create_database
from gqlapi.database import migrations
from gqlapi.progress import Report
from gqlapi.rendering import render_again
from gqlapi.seeding import SeedSize, seed
from gqlapi.settings import Settings


async def prepare_database(settings: Settings) -> None:
    """Migrate the database, and seed it if it is empty."""
    await migrations.upgrade(settings.database_url)
    await seed_database(settings, SeedSize(), key=1)


async def seed_database(settings: Settings, size: SeedSize, key: int, report: Report | None = None) -> bool:
    """Seed the database if it is empty, and tell whether it was."""
    database = create_database(settings)
    try:
        return await seed(database, size, key=key, progress=report)
    finally:
        await database.dispose()


async def render_database(settings: Settings, report: Report, *, all_posts: bool) -> int:
    """Render posts again, and return how many."""
    database = create_database(settings)
    try:
        return await render_again(database, all_posts=all_posts, report=report)
    finally:
        await database.dispose()
