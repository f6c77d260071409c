"""Exported and imported into an empty database, a blog is the same."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.accounts.registration import check_display_name
from gqlapi.database.types import to_milliseconds, utc_now
from gqlapi.database.unit import Database
from gqlapi.interchange.exporting import Unwritable, export_blog, file_name
from gqlapi.interchange.writing import Status
from gqlapi.lines import normalize_line
from gqlapi.models import PostState, Row, User, UserRole
from gqlapi.names import normalize_nickname
from gqlapi.publishing.checks import check_title
from gqlapi.repositories.interchange import read_posts
from gqlapi.repositories.search import SearchIndex
from gqlapi.words import fold, slug_of
from tests.examples import examples
from tests.factories import make_draft, make_post, make_tag, make_user, save
from tests.interchange.blog import blog_of, clear, run_import

NOW = utc_now()
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\x00")
NASTY = [
    *("null", "~", "yes", "1.10", "1:20", "2020-01-01", "---", "+++", "#", "- a", "a: b", "*a", "&a", "!!int 1"),
    *(
        '"',
        "'",
        "\\",
        "{{ x }}",
        "{% x %}",
        "\ufeff",
        "\u2028",
        "\x85",
        "a\x85b",
        "\r\n",
        "\ufffe",
        "e\u0301",
        "ﬁ",
        "🦊",
        "%",
    ),
]
WORDS = st.one_of(st.text(CHARACTERS, min_size=1), st.sampled_from(NASTY))
NAMES = st.lists(WORDS, min_size=1, max_size=4).map(lambda parts: " ".join(parts).strip()[:60].strip()).filter(bool)
TITLES = NAMES.map(normalize_line).filter(lambda title: not any(check_title(title, ())))
SHOWN = NAMES.filter(lambda name: not any(check_display_name(name, ()))).map(normalize_nickname)
MARKDOWN = st.lists(WORDS | st.sampled_from(["\n", "\r", "---\n", "\n\n", "# "]), max_size=8).map("".join)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)).map(to_milliseconds)  # noqa: DTZ001 - the bounds have none
SLUGS = st.text(CHARACTERS, min_size=1).map(lambda text: slug_of(text, 200)).filter(bool)
STATES = st.sampled_from([*PostState, "scheduled", "never published"])


@st.composite
def blogs(draw: st.DrawFn) -> list[Row]:
    """Draw users, tags and posts as the API can have made them."""
    roles = [UserRole.AUTHOR, UserRole.EDITOR, UserRole.ADMIN]
    shown = draw(st.lists(SHOWN, min_size=1, max_size=3))
    users = [
        make_user(
            username=f"user{number}",
            # A user may be shown by another one's user name.
            display_name=draw(st.sampled_from([name, "user0", "USER1"])),
            bio=draw(st.none() | MARKDOWN),
            avatar_url=draw(st.none() | st.just("https://example.com/ä?b=c#d")),
            role=draw(st.sampled_from(roles)),
        )
        for number, name in enumerate(shown)
    ]
    names = draw(st.lists(SHOWN, max_size=4, unique_by=fold))
    tags = [
        make_tag(name=name, slug=f"tag-{number}", description=draw(st.none() | MARKDOWN))
        for number, name in enumerate(names)
    ]
    slugs = draw(st.lists(SLUGS, max_size=3, unique=True))
    posts = [
        make_post(
            draw(st.sampled_from(users)),
            *draw(st.permutations(tags))[: draw(st.integers(0, 4))],
            slug=slug,
            title=draw(TITLES),
            markdown=draw(MARKDOWN),
            **draw(states()),
        )
        for slug in slugs
    ]
    return [*users, *tags, *posts]


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a state with the times that go with it."""
    created_at, published_at = draw(TIMES), draw(TIMES)
    match draw(STATES):
        case PostState.DRAFT:
            return {"created_at": created_at, "state": PostState.DRAFT, "published_at": None}
        case "scheduled":
            return {"created_at": created_at, "published_at": NOW + timedelta(days=400)}
        case "never published":
            return {"created_at": created_at, "state": PostState.ARCHIVED, "published_at": None}
        case PostState() as state:
            is_at_once = draw(st.booleans())
            return {
                "created_at": created_at,
                "state": state,
                "published_at": created_at if is_at_once else published_at,
            }
    raise AssertionError


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def check_round_trip(database: Database, rows: list[Row], unlisted: frozenset[UUID] = frozenset()) -> None:
    """Compare a blog with its copy; the search does not know the `unlisted`."""
    await clear(database)
    await save(database, rows)
    async with database.write() as session:
        await SearchIndex(session).remove(unlisted)
    blog = await blog_of(database)
    with TemporaryDirectory() as name:
        folder, again = Path(name, "one"), Path(name, "two")
        assert await export_blog(database, folder) == len(blog["posts"])
        assert {outcome.status for outcome in await run_import(database, folder)} <= {Status.UNCHANGED}
        await clear(database)
        outcomes = await run_import(database, folder)
        assert [outcome for outcome in outcomes if outcome.status != "created" or outcome.reason] == []
        assert await blog_of(database) == blog
        await export_blog(database, again)
        assert files_in(again) == files_in(folder)


