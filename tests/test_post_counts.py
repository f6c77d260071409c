"""Users and tags by their number of posts: what the public sees, at any moment and for any viewer."""

from datetime import timedelta
from typing import Any

import pytest

from gqlapi.database.pagination import Window
from gqlapi.database.types import utc_now
from gqlapi.models import UserRole, Viewer
from gqlapi.repositories import ReadScope, Repositories
from gqlapi.repositories.pages import PageRequest
from gqlapi.schema.ordering import OrderDirection, TagOrder, TagOrderField, UserOrder, UserOrderField, to_ordering
from tests.api import Api
from tests.factories import make_draft, make_post, make_scheduled_post, make_tag, make_user, save
from tests.signing_in import sign_in_as

ORDERS: dict[str, TagOrder | UserOrder] = {
    "users": UserOrder(field=UserOrderField.POST_COUNT, direction=OrderDirection.DESC),
    "tags": TagOrder(field=TagOrderField.POST_COUNT, direction=OrderDirection.DESC),
}
MOST_FIRST = "orderBy: [{ field: POST_COUNT, direction: DESC }]"
BOTH = f"{{ users({MOST_FIRST}) {{ nodes {{ username }} }} tags({MOST_FIRST}) {{ nodes {{ name }} }} }}"


async def save_blog(api: Api) -> Any:
    """Write an author and a tag with two public posts, and others with one, which have more that is not public."""
    ada, bela = make_user(username="ada", role=UserRole.EDITOR), make_user(username="bela")
    tags = [make_tag(name="A"), make_tag(name="B"), make_tag(name="C")]
    public = [make_post(ada, tags[0]), make_post(ada, tags[0]), make_post(bela, tags[1])]
    others = [make_scheduled_post(bela, tags[1]) for _ in range(3)]
    others += [make_draft(bela, tags[1], tags[2]), make_post(bela, tags[2], deleted_at=utc_now())]
    await save(api.database, [ada, bela, *tags, *public, *others])
    return ada, tags


async def counts(api: Api, repository: str, **scope: Any) -> dict[str, int]:
    """Return the counts of a page by name, most first."""
    unit = api.database.read()
    selected = {"User": frozenset({"username"}), "Tag": frozenset({"name"})}
    try:
        repositories = Repositories(ReadScope(unit, api.database.dialect_name, selected=selected, **scope))
        page = await getattr(repositories, repository).page(PageRequest(to_ordering([ORDERS[repository]]), Window(20)))
    finally:
        await unit.close()
    return {getattr(row, "username" if repository == "users" else "name"): row.post_count for row in page.records}


class TestPostCount:
    async def test_is_what_the_public_sees_whoever_reads(self, api: Api) -> None:
        ada, _ = await save_blog(api)
        expected = {
            "users": {"nodes": [{"username": "ada"}, {"username": "bela"}]},
            "tags": {"nodes": [{"name": "A"}, {"name": "B"}, {"name": "C"}]},
        }
        assert await api.data(BOTH) == await (await sign_in_as(api, ada)).data(BOTH) == expected
        editor = Viewer(ada.id, UserRole.EDITOR)
        assert await counts(api, "users", viewer=editor) == await counts(api, "users") == {"ada": 2, "bela": 1}
        assert await counts(api, "tags", viewer=editor) == await counts(api, "tags") == {"A": 2, "B": 1, "C": 0}

    async def test_includes_a_scheduled_post_from_its_time_on(self, api: Api) -> None:
        await save_blog(api)
        later = utc_now() + timedelta(days=2)
        assert [*(await counts(api, "users", now=later)).items()] == [("bela", 4), ("ada", 2)]
        assert [*(await counts(api, "tags", now=later)).items()] == [("B", 4), ("A", 2), ("C", 0)]

    @pytest.mark.parametrize(
        ("condition", "names"),
        [("gte: 1", ["A", "B"]), ("eq: 0", ["C"]), ("gt: 1", ["A"]), ("ne: 1", ["A", "C"]), ("lt: -1", [])],
    )
    async def test_filters_tags(self, api: Api, condition: str, names: list[str]) -> None:
        await save_blog(api)
        data = await api.data(
            f"{{ tags(filter: {{ postCount: {{ {condition} }} }}) {{ totalCount nodes {{ name }} }} }}"
        )
        assert data["tags"] == {"totalCount": len(names), "nodes": [{"name": name} for name in names]}

    async def test_filters_posts_by_author_and_tag(self, api: Api) -> None:
        await save_blog(api)
        by_author, by_tag = "author: { postCount: { gt: 1 } }", "tags: { some: { postCount: { lt: 2 } } }"
        for condition, count in ((by_author, 2), (by_tag, 1)):
            data = await api.data(f"{{ posts(filter: {{ {condition} }}) {{ totalCount }} }}")
            assert data == {"posts": {"totalCount": count}}

    async def test_pages_both_ways(self, api: Api) -> None:
        await save(api.database, [make_tag() for _ in range(5)])
        await save_blog(api)
        window = "first: $first, after: $after, last: $last, before: $before"
        tags = f"tags({MOST_FIRST}, {window}) {{ edges {{ cursor node {{ id }} }} }}"
        query = f"query($first: Int, $after: Cursor, $last: Int, $before: Cursor) {{ {tags} }}"
        everything = (await api.data(query))["tags"]["edges"]
        forward = backward = None
        ids: list[str] = []
        for _ in everything:
            [edge] = (await api.data(query, {"first": 1, "after": forward}))["tags"]["edges"]
            forward = edge["cursor"]
            ids.append(edge["node"]["id"])
        assert ids == [edge["node"]["id"] for edge in everything]
        for edge in reversed(everything):
            [found] = (await api.data(query, {"last": 1, "before": backward}))["tags"]["edges"]
            backward = found["cursor"]
            assert found == edge
