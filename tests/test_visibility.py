"""Who sees which posts and users: every read of the repositories, for every role, against the rules in Python."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import given

from gqlapi.database.pagination import Window
from gqlapi.database.unit import Database
from gqlapi.models import ANONYMOUS, Post, PostStatus, PostTag, User, UserRole, Viewer
from gqlapi.repositories import ReadScope, Repositories
from gqlapi.repositories.conditions import All, AnyOf, Compare, Condition, Not, Operator
from gqlapi.repositories.pages import PageRequest
from gqlapi.repositories.search import Kind, SearchOrder, SearchRequest, ordering_of
from gqlapi.schema.ordering import OrderDirection, PostOrder, PostOrderField, UserOrder, UserOrderField, to_ordering
from gqlapi.schema.search_query import parse_query
from tests.api import Api, serve, settings_for
from tests.examples import examples
from tests.factories import make_user, save
from tests.oracle import ORDER_KEYS, in_order
from tests.random_world import make_world
from tests.signing_in import sign_in_as

WORLD = make_world()
# Each has written posts, regardless of their current role.
WRITERS = sorted({post.author_id for post in WORLD.posts if WORLD.by_id[post.author_id].deleted_at is None})[:4]
VIEWERS = {
    "anonymous": ANONYMOUS,
    **{role.value: Viewer(id_, role) for role, id_ in zip(UserRole, WRITERS, strict=True)},
}
ORDERS = st.tuples(st.sampled_from([name for name in ORDER_KEYS if name in PostOrderField.__members__]), st.booleans())
PARENTS: dict[str, tuple[list[Any], Callable[[Post, UUID], bool]]] = {
    "author": (WORLD.users, lambda post, id_: post.author_id == id_),
    "tag": (WORLD.tags, lambda post, id_: any(link.tag_id == id_ for link in post.post_tags)),
}


def sees(viewer: Viewer, post: Post, *, deleted: bool = False) -> bool:
    """The rule: the public posts for everybody, for authors their own, for editors and admins all."""
    is_own = viewer.role is UserRole.AUTHOR and post.author_id == viewer.id
    if viewer.role in {UserRole.EDITOR, UserRole.ADMIN} or is_own:
        return deleted or post.deleted_at is None
    return WORLD.is_public(post)


def sees_user(viewer: Viewer, user: User) -> bool:
    """The rule: who has published for everybody, oneself, for editors and admins all; no deleted users."""
    sees_all = viewer.role in {UserRole.EDITOR, UserRole.ADMIN}
    return user.deleted_at is None and (sees_all or user.id == viewer.id or WORLD.has_published(user))


def role_for(viewer: Viewer, user: User) -> UserRole | None:
    """The rule: a role is for the user, editors and admins."""
    return user.role if viewer.role in {UserRole.EDITOR, UserRole.ADMIN} or user.id == viewer.id else None


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(world_url: str) -> AsyncIterator[Api]:
    """A client of a server over the world, which the tests only read."""
    async with serve(settings_for(world_url)) as api:
        world = make_world()
        await save(api.database, [*world.users, *world.tags, *world.posts])
        yield api


@pytest.fixture
def database(api: Api) -> Database:
    return api.database


@asynccontextmanager
async def reading(database: Database, viewer: Viewer) -> AsyncIterator[Repositories]:
    unit = database.read()
    selected = {"Post": frozenset({"slug", "status", "published_at", "deleted_at"})}
    try:
        yield Repositories(ReadScope(unit, database.dialect_name, viewer=viewer, selected=selected))
    finally:
        await unit.close()


def property_test(**drawn: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    # The database is only read: all examples share it.
    return lambda test: examples(7)(given(**drawn)(test))


# What a filter compares, and which posts its list has for a viewer.
IS_ANY_STATUS = Compare("status", Operator.IN, tuple(PostStatus))
LISTED: dict[str, tuple[Condition | None, Callable[[Viewer, Post], bool]]] = {
    "public": (None, lambda _, post: WORLD.is_public(post)),
    "any status": (IS_ANY_STATUS, sees),
    "not deleted": (Compare("deleted_at", Operator.IS_NULL, value=True), sees),
    "deleted": (
        Not(AnyOf((Compare("deleted_at", Operator.IS_NULL, value=True),))),
        lambda viewer, post: post.deleted_at is not None and sees(viewer, post, deleted=True),
    ),
    "no time": (Not(Compare("deleted_at", Operator.IN, ())), lambda viewer, post: sees(viewer, post, deleted=True)),
    "drafts": (
        All((Compare("status", Operator.IN, (PostStatus.DRAFT,)),)),
        lambda viewer, post: WORLD.status(post) == "DRAFT" and sees(viewer, post),
    ),
}
every_list = pytest.mark.parametrize(("condition", "lists"), LISTED.values(), ids=LISTED)


def request(order: tuple[str, bool], size: int, condition: Condition | None = None) -> PageRequest:
    direction = OrderDirection.DESC if order[1] else OrderDirection.ASC
    ordering = to_ordering([PostOrder(field=PostOrderField[order[0]], direction=direction)])
    return PageRequest(ordering, Window(size), condition)


def naive_page(posts: list[Post], order: tuple[str, bool], size: int) -> list[UUID]:
    return [post.id for post in in_order(posts, ((order[0], "DESC" if order[1] else "ASC"),))[:size]]


@pytest.mark.parametrize("viewer", VIEWERS.values(), ids=VIEWERS)
class TestPostRepository:
    @property_test(post=st.sampled_from(WORLD.posts), attribute=st.sampled_from(["id", "slug"]))
    async def test_gets_what_the_viewer_may_see(
        self, database: Database, viewer: Viewer, post: Post, attribute: str
    ) -> None:
        expected = post.id if sees(viewer, post) else None
        async with reading(database, viewer) as repositories:
            record = await repositories.posts.get_by(attribute, getattr(post, attribute))
            aggregate = await repositories.posts.get_aggregate_by(attribute, getattr(post, attribute))
        assert (record and record.id, aggregate and aggregate.id) == (expected, expected)
        if record is not None and aggregate is not None:
            assert record.status is aggregate.status is PostStatus[WORLD.status(post)]

    @property_test(posts=st.lists(st.sampled_from(WORLD.posts), max_size=20))
    async def test_lists_by_ids_in_their_order(self, database: Database, viewer: Viewer, posts: list[Post]) -> None:
        async with reading(database, viewer) as repositories:
            records = await repositories.posts.list_by_ids([post.id for post in posts])
        assert [record and record.id for record in records] == [
            post.id if sees(viewer, post) else None for post in posts
        ]

    @every_list
    @property_test(order=ORDERS, size=st.integers(1, 130))
    async def test_pages_and_counts_the_public_unless_the_filter_asks_for_more(
        self,
        database: Database,
        viewer: Viewer,
        condition: Condition | None,
        lists: Callable[[Viewer, Post], bool],
        order: tuple[str, bool],
        size: int,
    ) -> None:
        visible = [post for post in WORLD.posts if lists(viewer, post)]
        async with reading(database, viewer) as repositories:
            page = await repositories.posts.page(request(order, size, condition))
            count = await repositories.posts.count(request(order, size, condition))
            aggregated, _ = await repositories.post_aggregates.summary(condition, with_length=False)
        assert aggregated == count
        assert [record.id for record in page.records] == naive_page(visible, order, size)
        assert (count, page.has_next) == (len(visible), size < len(visible))

    @pytest.mark.parametrize("parent", PARENTS)
    @property_test(order=ORDERS, size=st.integers(1, 15), data=st.data())
    async def test_pages_and_counts_by_parent(
        self,
        database: Database,
        viewer: Viewer,
        parent: str,
        order: tuple[str, bool],
        size: int,
        data: st.DataObject,
    ) -> None:
        rows, belongs = PARENTS[parent]
        ids = data.draw(st.lists(st.sampled_from([row.id for row in rows]), unique=True))
        condition, lists = LISTED[data.draw(st.sampled_from(sorted(LISTED)))]
        wanted = request(order, size, condition)
        expected = [[post for post in WORLD.posts if lists(viewer, post) and belongs(post, id_)] for id_ in ids]
        async with reading(database, viewer) as repositories:
            pages = await getattr(repositories.posts, f"page_by_{parent}_ids")(ids, wanted)
            counts = await getattr(repositories.posts, f"count_by_{parent}_ids")(ids, wanted)
        assert counts == [len(posts) for posts in expected]
        assert [[record.id for record in page.records] for page in pages] == [
            naive_page(posts, order, size) for posts in expected
        ]


# Those who have published, those who have not, and those who are deleted.
USER_VIEWERS = {**VIEWERS, "unpublished": Viewer(WORLD.users[25].id, UserRole.READER)}
ROLES = st.lists(st.sampled_from(UserRole), max_size=3).map(tuple)


@pytest.mark.parametrize("viewer", USER_VIEWERS.values(), ids=USER_VIEWERS)
class TestUserRepository:
    @property_test(user=st.sampled_from(WORLD.users), attribute=st.sampled_from(["id", "username_key"]))
    async def test_gets_whom_the_viewer_may_see(
        self, database: Database, viewer: Viewer, user: User, attribute: str
    ) -> None:
        async with reading(database, viewer) as repositories:
            record = await repositories.users.get_by(attribute, getattr(user, attribute))
        assert (record and record.id) == (user.id if sees_user(viewer, user) else None)

    @property_test(users=st.lists(st.sampled_from(WORLD.users), max_size=20))
    async def test_lists_by_ids_in_their_order(self, database: Database, viewer: Viewer, users: list[User]) -> None:
        async with reading(database, viewer) as repositories:
            records = await repositories.users.list_by_ids([user.id for user in users])
        assert [record and record.id for record in records] == [
            user.id if sees_user(viewer, user) else None for user in users
        ]

    @property_test(roles=ROLES, is_not=st.booleans(), size=st.integers(1, 40))
    async def test_pages_and_counts_by_the_roles_that_the_viewer_may_see(
        self,
        database: Database,
        viewer: Viewer,
        roles: tuple[UserRole, ...],
        is_not: bool,  # noqa: FBT001
        size: int,
    ) -> None:
        has_role = Compare("role", Operator.IN, roles)
        condition = Not(has_role) if is_not else has_role
        ordering = to_ordering([UserOrder(field=UserOrderField.CREATED_AT)])
        wanted = PageRequest(ordering, Window(size), condition=condition)
        async with reading(database, viewer) as repositories:
            page, count = await repositories.users.page(wanted), await repositories.users.count(wanted)
        found = [
            user for user in WORLD.users if sees_user(viewer, user) and (role_for(viewer, user) in roles) != is_not
        ]
        assert [record.id for record in page.records] == [user.id for user in sorted(found, key=lambda u: u.id)[:size]]
        assert (count, page.has_next) == (len(found), size < len(found))

    async def test_searches_among_public_users(self, database: Database, viewer: Viewer) -> None:
        query, kinds = parse_query("bio"), frozenset({Kind.USER})
        ordering = ordering_of(query, kinds, SearchOrder.RELEVANCE, descending=True)
        async with reading(database, viewer) as repositories:
            page = await repositories.search.page(SearchRequest(query, kinds, ordering, Window(100)))
        expected = {user.id for user in WORLD.users if user.bio and sees_user(ANONYMOUS, user)}
        assert {hit.id for hit in page.records} == expected
        assert expected


class TestRoles:
    """Through HTTP: a role is null, a filter agrees with what is shown, and no other path shows who is hidden."""

    @pytest_asyncio.fixture
    async def api(self, database_url: str) -> AsyncIterator[Api]:
        """A client of a server over its own world, whose roles the tests change."""
        async with serve(settings_for(database_url)) as api:
            world = make_world()
            await save(api.database, [*world.users, *world.tags, *world.posts])
            yield api

    QUERY = """
    query($id: ID!, $name: String!) {
      node(id: $id) { ... on User { role } } nodes(ids: [$id]) { ... on User { role } }
      byId: user(by: { id: $id }) { role } byName: user(by: { username: $name }) { role }
      users(filter: { id: { eq: $id } }) { totalCount nodes { role } }
    }
    """

    @pytest.mark.parametrize("viewer", USER_VIEWERS.values(), ids=USER_VIEWERS)
    async def test_are_shown_alike_on_every_path(self, api: Api, database: Database, viewer: Viewer) -> None:
        client = api
        if viewer.id is not None:
            async with database.write() as session:
                await session.execute(sa.update(User).where(User.id == viewer.id).values(role=viewer.role))
            client = await sign_in_as(api, WORLD.by_id[viewer.id])
        for user in WORLD.users[::2]:
            role = viewer.role if user.id == viewer.id else role_for(viewer, user)
            own = {"role": role and role.name} if sees_user(viewer, user) else None
            found = await client.data(self.QUERY, {"id": user.global_id, "name": user.username})
            assert found == {
                "node": own,
                "nodes": [own],
                "byId": own,
                "byName": own,
                "users": {"totalCount": int(own is not None), "nodes": [own] if own else []},
            }

    async def test_are_not_shown_of_authors_nor_by_filters_of_posts(self, api: Api, database: Database) -> None:
        query = """{
          posts(first: 100) { totalCount nodes { author { role } } }
          some: posts(filter: { author: { role: [READER, AUTHOR, EDITOR, ADMIN] } }) { totalCount }
          others: posts(filter: { author: { not: { role: [ADMIN] } } }) { totalCount }
        }"""
        data = await api.data(query)
        assert {node["author"]["role"] for node in data["posts"]["nodes"]} == {None}
        assert (data["some"], data["others"]["totalCount"]) == ({"totalCount": 0}, data["posts"]["totalCount"])

    async def test_and_users_appear_with_the_first_post_that_is_published(self, api: Api) -> None:
        ada, query = make_user(username="ada", role=UserRole.AUTHOR), '{ user(by: { username: "ada" }) { role } }'
        await save(api.database, [ada])
        client = await sign_in_as(api, ada)
        given = {"title": "First", "markdown": "", "publish": False}
        post = (await client.payload("createPost", given, "post { id }"))["post"]
        steps = {"publishPost": {"role": None}, "archivePost": None, "unpublishPost": None}
        assert (await api.data(query))["user"] is None
        for mutation, shown in steps.items():
            assert (await client.payload(mutation, {"id": post["id"]}))["errors"] == []
            assert (await api.data(query))["user"] == shown
        assert (await client.data(query))["user"] == {"role": "AUTHOR"}


class TestAnonymousViewer:
    """Through HTTP: a post that is not public is never shown, whichever way it is asked for."""

    async def test_is_shown_no_hidden_post_by_key(self, api: Api, database: Database) -> None:
        query = """
        query($id: ID!, $slug: String!) {
          node(id: $id) { id } nodes(ids: [$id]) { id } byId: post(by: { id: $id }) { id }
          bySlug: post(by: { slug: $slug }) { id } posts(filter: { id: { eq: $id } }) { totalCount nodes { id } }
        }
        """
        for post in WORLD.posts[::2]:
            own = {"id": post.global_id} if WORLD.is_public(post) else None
            found = await api.data(query, {"id": post.global_id, "slug": post.slug})
            assert found == {
                "node": own,
                "nodes": [own],
                "byId": own,
                "bySlug": own,
                "posts": {"totalCount": int(own is not None), "nodes": [own] if own else []},
            }

    async def test_is_shown_no_hidden_post_in_a_list(self, api: Api, database: Database) -> None:
        posts = "posts(first: 100) { totalCount nodes { id } }"
        data = await api.data(f"{{ users {{ nodes {{ {posts} }} }} tags {{ nodes {{ {posts} }} }} {posts} }}")
        lists = [data["posts"], *(node["posts"] for kind in ("users", "tags") for node in data[kind]["nodes"])]
        shown = {node["id"] for list_ in lists for node in list_["nodes"]}
        assert shown == {post.global_id for post in WORLD.posts if WORLD.is_public(post)}
        assert all(list_["totalCount"] == len(list_["nodes"]) for list_ in lists)


class TestVisibleFrom:
    async def test_is_a_copy_of_what_the_post_says(self, api: Api, database: Database) -> None:
        links = sa.select(PostTag.post_id, PostTag.visible_from)
        async with database.write() as session:
            stored = (await session.execute(links)).all()
            posts = {post.id: post for post in (await session.scalars(sa.select(Post))).all()}
        assert len(stored) == sum(len(post.post_tags) for post in WORLD.posts)
        assert all(visible_from == posts[post_id].visible_from for post_id, visible_from in stored)
