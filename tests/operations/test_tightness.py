"""The cost of real operations is close to what they return where all their pages are full.

The operations are those of `examples/` and of the benchmark. Their lists are as long as they may be, with 20 tags a
post.
"""

import json
import statistics
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.documents import GQLAPI
from benchmarks.workloads import WORKLOADS
from gqlapi.accounts.demo import DEMO_PASSWORD
from gqlapi.models import Post, Tag, User
from tests.api import Api, serve, settings_for
from tests.architecture import ROOT
from tests.counting import count_values
from tests.factories import LONG_AGO, make_post, make_tag, make_user, save
from tests.signing_in import give_password, sign_in_as

DOCUMENTS = {path.stem: path.read_text() for path in (ROOT / "examples").glob("*.graphql")}
EXAMPLES = {name: text for name, text in DOCUMENTS.items() if "\nsubscription " not in text}
VARIABLES = {path.stem: json.loads(path.read_text()) for path in (ROOT / "examples").glob("*.json")}
MAX_MEDIAN = 2
WITHOUT_PAGES = {name for name, text in EXAMPLES.items() if "\nmutation " in text} | {"W6", "16_viewer_posts"}
TAGS_OF_POST = 20


def make_world() -> tuple[list[User], list[Tag], list[Post]]:
    """Make rows for full pages: five pages of 100 posts, 50 users of ten posts, twelve months."""
    users = [make_user(bio="Writes.", username="author" if number == 0 else f"user-{number}") for number in range(50)]
    tags = [make_tag(name="caching"), *(make_tag() for _ in range(99))]
    posts = [
        make_post(
            users[number % 50],
            *(tags[(number + step) % 100] for step in range(TAGS_OF_POST)),
            title=f"What we measured of caching, {number}",
            published_at=LONG_AGO + timedelta(days=365 * 5 + number),
        )
        for number in range(500)
    ]
    return users, tags, posts


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Api]:
    """A server with full pages, and a client that is signed in."""
    async with serve(settings_for(sqlite_url)) as server:
        users, tags, posts = make_world()
        await save(server.database, [*users, *tags, *posts])
        await give_password(server, users[0], password=DEMO_PASSWORD)
        yield await sign_in_as(server, users[0])


async def operations(api: Api) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the operations with their variables, by name."""
    found = await api.data("{ posts(first: 1) { nodes { id slug } } w: posts(first: 100) { pageInfo { endCursor } } }")
    [post] = found["posts"]["nodes"]
    variables: dict[str, dict[str, Any]] = {
        **VARIABLES,
        "02_post": {"slug": post["slug"]},
        "06_node": {"id": post["id"]},
        "W1": {"id": post["id"]},
        "W4": {f"after{number}": found["w"]["pageInfo"]["endCursor"] for number in range(1, 5)},
        "W6": {"input": {"title": "Bench post", "markdown": "Bench body " * 10}},
    }
    documents = {**EXAMPLES, **{name: text.replace("@@N@@", "1") for name, text in GQLAPI.items()}}
    del documents["GROWTH"]
    documents |= {name: GQLAPI["GROWTH"] for name in WORKLOADS if name.startswith("N")}
    variables |= {name: {"n": int(name[1:])} for name in documents if name.startswith("N")}
    return {name: (text, variables.get(name, {})) for name, text in documents.items()}


async def test_the_cost_is_never_below_the_values_and_in_the_median_at_most_twice_their_number(api: Api) -> None:
    ratios: dict[str, float] = {}
    for name, (document, variables) in (await operations(api)).items():
        result = await api.execute(document, variables)
        assert "errors" not in result, (name, result["errors"])
        ratios[name] = result["extensions"]["cost"]["requested"] / (count_values(result["data"]) - 1)
    assert min(ratios.values()) >= 1, ratios
    assert len(ratios) == len(EXAMPLES) + len(GQLAPI) + 3
    # Writing costs more than what it returns, and the viewer has no drafts and no trash.
    pages = [ratio for name, ratio in ratios.items() if name not in WITHOUT_PAGES]
    assert statistics.median(pages) <= MAX_MEDIAN, ratios
