"""Creating posts, one or many at once."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from gqlapi.accounts.policy import Action, require
from gqlapi.database.failures import constraint_of
from gqlapi.models import Post, PostState, PostTag, new_id
from gqlapi.problems import Problem, Rejected
from gqlapi.publishing.checks import MAX_POST_SLUG_LENGTH
from gqlapi.publishing.drafts import Draft
from gqlapi.publishing.posts import SLUG_TAKEN, set_content, slug_taken
from gqlapi.publishing.tags import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.slugs import SUFFIX_LENGTH, random_slug
from gqlapi.words import fold, slug_of

# A row of the input: what can be written, or what is wrong with it.
Row = Draft | tuple[Problem, ...]
Result = UUID | tuple[Problem, ...]


async def create_post(scope: WriteScope, row: Row) -> UUID:
    """Write one post.

    Raises:
        Rejected: something is wrong with it, or the viewer may not.
    """
    [result] = await create_posts(scope, [row], keeps_others=False)
    assert isinstance(result, UUID)  # noqa: S101 - else it was rejected
    return result


async def create_posts(scope: WriteScope, rows: Sequence[Row], *, keeps_others: bool) -> list[Result]:
    """Write posts; return the key of each, or what is wrong with it.

    Without `keeps_others`, one that cannot be written leaves none written.

    Raises:
        Rejected: the viewer may not, or without `keeps_others` for all that is wrong.
    """
    require(scope.viewer, Action.CREATE_POST, scope.viewer.id)
    results = await _Creation(scope).run(rows)
    problems = [problem for result in results if not isinstance(result, UUID) for problem in result]
    if problems and not keeps_others:
        raise Rejected(*problems)
    return results


class _Creation:
    """One run over many rows: their tags and slugs are looked up together, and all are inserted at once."""

    def __init__(self, scope: WriteScope) -> None:
        self._scope = scope
        self._posts = PostWriteRepository(scope)
        self._tags = TagFinder(scope)

    async def run(self, rows: Sequence[Row]) -> list[Result]:
        await self._tags.load([ref for row in rows if isinstance(row, Draft) for ref in row.post.tags])
        checked = [self._check_tags(row) for row in rows]
        drafts = [row for row in checked if isinstance(row, Draft)]
        free = iter(await self._posts.free_slugs([_slug_base(draft) for draft in drafts]))
        slugs = [fold(draft.post.slug) if draft.post.slug else slug for draft, slug in zip(drafts, free, strict=True)]
        written = iter(await self._write(drafts, slugs))
        return [next(written) if isinstance(row, Draft) else row for row in checked]

    def _check_tags(self, row: Row) -> Row:
        if not isinstance(row, Draft):
            return row
        _, problems = self._tags.resolve(row.post.tags)
        return tuple(problems) or row

    async def _write(self, drafts: Sequence[Draft], slugs: Sequence[str]) -> list[Result]:
        posts = [self._make(draft, slug) for draft, slug in zip(drafts, slugs, strict=True)]
        try:
            await self._posts.create(posts)
        except IntegrityError:
            # A slug is taken, by another row of the input or by somebody else at this moment: each row by itself.
            return [await self._write_one(draft, slug) for draft, slug in zip(drafts, slugs, strict=True)]
        return [post.id for post in posts]

    async def _write_one(self, draft: Draft, slug: str) -> Result:
        while True:
            post = self._make(draft, slug)
            try:
                await self._posts.create([post])
            except IntegrityError as error:
                if constraint_of(error) != SLUG_TAKEN:
                    raise
                if draft.post.slug is not None:
                    return (await slug_taken(self._posts, slug, (*draft.post.path, "slug")),)
                slug = random_slug(_slug_base(draft))
            else:
                return post.id

    def _make(self, draft: Draft, slug: str) -> Post:
        given, now, author_id = draft.post, self._scope.now, self._scope.viewer.id
        assert author_id is not None  # noqa: S101 - only those who are signed in may create posts
        title = given.title.strip()
        post = Post(
            id=new_id(),
            author_id=author_id,
            slug=slug,
            title=title,
            title_key=fold(title),
            markdown=given.markdown,
            state=PostState.PUBLISHED if given.publish else PostState.DRAFT,
            published_at=now if given.publish else None,
        )
        set_content(post, draft.content)
        tag_ids, _ = self._tags.resolve(given.tags)
        post.post_tags = [
            PostTag(tag_id=id_, position=position, visible_from=post.visible_from)
            for position, id_ in enumerate(tag_ids)
        ]
        return post


def _slug_base(draft: Draft) -> str:
    return slug_of(draft.post.title, MAX_POST_SLUG_LENGTH - SUFFIX_LENGTH) or "post"
