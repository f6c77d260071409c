"""Reads of posts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import load_only, selectinload, with_expression

from gqlapi.database.dialect import AnySelect
from gqlapi.database.pagination import Key
from gqlapi.database.search import found_ids
from gqlapi.database.types import enum_column_type
from gqlapi.errors import Forbidden, Unauthenticated
from gqlapi.models import Post, PostState, PostStatus, PostTag, Tag, User, Viewer
from gqlapi.models.post import MAX_POST_SLUG_LENGTH, MAX_TITLE_KEY_LENGTH, MAX_TITLE_LENGTH
from gqlapi.repositories.base import ReadScope, Repository
from gqlapi.repositories.conditions import Compare, Filterable, Operator, Related, TextKey
from gqlapi.repositories.pages import Ordering, PageRequest, RecordPage
from gqlapi.repositories.records import PostRecord
from gqlapi.repositories.tags import TagRepository
from gqlapi.repositories.users import UserRepository

POSTS = Post.__table__.c
LINKS = PostTag.__table__.c
# Excerpts are at most this long; one character more tells whether the text goes on.
MAX_EXCERPT_LENGTH = 2_000
BODIES = frozenset({"markdown", "html", "text"})
# The text of a published post's state stands literally in the SQL: a bound value hides it from partial indexes.
IS_PUBLISHED = POSTS.state == sa.literal_column(f"'{PostState.PUBLISHED}'")
STATUS_TYPE: sa.types.TypeEngine[PostStatus] = enum_column_type(PostStatus, "status")


def posts_visible_to(viewer: Viewer, now: datetime, *, deleted: bool = False) -> sa.ColumnElement[bool]:
    """Hold for the posts that a viewer may see: the rule that every statement about posts passes through.

    Published posts whose time has come, for everybody; all posts for editors and admins; for authors their own.
    Deleted posts are nobody's, unless `deleted`: then those that the viewer would see if they were not deleted, except
    that nobody sees others' for having been public.
    """
    live = sa.true() if deleted else POSTS.deleted_at.is_(None)
    if viewer.sees_everything:
        return live
    public = sa.and_(IS_PUBLISHED, POSTS.deleted_at.is_(None), POSTS.published_at <= now)
    if viewer.sees_own_drafts:
        return sa.or_(public, sa.and_(live, POSTS.author_id == viewer.id))
    return public


class PostRepository(Repository[PostRecord]):
    """Reads of posts."""

    record = PostRecord
    bodies = BODIES
    columns: ClassVar = {**POSTS, "text_head": sa.func.substr(POSTS.text, 1, MAX_EXCERPT_LENGTH + 1)}

    def __init__(self, scope: ReadScope, users: UserRepository, tags: TagRepository) -> None:
        """Bind the repository to an operation; filters reach into authors and tags."""
        super().__init__(scope)
        self._users = users
        self._tags = tags

    def visible(self) -> sa.ColumnElement[bool]:
        """Hold for published posts whose time has come; for authors their own, for editors all, deleted ones never."""
        return posts_visible_to(self.scope.viewer, self.scope.now)

    def visible_with_deleted(self) -> sa.ColumnElement[bool]:
        """Hold for what `visible` shows and the deleted posts: all of them for editors, their own for authors.

        Raises:
            Unauthenticated: nobody is signed in.
            Forbidden: the viewer writes no posts.
        """
        viewer = self.scope.viewer
        if viewer.id is None:
            raise Unauthenticated("Sign in to list deleted posts.")
        if not (viewer.sees_everything or viewer.sees_own_drafts):
            raise Forbidden("Only authors and editors may list deleted posts.")
        return posts_visible_to(viewer, self.scope.now, deleted=True)

    def filterable(self) -> Filterable:
        """Say what can be filtered; slugs are folded when they are written."""
        return Filterable(
            self.scope.dialect_name,
            self.columns,
            texts={
                "slug": TextKey(POSTS.slug, MAX_POST_SLUG_LENGTH, MAX_POST_SLUG_LENGTH),
                "title": TextKey(POSTS.title_key, MAX_TITLE_LENGTH, MAX_TITLE_KEY_LENGTH),
            },
            nullable=frozenset({"published_at"}),
            special={"status": self._has_status, "search": self._is_found},
            related=self._has_related,
            keys=self.scope.folded_keys,
        )

    def column(self, attribute: str) -> sa.ColumnElement[Any]:
        """Return the column, or the expression, that an attribute is read from."""
        return self._status() if attribute == "status" else super().column(attribute)

    async def get_aggregate_by(self, attribute: str, value: Any) -> Post | None:
        """Load one visible post with the relations that are selected, in one statement each, through `selectinload`."""
        selected = self.scope.selected.get("Post", frozenset())
        # The time of publication is the key of the default ordering, hence of a payload's edge.
        stored = [getattr(Post, name) for name in {"id", "published_at", *selected} if name in Post.__table__.columns]
        options = [load_only(*stored, raiseload=True), with_expression(Post.status, self._status())]
        if "text_head" in selected:
            options.append(with_expression(Post.text_head, self.columns["text_head"]))
        if "author" in selected:
            options.append(selectinload(Post.author))
        if "tags" in selected:
            options.append(selectinload(Post.post_tags).selectinload(PostTag.tag))
        statement = sa.select(Post).where(self.visible(), self.columns[attribute] == value).options(*options)
        posts: Sequence[Post] = await self.scope.unit.entities(statement)
        for post in posts:
            self.scope.unit.count_body(sum(len(getattr(post, name)) for name in BODIES & selected))
        return posts[0] if posts else None

    async def page_by_author_ids(self, ids: Sequence[UUID], request: PageRequest) -> list[RecordPage[PostRecord]]:
        """Read the same page of each author's posts, in the order of `ids`."""
        children = sa.select(POSTS.id).where(self._matches(request))
        keys = self._keys(request.ordering)
        return await self._page_by_parents(ids, request, children, POSTS.author_id, keys)

    async def count_by_author_ids(self, ids: Sequence[UUID], request: PageRequest) -> list[int]:
        """Count each author's posts, in the order of `ids`."""
        children = sa.select(POSTS.id).where(self._matches(request))
        return await self._count_by_parents(ids, children, POSTS.author_id)

    async def page_by_tag_ids(self, ids: Sequence[UUID], request: PageRequest) -> list[RecordPage[PostRecord]]:
        """Read the same page of each tag's posts, in the order of `ids`."""
        children = self._of_tags(request, reads_posts=True)
        return await self._page_by_parents(ids, request, children, LINKS.tag_id, self._link_keys(request.ordering))

    async def count_by_tag_ids(self, ids: Sequence[UUID], request: PageRequest) -> list[int]:
        """Count each tag's posts, in the order of `ids`."""
        reads_posts = request.condition is not None or not self._sees_only_public
        children = self._of_tags(request, reads_posts=reads_posts)
        return await self._count_by_parents(ids, children, LINKS.tag_id)

    @property
    def _sees_only_public(self) -> bool:
        viewer = self.scope.viewer
        return not (viewer.sees_everything or viewer.sees_own_drafts)

    def _of_tags(self, request: PageRequest, *, reads_posts: bool) -> AnySelect:
        """Select the visible posts of tags, from the links: `visible_from` alone tells what is public."""
        links: sa.FromClause = PostTag.__table__
        source = links.join(Post.__table__, POSTS.id == LINKS.post_id) if reads_posts else links
        visible = LINKS.visible_from <= self.scope.now if self._sees_only_public else self.visible()
        statement = sa.select(LINKS.post_id).select_from(source).where(visible)
        if request.condition is not None:
            statement = statement.where(self.filterable().clause(request.condition))
        return statement

    def _link_keys(self, ordering: Ordering) -> list[Key]:
        """Order by the links' copies of the keys where there are, so that a tag's page is one index range."""
        copies: dict[str, sa.ColumnElement[Any]] = {"id": LINKS.post_id}
        if self._sees_only_public:
            copies["published_at"] = LINKS.visible_from
        return [Key(k.name, copies.get(k.name, k.column), k.descending, k.nullable) for k in self._keys(ordering)]

    def _keys(self, ordering: Ordering) -> list[Key]:
        keys = super()._keys(ordering)
        if not self._sees_only_public:
            return keys
        return [Key(key.name, key.column, key.descending, nullable=False) for key in keys]

    def _status(self) -> sa.ColumnElement[PostStatus]:
        scheduled = sa.and_(IS_PUBLISHED, POSTS.published_at > self.scope.now)
        status = sa.case((scheduled, PostStatus.SCHEDULED.value), else_=sa.cast(POSTS.state, sa.String))
        return sa.type_coerce(status, STATUS_TYPE)

    def _has_status(self, condition: Compare) -> sa.ColumnElement[bool]:
        is_due = POSTS.published_at <= self.scope.now
        clauses = {
            PostStatus.DRAFT: POSTS.state == PostState.DRAFT,
            PostStatus.SCHEDULED: sa.and_(IS_PUBLISHED, sa.not_(is_due)),
            PostStatus.PUBLISHED: sa.and_(IS_PUBLISHED, is_due),
            PostStatus.ARCHIVED: POSTS.state == PostState.ARCHIVED,
        }
        if condition.operator is not Operator.IN:
            raise TypeError(f"a status cannot be compared by {condition.operator}")
        # Never NULL: what is published has a time, and FALSE AND NULL is FALSE for the rest.
        return sa.or_(sa.false(), *(clauses[status] for status in condition.value))

    def _is_found(self, condition: Compare) -> sa.ColumnElement[bool]:
        return POSTS.id.in_(found_ids(self.scope.dialect_name, condition.value, "post"))

    def _has_related(self, condition: Related) -> sa.ColumnElement[bool]:
        """Uncorrelated subqueries over keys that are never NULL: measured better than EXISTS and joins for counts."""
        if condition.relation == "author":
            authors = sa.select(User.id).where(self._users.filterable().clause(condition.condition))
            return POSTS.author_id.in_(authors)
        tagged = (
            sa.select(LINKS.post_id)
            .join(Tag.__table__, Tag.__table__.c.id == LINKS.tag_id)
            .where(self._tags.visible(), self._tags.filterable().clause(condition.condition))
        )
        return POSTS.id.not_in(tagged) if condition.none else POSTS.id.in_(tagged)
