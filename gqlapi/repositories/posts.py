"""Reads of posts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import load_only, selectinload, with_expression

from gqlapi.database.dialect import AnySelect, contains_text
from gqlapi.database.kept import bind
from gqlapi.database.pagination import Key
from gqlapi.database.search import found_ids
from gqlapi.database.types import enum_column_type
from gqlapi.database.unions import place_of
from gqlapi.models import Post, PostSlug, PostState, PostStatus, PostTag, Tag, User, Viewer
from gqlapi.models.post import MAX_POST_SLUG_LENGTH, MAX_TITLE_KEY_LENGTH, MAX_TITLE_LENGTH
from gqlapi.repositories.base import ReadScope, Repository
from gqlapi.repositories.conditions import Compare, Condition, Filterable, Operator, Related, TextKey, compares
from gqlapi.repositories.construction import RecordShape
from gqlapi.repositories.pages import Ordering, PageRequest, RecordPage
from gqlapi.repositories.publicity import PUBLISHED, is_public
from gqlapi.repositories.records import PostRecord, TagRecord, UserRecord
from gqlapi.repositories.sources import NOTHING, NOW, Draft, ListForm, Listing, Selection, Source, ViewerKind
from gqlapi.repositories.tags import TagSource
from gqlapi.repositories.users import UserSource

POSTS = Post.__table__.c
LINKS = PostTag.__table__.c
# Excerpts are at most this long; one extra character shows whether the text continues.
MAX_EXCERPT_LENGTH = 2_000
BODIES = frozenset({"markdown", "html", "text"})
LONG_TEXTS = BODIES | {"text_head"}
# A list whose filter compares one of these has all that its viewer may see; any other list has what the public sees.
BEYOND_PUBLIC = frozenset({"status", "deleted_at"})
IS_PUBLISHED = POSTS.state == PUBLISHED
STATUS_TYPE: sa.types.TypeEngine[PostStatus] = enum_column_type(PostStatus, "status")


def posts_visible_to(viewer: Viewer | ViewerKind, now: Any, *, deleted: bool = False) -> sa.ColumnElement[bool]:
    """Condition for the posts that a viewer may see: the rule that every statement about posts passes through.

    Published posts whose time has come, for everybody; all posts for editors and admins; for authors their own.
    With `deleted`, all deleted posts as well for editors and admins, and for authors their own; without it, none.
    """
    live = sa.true() if deleted else POSTS.deleted_at.is_(None)
    if viewer.sees_everything:
        return live
    public = is_public(POSTS, now)
    if viewer.sees_own_drafts:
        return sa.or_(public, sa.and_(live, POSTS.author_id == viewer.id))
    return public


class PostSource(Source):
    """The statements about posts."""

    record = PostRecord
    relations = frozenset({"author", "tags"})
    bodies = BODIES
    columns: ClassVar = {**POSTS, "text_head": sa.func.substr(POSTS.text, 1, MAX_EXCERPT_LENGTH + 1)}

    def __init__(self, viewer: ViewerKind, dialect_name: str, users: UserSource, tags: TagSource) -> None:
        """Create statements for a kind of viewer; filters reach into authors and tags, and authors ride along."""
        super().__init__(viewer, dialect_name)
        self._users = users
        self._tags = tags

    def selection(self, selected: Mapping[str, frozenset[str]], ordering: Ordering | None = None) -> Selection:
        """Return the columns to read, and those of the author if it is selected."""
        own = super().selection(selected, ordering)
        if "author" not in selected.get("Post", NOTHING):
            return own
        return Selection(own.names, self._users.selection(selected).names)

    def page_selection(self, selected: Mapping[str, frozenset[str]], ordering: Ordering) -> Selection:
        """Return the columns to read of the posts of a page: their tags come with them where no text is long.

        Measured: half of the time of a second statement and the snapshot that two need.
        """
        return self.selection(selected, ordering)._replace(listed_names=self._tags_along(selected))

    def key_selection(self, selected: Mapping[str, frozenset[str]]) -> Selection:
        """Return the columns to read of a single post: its tags come with it on PostgreSQL, in arrays.

        Measured: a third of the CPU of a second statement and the snapshot that two need.
        """
        selection = self.selection(selected)
        if self.dialect_name != "postgresql" or "tags" not in selected.get("Post", NOTHING):
            return selection
        return selection._replace(listed_names=self._tags.selection(selected).names)

    def visible(self) -> sa.ColumnElement[bool]:
        """Condition for published posts whose time has come, authors' own, all for editors; deleted ones never."""
        return posts_visible_to(self.viewer, NOW)

    def visible_with_deleted(self) -> sa.ColumnElement[bool]:
        """Condition for what `visible` shows and the deleted posts: all of them for editors, their own for authors."""
        return posts_visible_to(self.viewer, NOW, deleted=True)

    @cached_property
    def filterable(self) -> Filterable:
        """What can be filtered; slugs are folded when they are written."""
        return Filterable(
            self.dialect_name,
            self.columns,
            texts={
                "slug": TextKey(POSTS.slug, MAX_POST_SLUG_LENGTH, MAX_POST_SLUG_LENGTH),
                "title": TextKey(POSTS.title_key, MAX_TITLE_LENGTH, MAX_TITLE_KEY_LENGTH),
            },
            nullable=frozenset({"published_at", "deleted_at"}),
            special={"status": self._has_status, "search": self._is_found, "body": self._contains},
            related=self._has_related,
            relations={"author": self._users.filterable, "tags": self._tags.filterable},
        )

    def has_key(self, attribute: str) -> sa.ColumnElement[bool]:
        """Condition for the row with a key; an old slug is one as well."""
        if attribute != "slug":
            return super().has_key(attribute)
        slugs = PostSlug.__table__.c
        return POSTS.id == sa.select(slugs.post_id).where(slugs.slug == sa.bindparam("key")).scalar_subquery()

    def column(self, attribute: str) -> sa.ColumnElement[Any]:
        """Return the column, or the expression, that an attribute is read from."""
        return self.status() if attribute == "status" else super().column(attribute)

    def page(self, selection: Selection, form: ListForm) -> Draft:
        """Select one page, with a row for each tag of a post if its tags are to be read."""
        if not selection.listed_names:
            return super().page(selection, form)
        page = super().page(selection._replace(listed_names=()), form).statement.subquery("page")
        return self._with_tags(page, self._order(page, form), selection)

    def pages(self, selection: Selection, listings: tuple[Listing, ...], bounds_bodies: bool) -> Draft:  # noqa: FBT001 - a part of the shape
        """Select several pages, with a row for each tag of a post if its tags are to be read."""
        own = selection._replace(listed_names=())
        if own == selection:
            return super().pages(selection, listings, bounds_bodies)
        rows = self._union(own, listings, bounds_bodies=bounds_bodies)
        return self._with_tags(rows, place_of(rows), selection, has_parent=True)

    def keys(self, ordering: Ordering) -> list[Key]:
        """Return the columns of an ordering; a public post has a time of publication."""
        keys = super().keys(ordering)
        if not self._sees_only_public:
            return keys
        return [Key(key.name, key.column, key.descending, nullable=False) for key in keys]

    def page_of_authors(self, selection: Selection, form: ListForm) -> Draft:
        """Select the same page of the posts of each author in `ids`."""
        children = sa.select(POSTS.id).where(self.matching(form.condition))
        return self.page_of_parents(selection, form, children, POSTS.author_id, self.keys(form.required_ordering))

    def count_of_authors(self, form: ListForm) -> Draft:
        """Count the posts of each author in `ids`."""
        return self.count_of_parents(sa.select(POSTS.id).where(self.matching(form.condition)), POSTS.author_id)

    def page_of_tags(self, selection: Selection, form: ListForm) -> Draft:
        """Select the same page of the posts of each tag in `ids`."""
        children = self._of_tags(form.condition, reads_posts=True)
        return self.page_of_parents(selection, form, children, LINKS.tag_id, self._link_keys(form.required_ordering))

    def count_of_tags(self, form: ListForm) -> Draft:
        """Count the posts of each tag in `ids`."""
        reads_posts = form.condition is not None or not self._sees_only_public
        return self.count_of_parents(self._of_tags(form.condition, reads_posts=reads_posts), LINKS.tag_id)

    def status(self) -> sa.ColumnElement[PostStatus]:
        """Return the status that a post has now."""
        scheduled = sa.and_(IS_PUBLISHED, POSTS.published_at > NOW)
        status = sa.case((scheduled, PostStatus.SCHEDULED.value), else_=sa.cast(POSTS.state, sa.String))
        return sa.type_coerce(status, STATUS_TYPE)

    def _tags_along(self, selected: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
        return self._tags.selection(selected).names if tags_come_along(selected) else ()

    @property
    def _sees_only_public(self) -> bool:
        return not (self.viewer.sees_everything or self.viewer.sees_own_drafts)

    def _select(self, selection: Selection) -> AnySelect:
        statement = super()._select(selection)
        source: sa.FromClause = Post.__table__
        if selection.joined_names:
            author = [self._users.column(name).label(f"joined_{name}") for name in selection.joined_names]
            is_author = sa.and_(User.__table__.c.id == POSTS.author_id, self._users.visible_as_author())
            # Every post has an author; an outer join leaves the plan to the posts.
            statement, source = statement.add_columns(*author), source.outerjoin(User.__table__, is_author)
        if selection.listed_names:
            tags = self._tags.arrays_of(POSTS.id, selection.listed_names).lateral("tags_of_post")
            # The values of arrays are right as the driver has them.
            arrays = [sa.type_coerce(array, sa.types.NULLTYPE).label(f"listed_{array.key}") for array in tags.c]
            statement, source = statement.add_columns(*arrays), source.outerjoin(tags, sa.true())
        return statement.select_from(source)

    def _with_tags(
        self, page: sa.Subquery, order: Iterable[Any], selection: Selection, *, has_parent: bool = False
    ) -> Draft:
        """Select the rows of pages in an order, with a row for each tag of a post."""
        statement = self._tags.beside(page, selection.listed_names).order_by(*order, LINKS.position, LINKS.tag_id)
        return Draft(statement, replace(self._shape(selection), has_parent=has_parent, spread=True))

    def _order(self, page: sa.Subquery, form: ListForm) -> list[Any]:
        keys = (Key(k.name, page.c[k.name], k.descending, k.nullable) for k in self.keys(form.required_ordering))
        return [key.order_by(backward=form.required_window.backward) for key in keys]

    def _shape(self, selection: Selection) -> RecordShape:
        joined = ("author", UserRecord, selection.joined_names) if selection.joined_names else None
        listed = ("tags", TagRecord, selection.listed_names) if selection.listed_names else None
        return RecordShape(PostRecord, selection.names, joined=joined, listed=listed)

    def _of_tags(self, condition: Condition | None, *, reads_posts: bool) -> AnySelect:
        """Select the visible posts of tags, from the links: `visible_from` alone decides what is public."""
        links: sa.FromClause = PostTag.__table__
        source = links.join(Post.__table__, POSTS.id == LINKS.post_id) if reads_posts else links
        statement = sa.select(LINKS.post_id).select_from(source)
        if not self._sees_only_public:
            return statement.where(self.matching(condition))
        statement = statement.where(LINKS.visible_from <= NOW)
        return statement if condition is None else statement.where(self.filterable.clause(condition))

    def _link_keys(self, ordering: Ordering) -> list[Key]:
        """Order by the links' copies of the keys where there are, so that a tag's page is one index range."""
        copies: dict[str, sa.ColumnElement[Any]] = {"id": LINKS.post_id}
        if self._sees_only_public:
            copies["published_at"] = LINKS.visible_from
        return [Key(k.name, copies.get(k.name, k.column), k.descending, k.nullable) for k in self.keys(ordering)]

    def _has_status(self, condition: Compare) -> sa.ColumnElement[bool]:
        is_due = POSTS.published_at <= NOW
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

    def next_publication(self) -> Draft:
        """Select the time of the scheduled post that becomes public first: the first entry of an index."""
        is_scheduled = sa.and_(IS_PUBLISHED, POSTS.deleted_at.is_(None), POSTS.published_at > NOW)
        return Draft(sa.select(POSTS.published_at).where(is_scheduled).order_by(POSTS.published_at).limit(1))

    def _is_found(self, condition: Compare) -> sa.ColumnElement[bool]:
        return POSTS.id.in_(found_ids(self.dialect_name, condition.value, "post"))

    def _contains(self, condition: Compare) -> sa.ColumnElement[bool]:
        return contains_text(self.dialect_name, POSTS.text, bind(condition.value, sa.Text()))

    def _has_related(self, condition: Related) -> sa.ColumnElement[bool]:
        """Uncorrelated subqueries over keys that are never NULL: measured better than EXISTS and joins for counts."""
        if condition.relation == "author":
            authors = sa.select(User.id).where(self._users.filterable.clause(condition.condition))
            return POSTS.author_id.in_(authors)
        tagged = (
            sa.select(LINKS.post_id)
            .join(Tag.__table__, Tag.__table__.c.id == LINKS.tag_id)
            .where(self._tags.visible(), self._tags.filterable.clause(condition.condition))
        )
        return POSTS.id.not_in(tagged) if condition.none else POSTS.id.in_(tagged)


def tags_come_along(selected: Mapping[str, frozenset[str]]) -> bool:
    """Whether the page of an operation that reads these attributes reads the tags of its posts."""
    attributes = selected.get("Post", NOTHING)
    return "tags" in attributes and LONG_TEXTS.isdisjoint(attributes)


class PostRepository(Repository[PostRecord]):
    """Reads of posts; authors that are selected are read together with a post or a page, tags with a single post."""

    source: PostSource

    def __init__(self, scope: ReadScope, source: PostSource, public: PostSource) -> None:
        """Bind the repository; lists are read from `public`, unless their filter asks for more."""
        super().__init__(scope, source)
        self._public = public

    def listing(self, condition: Condition | None) -> PostSource:
        """Return the statements of a list: of public posts, unless the filter compares the status or the deletion."""
        return self.source if compares(condition, BEYOND_PUBLIC) else self._public

    async def get_next_publication(self) -> datetime | None:
        """Return when the next post becomes public by the clock, for any viewer; None if none is scheduled."""
        rows = await self._read(self.source.next_publication, values={})
        return rows[0][0] if rows else None

    async def get_aggregate_by(self, attribute: str, value: Any) -> Post | None:
        """Load one visible post with the relations that are selected, in one statement each, through `selectinload`."""
        selected = self.scope.selected.get("Post", frozenset())
        # The time of publication is the key of the default ordering, so that a payload's edge has its cursor.
        stored = [getattr(Post, name) for name in {"id", "published_at", *selected} if name in Post.__table__.columns]
        options = [load_only(*stored, raiseload=True), with_expression(Post.status, self.source.status())]
        if "text_head" in selected:
            options.append(with_expression(Post.text_head, self.source.columns["text_head"]))
        if "author" in selected:
            options.append(selectinload(Post.author))
        if "tags" in selected:
            options.append(selectinload(Post.post_tags).selectinload(PostTag.tag))
        statement = sa.select(Post).where(self.source.visible(), self.source.columns[attribute] == value)
        posts: Sequence[Post] = await self.scope.unit.entities(statement.options(*options), self.scope.values)
        for post in posts:
            self.scope.unit.count_body(sum(len(getattr(post, name)) for name in BODIES & selected))
        return posts[0] if posts else None

    async def page_by_author_ids(self, ids: Sequence[UUID], request: PageRequest) -> list[RecordPage[PostRecord]]:
        """Read the same page of each author's posts, in the order of `ids`."""
        return await self._pages_of_parents(self.listing(request.condition).page_of_authors, ids, request)

    async def count_by_author_ids(self, ids: Sequence[UUID], request: PageRequest) -> list[int]:
        """Count each author's posts, in the order of `ids`."""
        return await self._counts_of_parents(self.listing(request.condition).count_of_authors, ids, request)

    async def page_by_tag_ids(self, ids: Sequence[UUID], request: PageRequest) -> list[RecordPage[PostRecord]]:
        """Read the same page of each tag's posts, in the order of `ids`."""
        return await self._pages_of_parents(self.listing(request.condition).page_of_tags, ids, request)

    async def count_by_tag_ids(self, ids: Sequence[UUID], request: PageRequest) -> list[int]:
        """Count each tag's posts, in the order of `ids`."""
        return await self._counts_of_parents(self.listing(request.condition).count_of_tags, ids, request)
