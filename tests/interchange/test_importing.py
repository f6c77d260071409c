"""What an import writes, and what it leaves alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm.exc import StaleDataError

from gqlapi.content import RenderedContent, render
from gqlapi.database.types import utc_now
from gqlapi.database.unit import Database
from gqlapi.interchange.writing import BlogWriter
from gqlapi.models import ChangeKind, Post, PostChange, PostState, Tag, User, UserRole
from gqlapi.repositories import post_content
from tests.api import Api
from tests.factories import make_post, make_tag, make_user, save
from tests.interchange.blog import article, blog_of, clear, entities, lines, posts_of, rows_of, run_import, write

MARCH = datetime(2021, 3, 4, tzinfo=UTC)


class TestPosts:
    async def test_are_created_with_their_dates_authors_and_tags(self, database: Database, tmp_path: Path) -> None:
        write(tmp_path, {"a.md": article("One", "author: ada", "tags: [x, y]", "category: z"), "b.md": article("Two")})
        assert lines(await run_import(database, tmp_path, author="bela")) == ["created a.md", "created b.md"]
        posts = await posts_of(database)
        one, two = posts["a"], posts["b"]
        assert (one.title, one.markdown, one.state, one.version) == ("One", "Text.\n", PostState.PUBLISHED, 1)
        assert (one.created_at, one.published_at, one.author.username) == (MARCH, MARCH, "ada")
        assert [tag.name for tag in one.tags] == ["x", "y", "z"]
        assert (two.author.username, two.tags) == ("bela", [])

    async def test_are_drafts_scheduled_or_archived(self, database: Database, tmp_path: Path) -> None:
        now = utc_now()
        files = {
            "draft.md": article("A", "draft: true"),
            "_drafts/undated.md": article("A", date=""),
            "later.md": article(date=str(now + timedelta(days=2))),
            "archived.md": article("A", "archived: true", "published: false"),
        }
        await run_import(database, write(tmp_path, files))
        posts = await posts_of(database)
        assert {slug: (post.state, post.published_at) for slug, post in posts.items()} == {
            "draft": (PostState.DRAFT, None),
            "undated": (PostState.DRAFT, None),
            "later": (PostState.PUBLISHED, now + timedelta(days=2)),
            "archived": (PostState.ARCHIVED, MARCH),
        }
        assert posts["draft"].created_at == posts["archived"].created_at == MARCH
        assert now <= posts["later"].created_at <= utc_now()
        assert now <= posts["undated"].created_at <= utc_now()

    async def test_keep_markup_that_is_not_known(self, database: Database, tmp_path: Path) -> None:
        text = '{% highlight ruby %}\nputs "a"\n{% endhighlight %}\n\n{{< figure src="a.png" >}}\n'
        await run_import(database, write(tmp_path, {"a.md": article(text=text)}))
        post = (await posts_of(database))["a"]
        assert post.markdown == text
        assert "{% highlight ruby %}" in post.html

    async def test_are_in_the_api_and_its_search(self, api: Api, tmp_path: Path) -> None:
        write(
            tmp_path,
            {"a.md": article("Zebras", "author: Ada L", "tags: [Grassland]", text="Stripes <script>x</script>")},
        )
        await run_import(api.database, tmp_path)
        data = await api.data(
            "{ posts { nodes { slug content { html } publishedAt author { displayName } tags { name } } } }"
        )
        assert data["posts"]["nodes"] == [
            {
                "slug": "a",
                "content": {"html": "<p>Stripes </p>\n"},
                "publishedAt": "2021-03-04T00:00:00.000Z",
                "author": {"displayName": "Ada L"},
                "tags": [{"name": "Grassland"}],
            }
        ]
        for word, kind in (("stripes", "Post"), ("zebras", "Post"), ("grassland", "Tag"), ("ada", "User")):
            found = await api.data(f'{{ search(query: "{word}") {{ nodes {{ __typename }} }} }}')
            assert found["search"]["nodes"] == [{"__typename": kind}]


class TestSecondRun:
    async def test_changes_nothing(self, database: Database, tmp_path: Path) -> None:
        files = {f"{n}.md": article(f"Title {n}", "author: Ada Ö", f"tags: [a{n}, B]") for n in range(60)}
        write(tmp_path, {**files, "_drafts/d.md": article("D", date=""), "x/0.md": article("Same slug")})
        assert {outcome.status for outcome in await run_import(database, tmp_path)} == {"created"}
        rows = await rows_of(database)
        assert {outcome.status for outcome in await run_import(database, tmp_path)} == {"unchanged"}
        assert await rows_of(database) == rows

    @pytest.mark.parametrize(
        "changed",
        [
            article("New"),
            article("Old", text="New."),
            article("Old", date="2022-01-01"),
            article("Old", "author: new"),
            article("Old", "tags: [a]"),
            article("Old", "tags: [b, a]"),
            article("Old", "draft: true"),
        ],
    )
    async def test_updates_what_differs(self, database: Database, tmp_path: Path, changed: str) -> None:
        old = article("Old", "tags: [a, b]")
        if "tags" not in changed:
            changed = changed.replace("\ndate", "\ntags: [a, b]\ndate")
        await run_import(database, write(tmp_path, {"a.md": old, "b.md": old}))
        before = await posts_of(database)
        outcomes = await run_import(database, write(tmp_path, {"a.md": changed}))
        assert lines(outcomes) == ["updated a.md", "unchanged b.md"]
        after = await posts_of(database)
        assert (after["a"].id, after["a"].created_at) == (before["a"].id, before["a"].created_at)
        assert (after["a"].version, after["b"].version) == (2, 1)
        assert lines(await run_import(database, tmp_path)) == ["unchanged a.md", "unchanged b.md"]

    async def test_finds_what_is_new_and_not_what_was(self, api: Api, tmp_path: Path) -> None:
        await run_import(api.database, write(tmp_path, {"a.md": article("Zebras")}))
        await run_import(api.database, write(tmp_path, {"a.md": article("Lions")}))
        found = await api.data(
            '{ old: search(query: "zebras") { totalCount } new: search(query: "lions") { totalCount } }'
        )
        assert found == {"old": {"totalCount": 0}, "new": {"totalCount": 1}}

    async def test_keeps_the_author_of_a_post_whose_file_names_none(self, database: Database, tmp_path: Path) -> None:
        await run_import(database, write(tmp_path, {"a.md": article("A"), "b.md": article("B", "author: cleo")}))
        assert lines(await run_import(database, tmp_path, author="bela")) == ["unchanged a.md", "unchanged b.md"]
        write(tmp_path, {"a.md": article("New"), "b.md": article("B"), "c.md": article("C")})
        outcomes = await run_import(database, tmp_path, author="bela")
        assert lines(outcomes) == ["updated a.md", "unchanged b.md", "created c.md"]
        authors = {slug: post.author.username for slug, post in (await posts_of(database)).items()}
        assert authors == {"a": "editorial", "b": "cleo", "c": "bela"}

    async def test_leaves_a_deleted_post_deleted(self, database: Database, tmp_path: Path) -> None:
        author = make_user(username="ada")
        await save(database, [author, make_post(author, slug="a", deleted_at=utc_now())])
        rows = await rows_of(database)
        [outcome] = await run_import(database, write(tmp_path, {"a.md": article("A", "author: bela", "tags: [b]")}))
        assert (lines([outcome]), outcome.is_bad) == (["skipped a.md: its post was deleted"], False)
        assert await rows_of(database) == rows

    async def test_tells_the_change_feed_what_happened(self, database: Database, tmp_path: Path) -> None:
        later = str(utc_now() + timedelta(days=1))
        for content in (
            article("A", "draft: true"),
            article("A"),
            article("B"),
            article("B", date=later),
            article("B"),
            article("B", "archived: true"),
            article("B", "draft: true"),
            article("B", date=later),
        ):
            await run_import(database, write(tmp_path, {"a.md": content}))
        async with database.write() as session:
            changes = [*await session.scalars(sa.select(PostChange).order_by(PostChange.id))]
        kinds = (
            *("CREATED", "PUBLISHED", "UPDATED", "UNPUBLISHED", "PUBLISHED"),
            *("ARCHIVED", "UNPUBLISHED", "UPDATED"),
        )
        assert [(change.kind, change.version) for change in changes] == [
            (ChangeKind[kind], version) for version, kind in enumerate(kinds, 1)
        ]


class TestSlugs:
    async def test_that_are_the_same_get_the_date_appended(self, database: Database, tmp_path: Path) -> None:
        write(tmp_path, {"a/x.md": article("A"), "b/x.md": article("B", date="2020-01-02"), "c/x.md": article("C")})
        assert lines(await run_import(database, tmp_path)) == [
            "created a/x.md",
            "created b/x.md: its slug is x-2020-01-02: a/x.md has x",
            "created c/x.md: its slug is x-2021-03-04: a/x.md has x",
        ]
        assert {slug: post.title for slug, post in (await posts_of(database)).items()} == {
            "x": "A",
            "x-2020-01-02": "B",
            "x-2021-03-04": "C",
        }

    async def test_that_are_taken_even_so_are_skipped(self, database: Database, tmp_path: Path) -> None:
        undated = article("D", date="")
        write(tmp_path, {"a/x.md": article(), "b/x.md": article(), "c/x.md": article(), "d/_drafts/x.md": undated})
        outcomes = await run_import(database, tmp_path)
        reason = "its slug x is that of a/x.md"
        assert lines(outcomes)[2:] == [f"skipped c/x.md: {reason}", f"skipped d/_drafts/x.md: {reason}"]
        assert [outcome.is_bad for outcome in outcomes] == [False, False, True, True]

    async def test_stay_within_their_length(self, database: Database, tmp_path: Path) -> None:
        line = f"slug: {'ab-' * 66}a"
        await run_import(database, write(tmp_path, {"a.md": article("A", line), "b.md": article("B", line)}))
        assert sorted(map(len, await posts_of(database))) == [199, 199]


class TestTags:
    async def test_are_found_without_regard_to_case_or_created(self, database: Database, tmp_path: Path) -> None:
        await save(database, [make_tag(name="Straße", slug="road")])
        write(tmp_path, {"a.md": article("A", "tags: [STRASSE, c++, C#]"), "b.md": article("B", "tags: [C#, strasse]")})
        await run_import(database, tmp_path)
        posts = await posts_of(database)
        assert [(tag.slug, tag.name) for tag in posts["a"].tags] == [("road", "Straße"), ("c-2", "c++"), ("c", "C#")]
        assert [tag.name for tag in posts["b"].tags] == ["C#", "Straße"]


class TestBlogData:
    AUTHORS = """
        ada:
          name: Ada Lovelace
          bio: Counts.
          avatar_url: https://example.com/a.png
          role: editor
        carl: {name: Carl, role: reader}
        Dora Maar: {name: Dora, twitter: dora}
        """
    TAGS = """
        - {name: Ruby, slug: the-ruby-tag, description: 'Red.'}
        - {name: Unused, slug: unused}
        """

    async def test_describes_authors_and_tags(self, database: Database, tmp_path: Path) -> None:
        files = {"_data/authors.yml": self.AUTHORS, "_data/tags.yml": self.TAGS}
        posts = {
            name: article("A", f"author: {name}", "tags: ruby") for name in ("ADA", "ada lovelace", "dora maar", "Dora")
        }
        outcomes = await run_import(database, write(tmp_path, {**files, **{f"{n}.md": c for n, c in posts.items()}}))
        assert {outcome.status for outcome in outcomes} == {"created"}
        blog = await blog_of(database)
        assert blog["users"] == [
            ("ada", "Ada Lovelace", "Counts.", "https://example.com/a.png", UserRole.EDITOR, False),
            ("carl", "Carl", None, None, UserRole.READER, False),
            ("dora-maar", "Dora", None, None, UserRole.AUTHOR, False),
        ]
        assert blog["tags"] == [("the-ruby-tag", "Ruby", "Red."), ("unused", "Unused", None)]
        assert {post["author"] for post in blog["posts"]} == {"ada", "dora-maar"}

    async def test_makes_authors_of_other_programs_only_when_they_are_named(
        self, database: Database, tmp_path: Path
    ) -> None:
        await run_import(database, write(tmp_path, {"_data/authors.yml": "ada: {name: Ada}\nbela: Bela\n"}))
        assert await entities(database, User) == []

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("authors.yml", "a: [", "its YAML cannot be read: "),
            ("authors.yml", f"a: {{name: {'x' * 101}}}", "'a' is invalid: At most 100 characters."),
            ("authors.yml", "a: {avatar_url: 'javascript:1'}", "'a' is invalid: This is not an http"),
            ("authors.yml", 'a: {bio: "\\0"}', "'a' is invalid: It holds a character"),
            ("authors.yml", '"\\uD800": {role: author}', "is invalid: It holds a character"),
            ("authors.yml", "'a b': {role: admin}", "'a b' is invalid: A user name is made"),
            ("authors.yml", "deleted-1: {role: admin}", "'deleted-1' is invalid: A user name cannot begin"),
            ("tags.yml", b"\xff", "it is not UTF-8"),
            ("tags.yml", f"[{{name: {'x' * 101}}}]", "is invalid: At most 100 characters."),
            ("tags.yml", f"[{{name: x, description: {'x' * 2001}}}]", "'x' is invalid: At most 2000 characters."),
        ],
    )
    async def test_that_is_bad_loses_nothing_else(
        self, database: Database, tmp_path: Path, name: str, content: str | bytes, reason: str
    ) -> None:
        first, second = await run_import(database, write(tmp_path, {f"_data/{name}": content, "a.md": article()}))
        assert (first.path, first.status, first.is_bad) == (f"_data/{name}", "skipped", True)
        assert reason in first.reason
        assert lines([second]) == ["created a.md"]

    @pytest.mark.parametrize("content", ["", "- a\n- b\n", "a\n", "a: b\n", "- {slug: a}\n", "- [a]\n"])
    async def test_of_another_form_is_left_alone(self, database: Database, tmp_path: Path, content: str) -> None:
        write(tmp_path, {"_data/authors.yml": content, "_data/tags.yml": content, "a.md": article()})
        assert lines(await run_import(database, tmp_path)) == ["created a.md"]
        assert [user.username for user in await entities(database, User)] == ["editorial"]

    async def test_does_not_take_the_slug_of_another_tag(self, database: Database, tmp_path: Path) -> None:
        await save(database, [make_tag(name="Old", slug="new")])
        tags = "[{name: New, slug: new}, {name: Next, slug: next}]"
        await run_import(database, write(tmp_path, {"_data/tags.yml": tags, "a.md": article("A", "tags: [New]")}))
        names = {tag.slug: tag.name for tag in await entities(database, Tag)}
        assert names == {"new": "Old", "next": "Next", "new-2": "New"}


class TestRendering:
    async def test_happens_once_and_before_the_transaction(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events: list[str] = []
        transact, create = Database.transact, BlogWriter._create

        def note_rendering(*args: Any) -> RenderedContent:
            events.append("rendered")
            return render(*args)

        async def note_transaction(self: Database, *args: Any) -> Any:
            events.append("began")
            return await transact(self, *args)

        async def lose_once(self: BlogWriter, *args: Any) -> None:
            events.append("written")
            await create(self, *args)
            if events.count("written") == 1:
                raise StaleDataError

        monkeypatch.setattr(post_content, "render", note_rendering)
        monkeypatch.setattr(Database, "transact", note_transaction)
        monkeypatch.setattr(BlogWriter, "_create", lose_once)
        await run_import(database, write(tmp_path, {"a.md": article("A"), "b.md": article("B")}))
        assert events == ["rendered", "rendered", "began", "written", "written", "written"]


class TestDryRun:
    async def test_tells_what_would_be_done_and_does_nothing(self, database: Database, tmp_path: Path) -> None:
        await run_import(database, write(tmp_path, {"a.md": article("A", "tags: [a]"), "b.md": article("B")}))
        rows = await rows_of(database)
        files = {f"{n}.md": article("C", "author: new", "tags: [new]") for n in range(60)}
        write(tmp_path, {**files, "a.md": article("New", "author: new"), "bad.md": "---\n"})
        write(tmp_path, {"_data/authors.yml": "dora: {name: Dora, role: admin}", "_data/tags.yml": "[{name: More}]"})
        tried = await run_import(database, tmp_path, dry_run=True)
        assert await rows_of(database) == rows
        assert lines(await run_import(database, tmp_path)) == lines(tried)


class TestProgress:
    @pytest.mark.parametrize(("count", "steps"), [(0, [(0, 0)]), (50, [(50, 50)]), (51, [(50, 51), (51, 51)])])
    async def test_is_reported_after_each_transaction(
        self, database: Database, tmp_path: Path, count: int, steps: list[tuple[int, int]]
    ) -> None:
        reported: list[tuple[str, int, int]] = []
        write(tmp_path, {f"{n}.md": "---\n" for n in range(count)})
        await run_import(database, tmp_path, report=lambda *step: reported.append(step))
        assert reported == [("files", *step) for step in steps]


class TestClear:
    async def test_leaves_nothing(self, database: Database, tmp_path: Path) -> None:
        await run_import(database, write(tmp_path, {"a.md": article("A", "tags: [a]")}))
        await clear(database)
        assert not any((await rows_of(database)).values())
        assert await entities(database, Post) == []
