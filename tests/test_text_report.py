"""`gqlapi check-texts` and what `gqlapi doctor` reports about stored texts: rows from before today's rules."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from gqlapi.database.search import DOCUMENTS
from gqlapi.doctor import Finding, Severity
from gqlapi.doctor.database import examine_database
from gqlapi.models import User, UserRole
from gqlapi.repositories.search import SearchIndex
from gqlapi.text_report import report_texts
from tests.api import Api, settings_for
from tests.factories import LONG_AGO, make_post, make_tag, make_user, save
from tests.processes import Folder


async def lines(api: Api) -> list[str]:
    return [f"{found.typename} {found.field} {found.reason}" async for found in report_texts(api.database)]


class TestReportTexts:
    async def test_finds_nothing_in_what_was_written_today(self, api: Api) -> None:
        ada, tag = make_user(avatar_url="https://example.com/\u00e4.png"), make_tag(name="Web")
        await save(api.database, [ada, tag, make_post(ada, tag, title="I ❤️ Python")])
        assert await lines(api) == []

    async def test_tells_what_could_not_be_written_today(self, api: Api) -> None:
        users = [
            make_user(username="ada"),
            make_user(username="\u0430da", username_skeleton=None),
            make_user(username="bob\ufe0f", username_key="bob\ufe0f", display_name="a\nb"),
            make_user(username="deleted-1", username_skeleton=None, deleted_at=LONG_AGO),
            make_user(username="eve", avatar_url="http://u:p@x.test/"),
            make_user(username="fay", display_name_key=""),
        ]
        tag = make_tag(name="\ufe0f", name_key="\ufe0f", slug="\ufe0f")
        post = make_post(users[0], title="\u200b", title_key="\u200b", slug="\ufe0f-note")
        await save(api.database, [*users, tag, post])
        remove = "It must be one line without invisible characters: remove"
        assert await lines(api) == [
            "User username Another user has a name that looks the same.",
            "User username A user name is made of letters and digits, with `_`, `-` and `.` between.",
            f"User displayName {remove} U+000A.",
            "User username Another row has its key, so it is not found by this text.",
            "User avatarUrl This is not an http or https URL without credentials, quotes, spaces and angle brackets.",
            "User displayName It is ordered by an earlier name: write it again.",
            f"Tag name {remove} U+FE0F (VARIATION SELECTOR-16).",
            "Tag name Another row has its key, so it is not found by this text.",
            "Tag slug A slug is made of letters and digits with single hyphens between.",
            f"Post title {remove} U+200B (ZERO WIDTH SPACE).",
            "Post slug A slug is made of letters and digits with single hyphens between.",
        ]

    async def test_changes_nothing(self, api: Api) -> None:
        await save(api.database, [make_user(username="ada"), make_user(username="\u0430da", username_skeleton=None)])
        assert len(await lines(api)) == 1
        assert len(await lines(api)) == 1

    async def test_finds_posts_by_slugs_of_before(self, api: Api) -> None:
        ada = make_user()
        await save(api.database, [ada, make_post(ada, slug="\ufe0f-note"), make_post(ada, slug="i\u0307stanbul")])
        for slug in ("\ufe0f-note", "i\u0307stanbul"):
            query = "query($slug: String!) { post(by: {slug: $slug}) { slug } }"
            assert (await api.data(query, {"slug": slug}))["post"] == {"slug": slug}


class TestCommand:
    def test_lists_each_text_on_a_line_that_any_terminal_shows(self, folder: Folder) -> None:
        assert folder.run("migrate").returncode == 0
        result = folder.run("check-texts")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "All texts could be written today.\n")
        engine = sa.create_engine(f"sqlite:///{Path(folder.path, 'gqlapi.db')}")
        with engine.begin() as connection:
            user = {
                "id": make_user().id,
                "version": 1,
                "role": UserRole.READER,
                "username": "\u0430da",
                "username_key": "x",
                "display_name_key": "a\x1b[31mb",
            }
            connection.execute(sa.insert(User).values(**user, display_name="a\x1b[31mb"))
        engine.dispose()
        result = folder.run("check-texts")
        assert (result.returncode, result.stderr) == (1, "3 texts could not be written today.\n")
        assert result.stdout.isascii()
        assert result.stdout.count("\n") == 3
        assert r"displayName 'a\x1b[31mb': " in result.stdout


async def doctor(url: str) -> dict[str, Finding]:
    return {finding.code: finding for finding in await examine_database(settings_for(url))}


class TestDoctor:
    async def test_finds_what_is_not_in_the_index(self, api: Api, database_url: str) -> None:
        ada, tag = make_user(), make_tag()
        await save(api.database, [ada, tag, *(make_post(ada, tag) for _ in range(3))])
        assert (await doctor(database_url))["D121"].severity is Severity.OK
        async with api.database.write() as session:
            ids = [*(await session.scalars(sa.select(DOCUMENTS.c.node_id).where(DOCUMENTS.c.kind != "tag")))]
            await SearchIndex(session).remove(ids)
            await session.execute(sa.text("DELETE FROM post_tags"))
            await session.execute(sa.text("DELETE FROM tags"))
        finding = (await doctor(database_url))["D121"]
        assert finding.severity is Severity.WARNING
        assert finding.found == "3 posts, 1 user cannot be found; 1 document without a row."
        assert finding.fix == "Run `gqlapi search reindex`."

    async def test_counts_names_that_look_the_same(self, api: Api, database_url: str) -> None:
        await save(api.database, [make_user(username="ada"), make_user(username="\u0430da", username_skeleton=None)])
        finding = (await doctor(database_url))["D122"]
        assert (finding.severity, finding.found[:6]) == (Severity.WARNING, "1 user")


@pytest.mark.parametrize("code", ["D121", "D122"])
async def test_a_migrated_database_is_fine(database_url: str, code: str) -> None:
    assert (await doctor(database_url))[code].severity is Severity.OK
