"""Rendering all posts again, after an upgrade of the renderer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from gqlapi.content import RENDERER_VERSION, Unrenderable
from gqlapi.database.unit import Database
from gqlapi.repositories.post_content import PostContent, PostContentRepository, StalePost
from gqlapi.work_pool import COMMAND_POOL

# Bounds of what is in memory at once; a batch has at least one post.
BATCH_SIZE, BATCH_LENGTH = 200, 4_000_000
# Posts that change while they are rendered are left for the next pass.
MAX_PASSES = 3

Report = Callable[[str, int, int], None]


@dataclass(slots=True)
class Rerendered:
    """The result of a run: how many posts were rendered, and why others keep their HTML, by slug."""

    count: int = 0
    kept: dict[str, str] = field(default_factory=dict)


async def render_again(database: Database, *, all_posts: bool = False, report: Report | None = None) -> Rerendered:
    """Render the posts that an older renderer made, or all, in the order of their ids.

    A batch is read in one transaction, rendered outside of any, and written in another one, which leaves out what has
    changed since. So it runs beside a serving server, and can be stopped and started again.
    """
    run = _Run(database, report)
    await run.render(None if all_posts else RENDERER_VERSION)
    for _ in range(1, MAX_PASSES):
        if not run.changed:
            break
        await run.render(RENDERER_VERSION)
    return run.result


class _Run:
    def __init__(self, database: Database, report: Report | None) -> None:
        self._database = database
        self._report = report
        self.result = Rerendered()
        self.changed = 0

    async def render(self, renderer: int | None) -> None:
        """Render each post once that another renderer than this one made, or all posts."""
        async with self._database.write() as session:
            total = await PostContentRepository(session).count_stale(renderer)
        done, last, self.changed = 0, None, 0
        while posts := await self._read(renderer, last):
            rendered = [(post, content) for post in posts if (content := await self._render(post)) is not None]
            async with self._database.write() as session:
                replaced = await PostContentRepository(session).replace(rendered)
            self.result.count += replaced
            self.changed += len(rendered) - replaced
            done, last = done + len(posts), posts[-1].id
            if self._report is not None:
                self._report("posts", done, max(total, done))

    async def _read(self, renderer: int | None, after: UUID | None) -> Sequence[StalePost]:
        async with self._database.write() as session:
            repository = PostContentRepository(session)
            return await repository.list_stale(renderer, after=after, limit=BATCH_SIZE, max_length=BATCH_LENGTH)

    async def _render(self, post: StalePost) -> PostContent | None:
        try:
            return await COMMAND_POOL.run(lambda checkpoint: PostContent.of(post.markdown, checkpoint))
        except Unrenderable as reason:
            self.result.kept[post.slug] = str(reason)
            return None
