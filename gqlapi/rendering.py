"""Rendering all posts again, after an upgrade of the renderer."""

from collections.abc import Callable
from typing import Any

from gqlapi.content import RENDERER_VERSION, render
from gqlapi.database.unit import Database
from gqlapi.repositories.post_content import PostContentRepository

BATCH_SIZE = 200


async def render_again(
    database: Database, *, all_posts: bool = False, report: Callable[[str, int, int], None] | None = None
) -> int:
    """Render the posts that an older renderer made, or all; return how many.

    A transaction for each 200 posts, in the order of their ids: it can be stopped and started again, and runs beside
    a serving server.
    """
    renderer = None if all_posts else RENDERER_VERSION
    async with database.write() as session:
        total = await PostContentRepository(session).count_stale(renderer)
    done, last = 0, None
    while True:
        async with database.write() as session:
            repository = PostContentRepository(session)
            posts = await repository.list_stale(renderer, after=last, limit=BATCH_SIZE)
            if not posts:
                return done
            await repository.replace([(post, _columns(post.markdown)) for post in posts])
        done, last = done + len(posts), posts[-1].id
        if report is not None:
            report("posts", done, max(total, done))


def _columns(markdown: str) -> dict[str, Any]:
    content = render(markdown)
    return {
        "html": content.html,
        "text": content.text,
        "reading_time_minutes": content.reading_time_minutes,
        "renderer": RENDERER_VERSION,
    }
