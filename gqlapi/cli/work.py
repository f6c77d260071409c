"""What several commands do to a database."""

from sqlalchemy.exc import DBAPIError

from gqlapi.accounts.demo import create_demo_users, find_demo_logins
from gqlapi.database import migrations
from gqlapi.database.unit import create_database
from gqlapi.errors import ApiError
from gqlapi.progress import Report
from gqlapi.rendering import Rerendered, render_again
from gqlapi.seeding import SeedSize, seed
from gqlapi.settings import Settings


async def prepare_database(settings: Settings) -> list[str]:
    """Migrate the database; if it is empty, seed it and make demo users. Return the demo logins that work."""
    await migrations.upgrade(settings.direct_url, has_own_sessions=settings.has_own_sessions)
    database = create_database(settings)
    try:
        if await seed(database):
            await create_demo_users(database)
        return await find_demo_logins(database)
    finally:
        await database.dispose()


async def list_demo_logins(settings: Settings) -> list[str]:
    """Return the demo logins that work; none where the database cannot be asked, or has no users yet."""
    database = create_database(settings)
    try:
        return await find_demo_logins(database)
    except (ApiError, DBAPIError):
        return []  # the server starts without its database, and is ready when that is there
    finally:
        await database.dispose()


async def seed_database(settings: Settings, size: SeedSize, key: int, report: Report | None = None) -> bool:
    """Seed the database if it is empty; return whether it was."""
    database = create_database(settings)
    try:
        return await seed(database, size, key=key, progress=report)
    finally:
        await database.dispose()


async def render_database(settings: Settings, report: Report, *, all_posts: bool) -> Rerendered:
    """Render posts again, and return the result."""
    database = create_database(settings)
    try:
        return await render_again(database, all_posts=all_posts, report=report)
    finally:
        await database.dispose()
