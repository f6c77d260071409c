"""Creating posts, one or many at once."""

from collections.abc import Collection, Sequence
from itertools import count
from uuid import UUID

from gqlapi.accounts.policy import Action, require
from gqlapi.database.search import Indexed, PreparedText
from gqlapi.lines import normalize_line
from gqlapi.models import PostState, SlugRule, created_at_of
from gqlapi.problems import Problem, Rejected
from gqlapi.publishing.authors import find_author
from gqlapi.publishing.drafts import Draft, Row
from gqlapi.publishing.slugs import slug_base, slug_taken
from gqlapi.publishing.tag_finder import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.post_rows import NewPostRow, PostRow
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.records import PostRecord
from gqlapi.repositories.slugs import PostSlugRepository, random_slug
from gqlapi.words import fold

Result = PostRecord | tuple[Problem, ...]


async def create_post(scope: WriteScope, draft: Draft) -> PostRecord:
    """Write one post: one statement on PostgreSQL if it names no tags and no slug, and no post has its title.

    Raises:
        Rejected: something is wrong with it, or the viewer may not.
    """
    require(scope.viewer, Action.CREATE_POST, scope.viewer.id)
    author_id = None if draft.post.author is None else await find_author(scope, draft.post.author)
    [result] = await create_posts(scope, [draft], keeps_others=False, author_id=author_id)
    assert isinstance(result, PostRecord)  # noqa: S101 - else it was rejected
    return result


async def create_post_at_once(scope: WriteScope, draft: Draft) -> PostRecord | None:
    """Write one post without tags, slug and author, in one statement that commits itself, if nothing is in its way.

    None, and nothing is written, where it takes `create_post` to find out.

    Raises:
        Rejected: the viewer may not.
    """
    require(scope.viewer, Action.CREATE_POST, scope.viewer.id)
    needs_more = draft.post.tags or draft.post.slug or draft.post.author
    return None if needs_more else await _Creation(scope).write_at_once(draft)


async def create_posts(
    scope: WriteScope, rows: Sequence[Row], *, keeps_others: bool, author_id: UUID | None = None
) -> list[Result]:
    """Write posts of the viewer's, or of another author's; return the record of each, or its problems.

    A constant number of statements for any number.

    Without `keeps_others`, one that cannot be written leaves none written.

    Raises:
        Rejected: the viewer may not; or none is written, for all that is wrong.
    """
    require(scope.viewer, Action.CREATE_POST, scope.viewer.id)
    creation = _Creation(scope, author_id)
    checked = await creation.check(rows)
    reject_unless(keeps_others, checked)
    results = await creation.write(checked)
    reject_unless(keeps_others, results)
    return results


def reject_unless(keeps_others: bool, results: Sequence[object]) -> None:  # noqa: FBT001 - reads as a sentence
    """Reject for all problems, unless others are to be written and there are some.

    Raises:
        Rejected: there are problems.
    """
    # A problem that all rows share is reported once.
    problems = dict.fromkeys(problem for result in results if isinstance(result, tuple) for problem in result)
    if problems and not (keeps_others and any(not isinstance(result, tuple) for result in results)):
        raise Rejected(*problems)


