"""The servers that clients are pointed at, and the sessions that they have there."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from gqlapi.database.types import utc_now
from gqlapi.documents.administration import add_documents
from tests.api import Api, serve, settings_for
from tests.factories import make_post, make_tag, make_user, save
from tests.signing_in import PASSWORD, accounts_of, give_password

USERNAME = "ada"
TITLES = ["The newest", "The second", "The oldest"]
SIGN_IN = 'mutation { signIn(input: {login: "%s", password: "%s"}) { accessToken refreshToken } }'


class Servers(NamedTuple):
    """Two servers over one database: one runs every document, the other one trusted documents; the id of a post."""

    open: Api
    trusted: Api
    post: str

    async def place_of(self, client: str) -> dict[str, str]:
        """Return what a client has to know, with a session that no other client has."""
        data = await self.open.data(SIGN_IN % (USERNAME, PASSWORD))
        tokens = data["signIn"]
        access_tokens = accounts_of(self.open).access_tokens
        claims = access_tokens.read(tokens["accessToken"])
        return {
            "url": _url(self.open),
            "trusted": _url(self.trusted),
            "name": client,
            "accessToken": tokens["accessToken"],
            "expiredToken": access_tokens.issue(claims, utc_now() - timedelta(days=1))[0],
            "refreshToken": tokens["refreshToken"],
            "login": USERNAME,
            "password": PASSWORD,
            "post": self.post,
        }


def _url(api: Api) -> str:
    return str(api.http.base_url.join("/graphql"))


@asynccontextmanager
async def serve_clients(database_url: str, trusted: Mapping[str, str]) -> AsyncIterator[Servers]:
    """Serve some posts of one author for the length of the block."""
    anything = settings_for(database_url, max_batch_size=10, sign_in_limit="100/minute")
    async with serve(anything) as api:
        author = make_user(username=USERNAME)
        tag = make_tag(name="Tag")
        posts = [make_post(author, tag, title=title, markdown="*Text.*") for title in reversed(TITLES)]
        await save(api.database, [author, tag, *posts])
        await give_password(api, author)
        await api.database.transact(lambda session: add_documents(session, trusted, None))
        async with serve(settings_for(database_url, documents="trusted")) as other:
            yield Servers(api, other, posts[-1].global_id)
