"""Creating posts, one or many at once."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from gqlapi.accounts.policy import Action, require
from gqlapi.database.failures import constraint_of
from gqlapi.models import Post, PostState, PostTag
from gqlapi.problems import Problem, Rejected
from gqlapi.publishing.checks import MAX_POST_SLUG_LENGTH
from gqlapi.publishing.drafts import Draft, Row
from gqlapi.publishing.posts import SLUG_TAKEN, set_content, slug_taken
from gqlapi.publishing.tag_finder import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.slugs import SUFFIX_LENGTH, random_slug
from gqlapi.words import fold, slug_of

Result = UUID | tuple[Problem, ...]


async def create_post(scope: WriteScope, draft: Draft) -> UUID:
    """Write one post.

    Raises:
        Rejected: something is wrong with it, or the viewer may not.
    """
    [result] = await create_posts(scope, [draft], keeps_others=False)
    assert isinstance(result, UUID)  # noqa: S101 - else it was rejected
    return result


async def create_posts(scope: WriteScope, rows: Sequence[Row], *, keeps_others: bool) -> list[Result]:
    """Write posts; return the key of each, or what is wrong with it. A constant number of statements for any number.

    Without `keeps_others`, one that cannot be written leaves none written.

    Raises:
        Rejected: the viewer may not; or none is written, for all that is wrong.
    """
    require(scope.viewer, Action.CREATE_POST, scope.viewer.id)
    creation = _Creation(scope)
    checked = await creation.check(rows)
    _reject_unless(keeps_others, checked)
    results = await creation.write(checked)
    _reject_unless(keeps_others, results)
    return results


def _reject_unless(keeps_others: bool, results: Sequence[Draft | Result]) -> None:  # noqa: FBT001 - reads as a sentence
    problems = [problem for result in results if isinstance(result, tuple) for problem in result]
    if problems and not (keeps_others and any(not isinstance(result, tuple) for result in results)):
        raise Rejected(*problems)


class _Creation:
    """One run over many rows: their tags and slugs are looked up together, and all are inserted at once."""

    def __init__(self, scope: WriteScope) -> None:
        self._scope = scope
        self._posts = PostWriteRepository(scope)
        self._tags = TagFinder(scope)

    async def check(self, rows: Sequence[Row]) -> list[Row]:
        """Look up what the rows name; return the rows with what is wrong with them. Nothing is written."""
        drafts = [row for row in rows if isinstance(row, Draft)]
        await self._tags.load([ref for draft in drafts for ref in draft.post.tags])
        # The posts that have a slug, those of the input included.
        owners = await self._posts.ids_by_slug([fold(draft.post.slug) for draft in drafts if draft.post.slug])
        return [self._check(row, owners) if isinstance(row, Draft) else row for row in rows]

    def _check(self, draft: Draft, owners: dict[str, UUID]) -> Row:
        problems = self._tags.missing(draft.post.tags)
        if draft.post.slug is not None:
            owner = owners.setdefault(fold(draft.post.slug), draft.id)
            if owner != draft.id:
                problems.append(slug_taken(owner, (*draft.post.path, "slug")))
        return tuple(problems) or draft

    async def write(self, rows: Sequence[Row]) -> list[Result]:
        """Write the rows in which nothing is wrong."""
        drafts = [row for row in rows if isinstance(row, Draft)]
        await self._tags.create([ref for draft in drafts for ref in draft.post.tags])
        written = iter(await self._write(await self._with_slugs(drafts)))
        return [next(written) if isinstance(row, Draft) else row for row in rows]

    async def _with_slugs(self, drafts: Sequence[Draft]) -> list[tuple[Draft, str]]:
        chosen = {fold(draft.post.slug) for draft in drafts if draft.post.slug}
        bases = [_slug_base(draft) for draft in drafts if not draft.post.slug]
        made = iter(await self._posts.free_slugs(bases, chosen))
        return [(draft, fold(draft.post.slug) if draft.post.slug else next(made)) for draft in drafts]

    async def _write(self, drafts: Sequence[tuple[Draft, str]]) -> list[Result]:
        posts = [self._make(draft, slug) for draft, slug in drafts]
        try:
            await self._posts.create(posts, [draft.content.body for draft, _ in drafts])
        except IntegrityError:
            # Somebody else took a slug at this moment: each row by itself.
            return [await self._write_one(draft, slug) for draft, slug in drafts]
        return [post.id for post in posts]

    async def _write_one(self, draft: Draft, slug: str) -> Result:
        while True:
            post = self._make(draft, slug)
            try:
                await self._posts.create([post], [draft.content.body])
            except IntegrityError as error:
                if constraint_of(error) != SLUG_TAKEN:
                    raise
                if draft.post.slug is not None:
                    owners = await self._posts.ids_by_slug([slug])
                    return (slug_taken(owners.get(slug), (*draft.post.path, "slug")),)
                slug = random_slug(_slug_base(draft))
            else:
                return post.id

    def _make(self, draft: Draft, slug: str) -> Post:
        given, now, author_id = draft.post, self._scope.now, self._scope.viewer.id
        assert author_id is not None  # noqa: S101 - only those who are signed in may create posts
        title = given.title.strip()
        post = Post(
            id=draft.id,
            author_id=author_id,
            slug=slug,
            title=title,
            title_key=fold(title),
            markdown=given.markdown,
            state=PostState.PUBLISHED if given.publish else PostState.DRAFT,
            published_at=now if given.publish else None,
        )
        set_content(post, draft.content.rendered)
        post.post_tags = [
            PostTag(tag_id=id_, position=position, visible_from=post.visible_from)
            for position, id_ in enumerate(self._tags.ids_of(given.tags))
        ]
        return post


def _slug_base(draft: Draft) -> str:
    return slug_of(draft.post.title, MAX_POST_SLUG_LENGTH - SUFFIX_LENGTH) or "post"
