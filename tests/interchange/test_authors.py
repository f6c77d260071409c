"""Whose posts an import makes of those that name an author."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from gqlapi.database.unit import Database
from gqlapi.models import User, UserCredential, UserRole
from tests.consistency import count
from tests.factories import make_post, make_user, save
from tests.interchange.blog import article, entities, lines, posts_of, rows_of, run_import, write

MARCH = datetime(2021, 3, 4, tzinfo=UTC)


class TestAuthors:
    async def test_are_found_without_regard_to_case(self, database: Database, tmp_path: Path) -> None:
        await save(database, [make_user(username="Ada"), make_user(username="bela", display_name="Béla Bartók")])
        names = ("ADA", "ada", "BELA", "BÉLA bartók", "be\u0301la Bartók", "New One", "new one", "new-one")
        write(tmp_path, {f"{n}.md": article("A", f"author: {name}") for n, name in enumerate(names)})
        await run_import(database, tmp_path)
        posts = await posts_of(database)
        assert [posts[str(n)].author.username for n in range(8)] == ["Ada"] * 2 + ["bela"] * 3 + ["new-one"] * 3

    async def test_are_created_without_a_way_to_sign_in(self, database: Database, tmp_path: Path) -> None:
        await run_import(database, write(tmp_path, {"a.md": article("A", "author: Jörg  Ö.")}))
        [user] = await entities(database, User)
        assert (user.username, user.display_name, user.role, user.email) == (
            "jörg-ö",
            "Jörg Ö.",
            UserRole.AUTHOR,
            None,
        )
        assert await count(database, UserCredential) == 0

    @pytest.mark.parametrize("name", ["🦊🦊", "...", "deleted-1", "-"])
    async def test_whose_names_cannot_be_user_names_get_one(
        self, database: Database, tmp_path: Path, name: str
    ) -> None:
        content = article("A", f"author: '{name}'")
        for outcome in ("created", "unchanged"):
            assert lines(await run_import(database, write(tmp_path, {"a.md": content}))) == [f"{outcome} a.md"]
        [user] = await entities(database, User)
        assert user.username.startswith("author-")
        assert user.display_name == name

    async def test_are_not_readers_who_call_themselves_so(self, database: Database, tmp_path: Path) -> None:
        await save(database, [make_user(username="mallory", display_name="Ada L", role=UserRole.READER)])
        await run_import(database, write(tmp_path, {"a.md": article("A", "author: Ada L")}))
        assert (await posts_of(database))["a"].author.username == "ada-l"

    async def test_of_one_display_name_are_the_oldest(self, database: Database, tmp_path: Path) -> None:
        old = make_user(username="old", display_name="Ada L", created_at=MARCH)
        await save(database, [make_user(username="new", display_name="Ada L"), old])
        await run_import(database, write(tmp_path, {"a.md": article("A", "author: Ada L")}))
        assert (await posts_of(database))["a"].author.username == "old"

    async def test_are_never_changed(self, database: Database, tmp_path: Path) -> None:
        ada = make_user(username="ada", bio="Mine")
        await save(database, [ada])
        data = "ada: {name: Other, bio: Other, role: admin}"
        await run_import(database, write(tmp_path, {"a.md": article("A", "author: ada"), "_data/authors.yml": data}))
        [user] = await entities(database, User)
        assert (user.display_name, user.bio, user.role, user.version) == ("Ada", "Mine", UserRole.AUTHOR, 1)


class TestReaders:
    @pytest.mark.parametrize(
        ("username", "line"),
        [("Rea", "author: rea"), ("rea-y", "author: Rea Y"), ("editorial", ""), ("rea-y", "author: REA-Y")],
    )
    async def test_are_given_no_posts(self, database: Database, tmp_path: Path, username: str, line: str) -> None:
        reader, ada = make_user(username=username, role=UserRole.READER), make_user(username="ada")
        await save(database, [reader, ada, make_post(ada, slug="old")])
        rows = await rows_of(database)
        write(
            tmp_path, {"new.md": article("A", line, "tags: [new]"), "old.md": article("A", line or "author: editorial")}
        )
        outcomes = await run_import(database, tmp_path)
        reason = f"its author {username} is a reader: make them an author, or name another one"
        assert lines(outcomes) == [f"skipped new.md: {reason}", f"skipped old.md: {reason}"]
        assert [outcome.is_bad for outcome in outcomes] == [True, True]
        assert await rows_of(database) == rows

    async def test_are_given_them_as_soon_as_they_are_authors(self, database: Database, tmp_path: Path) -> None:
        reader = make_user(username="rea-y", role=UserRole.READER)
        await save(database, [reader])
        write(tmp_path, {"a.md": article("A", "author: Rea Y")})
        for role, status in (
            (UserRole.READER, "skipped"),
            (UserRole.AUTHOR, "created"),
            (UserRole.READER, "unchanged"),
        ):
            async with database.write() as session:
                await session.execute(sa.update(User).values(role=role))
            assert [outcome.status for outcome in await run_import(database, tmp_path)] == [status]

    async def test_do_not_stand_in_the_way_of_an_author_shown_by_the_name(
        self, database: Database, tmp_path: Path
    ) -> None:
        await save(
            database,
            [make_user(username="ada", role=UserRole.READER), make_user(username="lovelace", display_name="Ada")],
        )
        for status in ("created", "unchanged"):
            outcomes = await run_import(database, write(tmp_path, {"a.md": article("A", "author: ada")}))
            assert lines(outcomes) == [f"{status} a.md"]
        assert (await posts_of(database))["a"].author.username == "lovelace"
