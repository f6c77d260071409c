"""Statements of reads are kept by their form: values make no new ones, and records are made of their columns alone."""

import pytest

from gqlapi.models import UserRole
from gqlapi.repositories import sources
from gqlapi.repositories.construction import RecordShape, constructor
from gqlapi.repositories.records import PostRecord, TagRecord, UserRecord
from tests.api import Api
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.signing_in import sign_in_as

FILTERED = "query($f: PostFilter, $n: Int, $a: Cursor) { posts(filter: $f, first: $n, after: $a) { nodes { title } } }"


@pytest.fixture(autouse=True)
def _empty() -> None:
    """Keep nothing from before."""
    sources._readings._entries.clear()
    sources._readings.bytes = 0


class TestForm:
    async def test_is_one_for_all_values(self, api: Api) -> None:
        author, tag = make_user(username="ada"), make_tag(slug="tag")
        await save(api.database, [author, tag, *(make_post(author, tag, title=f"Post {n}") for n in range(5))])
        for number in range(5):
            texts = [f"Post {number}", *(f"Other {number} {other}" for other in range(number))]
            related = {
                "author": {"username": {"eq": "ada"}},
                "tags": {"some": {"slug": {"in": ["tag"] * (number + 1)}}},
            }
            filter_ = {"title": {"in": texts, "contains": str(number)}, **related}
            data = await api.data(FILTERED, {"f": filter_, "n": number + 11})
            assert [node["title"] for node in data["posts"]["nodes"]] == [f"Post {number}"]
        assert len(sources._readings) == 1

    async def test_is_that_of_a_page_of_a_common_size(self, api: Api) -> None:
        for size in (10, 11, 12, 20):
            await api.data(FILTERED, {"f": {}, "n": size})
        assert len(sources._readings) == 3

    async def test_depends_on_statuses_and_null(self, api: Api) -> None:
        for filter_ in (
            {"status": ["PUBLISHED"]},
            {"publishedAt": {"isNull": True}},
            {"publishedAt": {"isNull": False}},
        ):
            await api.data(FILTERED, {"f": filter_})
        assert len(sources._readings) == 3

    async def test_of_a_text_that_cannot_be_stored_has_no_value(self, api: Api) -> None:
        for number in range(3):
            await api.data(FILTERED, {"f": {"title": {"eq": "x" * (5_000 + number)}}})
        assert len(sources._readings) == 1

    async def test_of_a_full_text_search_is_not_kept(self, api: Api) -> None:
        for word in ("one", "two"):
            await api.data(FILTERED, {"f": {"search": word}})
        assert len(sources._readings) == 0


class TestSinglePost:
    QUERY = '{ post(by: {slug: "a"}) { title author { username } tags { name } } }'

    async def test_is_read_with_its_author_and_its_tags(self, api: Api, dialect: str) -> None:
        author, tags = make_user(username="ada"), [make_tag(name=name) for name in ("B", "A")]
        await save(api.database, [author, *tags, make_post(author, *tags, slug="a", title="T"), make_post(author)])
        with api.statements() as statements:
            data = await api.data(self.QUERY)
        expected = {"title": "T", "author": {"username": "ada"}, "tags": [{"name": "B"}, {"name": "A"}]}
        assert data["post"] == expected
        assert len(statements) == (1 if dialect == "postgresql" else 2)

    async def test_may_have_no_tags(self, api: Api) -> None:
        author = make_user(username="ada")
        await save(api.database, [author, make_post(author, slug="a", title="T")])
        assert (await api.data(self.QUERY))["post"]["tags"] == []


LISTS = (
    "posts(first: 3) { nodes { title tags { name } author { username } } pageInfo { hasNextPage endCursor } }",
    'posts(last: 2, filter: {title: {contains: "1"}}) { nodes { title tags { name } } pageInfo { hasPreviousPage } }',
    "posts(filter: {status: [DRAFT]}, orderBy: [{field: TITLE}]) { edges { cursor node { title status } } }",
    'posts(filter: {search: "words"}, orderBy: [{field: CREATED_AT}]) { nodes { title } }',
)


class TestSeveralPages:
    async def test_are_read_by_one_statement_and_are_those_of_single_reads(self, api: Api) -> None:
        ada, tags = make_user(username="ada", role=UserRole.AUTHOR), [make_tag(name=name) for name in ("B", "A")]
        posts = [make_post(ada, *tags[: n % 3], title=f"Post {n}", text="words", markdown="words") for n in range(12)]
        await save(api.database, [ada, *tags, *posts, make_draft(ada, title="Draft")])
        viewer = await sign_in_as(api, ada)
        alone = [(await viewer.data(f"{{ {text} }}"))["posts"] for text in LISTS]
        assert [len(one.get("nodes") or one["edges"]) for one in alone] == [3, 2, 1, 12]
        aliased = " ".join(f"p{number}: {text}" for number, text in enumerate(LISTS))
        with viewer.statements() as statements:
            together = await viewer.data(f"{{ {aliased} }}")
        assert [*together.values()] == alone
        assert len(statements) == 2  # the other one reads the caller

    async def test_keep_their_budget_of_bodies(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        ada = make_user(username="ada")
        await save(api.database, [ada, *(make_post(ada, markdown="x" * 100) for _ in range(18))])
        monkeypatch.setattr(api.database, "_max_body_length", 1_700)
        page = "posts(first: 9) { nodes { content { markdown } } }"
        result = await api.execute(f"{{ a: {page} b: {page.replace('first: 9', 'last: 9')} }}")
        assert {error["extensions"]["code"] for error in result["errors"]} == {"LIMIT_EXCEEDED"}


class TestConstructor:
    def test_makes_records(self) -> None:
        make = constructor(RecordShape(TagRecord, ("id", "name")), (None, str.upper))
        [record] = make([(1, "one")])
        assert (record.id, record.name) == (1, "ONE")
        with pytest.raises(AttributeError):
            _ = record.slug

    def test_shares_what_rides_along(self) -> None:
        shape = RecordShape(PostRecord, ("id", "title"), joined=("author", UserRecord, ("id", "username")))
        first, second, third = constructor(shape)([(1, "a", 7, "ada"), (2, "b", 7, "ada"), (3, "c", 8, "bob")])
        assert first.author is second.author
        assert (third.title, third.author.username) == ("c", "bob")

    def test_makes_lists_of_arrays(self) -> None:
        shape = RecordShape(PostRecord, ("id",), listed=("tags", TagRecord, ("id", "name")))
        first, second = constructor(shape)([(1, [5, 6], ["one", "two"]), (2, None, None)])
        assert [(tag.id, tag.name) for tag in first.tags] == [(5, "one"), (6, "two")]
        assert second.tags == []

    def test_groups_by_parents(self) -> None:
        shape = RecordShape(TagRecord, ("id", "name"), has_parent=True)
        by_parent = constructor(shape)([("x", 1, "one"), ("x", 2, "two"), ("y", 1, "one")])
        assert [tag.name for tag in by_parent["x"]] == ["one", "two"]
        assert [tag.name for tag in by_parent["y"]] == ["one"]