class _Creation:
    """One run over many rows: their tags and slugs are looked up together, and all are inserted at once."""

    def __init__(self, scope: WriteScope, author_id: UUID | None = None) -> None:
        self._scope = scope
        self._author_id = author_id or scope.viewer.id
        self._posts = PostWriteRepository(scope)
        self._slugs = PostSlugRepository(scope)
        self._tags = TagFinder(scope)

    async def check(self, rows: Sequence[Row]) -> list[Row]:
        """Look up what the rows name; return the rows with what is wrong with them. Nothing is written."""
        drafts = [row for row in rows if isinstance(row, Draft)]
        await self._tags.load([ref for draft in drafts for ref in draft.post.tags])
        # The posts that have a slug, those of the input included.
        owners = await self._slugs.owners([fold(draft.post.slug) for draft in drafts if draft.post.slug])
        return [self._check(row, owners) if isinstance(row, Draft) else row for row in rows]

    def _check(self, draft: Draft, owners: dict[str, UUID]) -> Row:
        problems = self._tags.missing(draft.post.tags)
        if draft.post.slug is not None:
            owner = owners.setdefault(fold(draft.post.slug), draft.id)
            if owner != draft.id:
                problems.append(slug_taken(owner, (*draft.post.path, "slug")))
        return tuple(problems) or draft

    async def write_at_once(self, draft: Draft) -> PostRecord | None:
        """Write a draft without tags under the slug of its title, if that is free."""
        post = self._make(draft, slug_base(draft.post.title))
        return post.row.record(self._scope.now) if await self._posts.create_at_once(post) else None

    async def write(self, rows: Sequence[Row]) -> list[Result]:
        """Write the rows in which nothing is wrong."""
        drafts = [row for row in rows if isinstance(row, Draft)]
        await self._tags.create([ref for draft in drafts for ref in draft.post.tags])
        written = iter(await self._write(drafts))
        return [next(written) if isinstance(row, Draft) else row for row in rows]

    async def _write(self, drafts: Sequence[Draft]) -> list[Result]:
        results: dict[UUID, Result] = {}
        chosen = [(draft, fold(draft.post.slug)) for draft in drafts if draft.post.slug]
        others = [draft for draft in drafts if not draft.post.slug]
        reserved = {slug for _, slug in chosen}
        # The slug of one title is most likely free: looking first would cost a statement.
        for attempt in count(1 if len(others) > 1 else 0):
            made = await self._make_slugs(others, attempt, reserved)
            await self._create([*chosen, *zip(others, made, strict=True)], results)
            # Another transaction took a slug at this moment.
            await self._refuse([(draft, slug) for draft, slug in chosen if draft.id not in results], results)
            chosen, others = [], [draft for draft in others if draft.id not in results]
            if not others:
                break
        return [results[draft.id] for draft in drafts]

    async def _make_slugs(self, drafts: Sequence[Draft], attempt: int, reserved: Collection[str]) -> list[str]:
        bases = [slug_base(draft.post.title) for draft in drafts]
        if attempt == 0:
            return bases
        return await self._slugs.free(bases, reserved) if attempt == 1 else [*map(random_slug, bases)]

    async def _create(self, named: Sequence[tuple[Draft, str]], results: dict[UUID, Result]) -> None:
        posts = [self._make(draft, slug) for draft, slug in named]
        created = await self._posts.create(posts)
        results.update((post.row.id, post.row.record(self._scope.now)) for post in posts if post.row.id in created)

    async def _refuse(self, refused: Sequence[tuple[Draft, str]], results: dict[UUID, Result]) -> None:
        owners = await self._slugs.owners([slug for _, slug in refused])
        for draft, slug in refused:
            results[draft.id] = (slug_taken(owners.get(slug), (*draft.post.path, "slug")),)

    def _make(self, draft: Draft, slug: str) -> NewPostRow:
        given, now, author_id = draft.post, self._scope.now, self._author_id
        assert author_id is not None  # noqa: S101 - only those who are signed in may create posts
        title = normalize_line(given.title)
        row = PostRow(
            id=draft.id,
            created_at=created_at_of(draft.id),
            updated_at=now,
            author_id=author_id,
            slug=slug,
            title=title,
            title_key=fold(title),
            state=PostState.PUBLISHED if given.publish else PostState.DRAFT,
            published_at=now if given.publish else None,
            markdown=given.markdown,
            **draft.content.columns(),
            slug_rule=SlugRule.FIXED if given.publish else SlugRule.CHOSEN if given.slug else SlugRule.TITLE,
        )
        return NewPostRow(row, self._tags.ids_of(given.tags), Indexed(PreparedText(title), draft.content.body))
