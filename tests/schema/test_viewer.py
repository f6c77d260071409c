"""What a viewer reads about themselves."""

from typing import Any

from gqlapi.context import Context
from gqlapi.models import ANONYMOUS, User, UserRole, Viewer
from gqlapi.schema import Limits, Schema
from tests.api import Api
from tests.factories import LONG_AGO, make_post, make_user, save

VIEWER = """
{
  viewer { username email viewerCanUpdate viewerCanDelete }
  others: users(filter: { username: { ne: "ada" } }) { nodes { email viewerCanUpdate } }
  posts { nodes { viewerCanUpdate viewerCanDelete author { username } } }
}
"""


async def ask(api: Api, viewer: Viewer) -> Any:
    result = await Schema(Limits()).execute(VIEWER, context_value=Context(api.database, viewer=viewer))
    assert result.errors is None
    return result.data


async def make_users(api: Api) -> tuple[User, User]:
    ada, bela = make_user(username="ada"), make_user(username="bela")
    await save(api.database, [ada, bela, make_post(ada), make_post(bela)])
    return ada, bela


class TestViewer:
    async def test_is_nobody_without_signing_in(self, api: Api) -> None:
        await make_users(api)

        data = await ask(api, ANONYMOUS)

        assert data["viewer"] is None
        assert data["others"] == {"nodes": [{"email": None, "viewerCanUpdate": False}]}
        assert {node["viewerCanUpdate"] or node["viewerCanDelete"] for node in data["posts"]["nodes"]} == {False}

    async def test_of_an_author_changes_their_own(self, api: Api) -> None:
        ada, _ = await make_users(api)

        data = await ask(api, Viewer(ada.id, UserRole.AUTHOR))

        assert data["viewer"] == {
            "username": "ada", "email": "ada@example.com", "viewerCanUpdate": True, "viewerCanDelete": True
        }  # fmt: skip
        assert data["others"] == {"nodes": [{"email": None, "viewerCanUpdate": False}]}
        for node in data["posts"]["nodes"]:
            assert node["viewerCanUpdate"] is node["viewerCanDelete"] is (node["author"]["username"] == "ada")

    async def test_of_an_admin_changes_all(self, api: Api) -> None:
        ada, _ = await make_users(api)

        data = await ask(api, Viewer(ada.id, UserRole.ADMIN))

        assert data["others"] == {"nodes": [{"email": "bela@example.com", "viewerCanUpdate": True}]}
        assert all(node["viewerCanDelete"] for node in data["posts"]["nodes"])

    async def test_who_was_deleted_is_nobody(self, api: Api) -> None:
        ada = make_user(username="ada", deleted_at=LONG_AGO)
        await save(api.database, [ada])

        assert (await ask(api, Viewer(ada.id, UserRole.AUTHOR)))["viewer"] is None