class TestRoundTrip:
    # The database belongs to the test; each example clears it.
    @examples(8)
    @given(rows=blogs())
    async def test_keeps_any_blog(self, database: Database, rows: list[Row]) -> None:
        await check_round_trip(database, rows)

    async def test_keeps_a_post_whose_slug_looks_like_a_date(self, database: Database) -> None:
        ada = make_user(username="ada")
        post = make_post(ada, slug="2020-01-02-a", state=PostState.ARCHIVED, published_at=None)
        await check_round_trip(database, [ada, post])

    async def test_keeps_many_posts_and_those_who_wrote_none(self, database: Database) -> None:
        editor, writer = make_user(username="edith", role=UserRole.EDITOR), make_user(username="wes")
        tags = [make_tag() for _ in range(5)]
        posts = [make_post(writer, *tags[number % 5 :]) for number in range(205)]
        await check_round_trip(database, [editor, writer, *tags, *posts, *(make_draft(writer) for _ in range(3))])

    async def test_keeps_a_draft_whose_slug_is_too_long_for_a_file(self, database: Database) -> None:
        ada = make_user(username="ada")
        await check_round_trip(database, [ada, make_draft(ada, slug="0" * 200)])

    async def test_keeps_the_posts_of_a_deleted_author(self, database: Database) -> None:
        name = "deleted-0123"
        gone = make_user(username=name, display_name="Deleted user")
        gone.email = gone.email_key = None
        gone.role, gone.deleted_at = UserRole.READER, NOW
        await check_round_trip(database, [gone, make_post(gone)], frozenset({gone.id}))

    async def test_keeps_the_posts_of_an_author_who_became_a_reader(self, database: Database) -> None:
        reader = make_user(username="rea", role=UserRole.READER)
        await check_round_trip(database, [reader, make_post(reader)])

    async def test_keeps_markdown_to_the_letter(self, database: Database) -> None:
        texts = ("", "\n", "\r\n\r\nText\r\n", "---\na: b\n---\n", "  ", "Text", "\ufeffText", "\r", "\n\n---")
        ada = make_user(username="ada")
        await check_round_trip(database, [ada, *(make_post(ada, markdown=text) for text in texts)])


class TestExport:
    async def test_writes_files_that_generators_read(self, database: Database, tmp_path: Path) -> None:
        ada, when = (
            make_user(username="ada", display_name="Ada L", bio="Counts."),
            datetime(2021, 3, 4, 5, 6, 7, 891_000, UTC),
        )
        ruby = make_tag(name="Ruby", slug="ruby")
        public = make_post(ada, ruby, slug="a", title="A: b", markdown="Text\n", published_at=when, created_at=when)
        draft = make_draft(ada, slug="d", title="D", markdown="", created_at=when)
        await save(database, [ada, ruby, public, draft])
        await export_blog(database, tmp_path / "out")
        assert {name: content.decode() for name, content in files_in(tmp_path / "out").items()} == {
            "_posts/2021-03-04-a.md": "---\ntitle: 'A: b'\nslug: a\nauthor: ada\n"
            "date: '2021-03-04T05:06:07.891+00:00'\ntags:\n- Ruby\n---\n\nText\n",
            "_drafts/2021-03-04-d.md": "---\ntitle: D\nslug: d\nauthor: ada\n"
            "created: '2021-03-04T05:06:07.891+00:00'\ndraft: true\n---\n\n",
            "_data/authors.yml": "ada:\n  name: Ada L\n  bio: Counts.\n  avatar_url: null\n  role: author\n",
            "_data/tags.yml": "- name: Ruby\n  slug: ruby\n  description: null\n",
        }

    async def test_leaves_out_what_is_deleted_or_private(self, database: Database, tmp_path: Path) -> None:
        ada, reader = make_user(username="ada"), make_user(username="reader", role=UserRole.READER)
        await save(database, [ada, reader, make_post(ada, slug="gone", deleted_at=NOW)])
        assert await export_blog(database, tmp_path / "out") == 0
        files = files_in(tmp_path / "out")
        assert sorted(files) == ["_data/authors.yml", "_data/tags.yml"]
        assert not any(word in b"".join(files.values()) for word in (b"@", b"reader", b"gone"))

    async def test_reads_one_snapshot(self, database: Database, tmp_path: Path) -> None:
        ada = make_user(username="ada")
        await save(database, [ada, *(make_post(ada) for _ in range(250))])
        unit = database.read()
        posts = read_posts(unit)
        first = await anext(posts)
        await save(database, [make_post(ada)])
        rest = [post async for post in posts]
        await unit.close()
        assert (first.author.username, len(rest)) == ("ada", 249)

    async def test_says_which_file_cannot_be_written(self, database: Database, tmp_path: Path) -> None:
        (tmp_path / "_data").write_text("in the way")
        with pytest.raises(Unwritable, match=r"authors.yml cannot be written: "):
            await export_blog(database, tmp_path)


class TestFileName:
    @pytest.mark.parametrize("slug", ["日本語" * 60, "../../etc/passwd", "a/b", "."])
    def test_is_safe_and_the_post_s_own(self, slug: str, tmp_path: Path) -> None:
        ada = User()
        names = {file_name(make_post(ada, slug=f"{slug}{number}")) for number in range(50)}
        assert len(names) == 50
        for name in names:
            (tmp_path / name).touch()
        assert {path.name for path in tmp_path.iterdir()} == names

    @given(slug=SLUGS)
    def test_is_one_name_of_at_most_255_bytes(self, slug: str) -> None:
        name = file_name(make_post(User(), slug=slug))
        assert (os.path.basename(name), len(os.fsencode(name)) < 256) == (name, True)  # noqa: PTH119 - what is tested
