"""Changes of many posts at once, in a constant number of statements, under the rules of the changes of one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from gqlapi.accounts.policy import Action, require
from gqlapi.checks import check_version, not_found
from gqlapi.models import ChangeKind, GlobalId, Post
from gqlapi.problems import Path, Problem, Rejected
from gqlapi.publishing.creation import reject_unless
from gqlapi.publishing.patches import PostPatch, load_tags, patched_tags, patched_values, patched_words
from gqlapi.publishing.posts import Changed
from gqlapi.publishing.slugs import changed_slugs
from gqlapi.publishing.tag_finder import TagFinder
from gqlapi.repositories import WriteScope
from gqlapi.repositories.post_rows import PostChangeRow
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.repositories.records import PostRecord

NOTHING = PostPatch()
# What was written, None for a patch that changes nothing, or why nothing was.
Result = PostRecord | tuple[Problem, ...] | None


@dataclass(frozen=True, slots=True)
class Target:
    """A post that is to be changed, the version that it must have, and its place in the input."""

    id: UUID
    expected_version: int | None
    path: Path
    patch: PostPatch = NOTHING
    # The place of the tags in the input.
    tags_path: Path = ()


# A row of an input: a target, or its problems.
Row = Target | tuple[Problem, ...]


async def change_posts(
    scope: WriteScope, rows: Sequence[Row], change: Callable[[Post], Changed], *, keeps_others: bool
) -> list[Result]:
    """Change posts all in one way; return the record of each, or its problems.

    A constant number of statements for any number.

    Without `keeps_others`, one that cannot be changed leaves none changed.

    Raises:
        Rejected: the viewer may not; or none is changed, for all that is wrong.
    """
    require(scope.viewer, Action.CHANGE_POST, scope.viewer.id)
    run = _Run(scope, rows, keeps_others=keeps_others)
    await run.load(locked=True)
    return await run.write({target.id: PostChangeRow(post, *change(post)) for target, post in run.good})


async def update_posts(scope: WriteScope, rows: Sequence[Row], *, keeps_others: bool) -> list[Result]:
    """Patch posts, each in its own way; return what `change_posts` does. A bounded number of statements for any number.

    Raises:
        Rejected: the viewer may not; or none is changed, for all that is wrong.
    """
    require(scope.viewer, Action.CHANGE_POST, scope.viewer.id)
    run = _Patching(scope, rows, keeps_others=keeps_others)
    finder = await run.find_tags()
    await run.load(locked=True, with_tags=finder is not None)
    tag_ids = {} if finder is None else run.patched_tags(finder)
    changes = await run.changes()
    written = await run.write(changes)
    posts = {id_: change.post for id_, change in changes.items()}
    await run.repository.replace_all_tags(
        [(posts[id_], ids, posts[id_].visible_from) for id_, ids in tag_ids.items() if id_ in posts]
    )
    return written


class _Run:
    """One change of many posts: a problem takes its post out of the run, or ends the run."""

    def __init__(self, scope: WriteScope, rows: Sequence[Row], *, keeps_others: bool) -> None:
        self._scope = scope
        self._keeps_others = keeps_others
        self._rows = [*rows]
        self.repository = PostWriteRepository(scope)
        self.posts: Mapping[UUID, Post] = {}

    @property
    def targets(self) -> list[Target]:
        """The rows without problems so far."""
        return [row for row in self._rows if isinstance(row, Target)]

    @property
    def good(self) -> list[tuple[Target, Post]]:
        """The targets with their posts, which are loaded."""
        return [(target, self.posts[target.id]) for target in self.targets]

    async def load(self, *, locked: bool, with_tags: bool = False) -> None:
        """Load the posts, and check that the viewer may change them, in one statement; two with tags."""
        ids = [target.id for target in self.targets]
        self.posts = await self.repository.list_by_ids(ids, locked=locked, with_tags=with_tags) if ids else {}
        self.check(self._check)

    def check(self, check: Callable[[Target], None]) -> None:
        """Take the targets out that a check rejects.

        Raises:
            Rejected: others are not to be changed then, or there are no others.
        """
        for index, row in enumerate(self._rows):
            if isinstance(row, Target):
                try:
                    check(row)
                except Rejected as rejected:
                    self._rows[index] = rejected.problems
        reject_unless(self._keeps_others, self._rows)

    def _check(self, target: Target) -> None:
        post = self.posts.get(target.id)
        try:
            if post is None:
                raise not_found("Post", GlobalId("Post", target.id).encode())
            require(self._scope.viewer, Action.CHANGE_POST, post.author_id)
            check_version(post, target.expected_version)
        except Rejected as rejected:
            problems = (replace(problem, path=(*target.path, *(problem.path or ()))) for problem in rejected.problems)
            raise Rejected(*problems) from None

    async def write(self, changes: Mapping[UUID, PostChangeRow]) -> list[Result]:
        """Write the changes of the targets; those without one are left as they are."""
        records = dict(zip(changes, await self.repository.update_all([*changes.values()]), strict=True))
        return [records.get(row.id) if isinstance(row, Target) else row for row in self._rows]


class _Patching(_Run):
    """A run with one patch for each post."""

    async def find_tags(self) -> TagFinder | None:
        """Find or create the tags of the patches, before posts are locked, for the order of locks."""
        finder = TagFinder(self._scope)
        if not any(target.patch.tags for target in self.targets):
            return None
        # Who may not change a post makes no tags for it.
        await self.load(locked=False)
        await load_tags(finder, [target.patch.tags for target in self.targets if target.patch.tags])

        def check(target: Target) -> None:
            missing = [] if target.patch.tags is None else finder.missing(target.patch.tags.given)
            if missing:
                raise Rejected(*missing)

        self.check(check)
        given = [ref for target in self.targets if target.patch.tags for ref in target.patch.tags.given]
        await finder.create(given)
        return finder

    def patched_tags(self, finder: TagFinder) -> dict[UUID, list[UUID]]:
        """Return the tags that posts have from now on."""
        tag_ids: dict[UUID, list[UUID]] = {}

        def check(target: Target) -> None:
            if target.patch.tags is not None:
                post = self.posts[target.id]
                tag_ids[target.id] = patched_tags(finder, post, target.patch.tags, target.tags_path)

        self.check(check)
        return tag_ids

    async def changes(self) -> dict[UUID, PostChangeRow]:
        """Return the changes of the posts, but for those of empty patches."""
        changed = [(target, post) for target, post in self.good if not target.patch.is_empty]
        wanted = [
            (post, replace(target.patch.slug_change, path=(*target.path, "patch", "slug"))) for target, post in changed
        ]
        slugs = dict(zip((target.id for target, _ in changed), await changed_slugs(self._scope, wanted), strict=True))

        columns: dict[UUID, dict[str, Any]] = {}

        def check(target: Target) -> None:
            slug = slugs.get(target.id, {})
            if not isinstance(slug, dict):
                raise Rejected(slug)
            columns[target.id] = slug

        self.check(check)
        texts = await self.repository.texts_of([target.id for target, _ in changed if target.patch.needs_text])
        changes: dict[UUID, PostChangeRow] = {}
        for target, post in changed:
            if target.id in columns:
                words = await patched_words(post.title, texts.get(post.id, ""), target.patch)
                values = patched_values(target.patch) | columns[target.id]
                changes[post.id] = PostChangeRow(post, values, ChangeKind.UPDATED, words)
        return changes
