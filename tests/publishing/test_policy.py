"""The table of who may do what, against what the mutations do."""

from typing import Any

import pytest

from gqlapi.accounts.policy import POLICY, Action
from gqlapi.models import ApiScope, UserRole
from tests.api import Api
from tests.factories import make_post, make_tag, make_user, save
from tests.publishing.test_posts import codes
from tests.signing_in import PASSWORD, give_password, sign_in_as, with_api_token

POST_CHANGES = ("updatePost", "publishPost", "unpublishPost", "archivePost", "deletePost")
# For each mutation its action; `own` says whether the table distinguishes what is the viewer's own.
BULK_CHANGES = ("updatePosts", "publishPosts", "deletePosts", "addTags", "removeTags")
MUTATIONS = {
    "createPost": Action.CREATE_POST,
    **dict.fromkeys([*POST_CHANGES, *BULK_CHANGES], Action.CHANGE_POST),
    "upsertTag": Action.CHANGE_TAG,
    "deleteTag": Action.CHANGE_TAG,
    "mergeTags": Action.CHANGE_TAG,
    "updateUser": Action.CHANGE_USER,
    "deleteUser": Action.CHANGE_USER,
    "setUserRole": Action.SET_ROLE,
}


class Scene:
    """A viewer, somebody else, and something of each."""

    def __init__(self, role: UserRole) -> None:
        self.viewer, self.other = make_user(role=role), make_user()
        self.other_admin = make_user(role=UserRole.ADMIN)
        self.posts = {True: make_post(self.viewer), False: make_post(self.other)}
        self.tags = [make_tag(), make_tag()]

    @property
    def rows(self) -> list[Any]:
        return [self.viewer, self.other, self.other_admin, *self.posts.values(), *self.tags]

    def input(self, mutation: str, *, own: bool) -> dict[str, Any]:
        user, post = {"id": (self.viewer if own else self.other).global_id}, {"id": self.posts[own].global_id}
        given: dict[str, dict[str, Any]] = {
            "createPost": {"title": "x", "markdown": "x"},
            "upsertTag": {"slug": "x", "name": "x"},
            "deleteTag": {"id": self.tags[0].global_id},
            "mergeTags": {"from": [self.tags[0].global_id], "into": self.tags[1].global_id},
            "updateUser": {**user, "patch": {}},
            "deleteUser": {**user, "currentPassword": PASSWORD},
            "setUserRole": {**user, "role": "READER"},
            "updatePost": {**post, "patch": {}},
            "updatePosts": {"posts": [{**post, "patch": {}}]},
            "publishPosts": {"posts": [post]},
            "deletePosts": {"posts": [post]},
            "addTags": {"posts": [post], "tags": [{"name": "new"}]},
            "removeTags": {"posts": [post], "tags": [{"name": "new"}]},
        }
        return given.get(mutation, post)


def allowed(mutation: str, role: UserRole, *, own: bool) -> bool:
    rule = POLICY[MUTATIONS[mutation]]
    return role in rule.any or ((own or mutation == "createPost") and role in rule.own)


@pytest.mark.parametrize("own", [True, False], ids=["own", "others"])
@pytest.mark.parametrize("role", UserRole)
async def test_a_role_does_what_the_table_says(api: Api, role: UserRole, own: bool) -> None:  # noqa: FBT001
    for mutation in MUTATIONS:
        scene = Scene(role)
        await save(api.database, scene.rows)
        await give_password(api, scene.viewer)
        payload = await (await sign_in_as(api, scene.viewer)).payload(mutation, scene.input(mutation, own=own))
        # Of several posts, each may be refused.
        is_one_of_many = mutation in BULK_CHANGES and allowed(mutation, role, own=True)
        path = "posts/0" if is_one_of_many else ""
        expected = [] if allowed(mutation, role, own=own) else [("FORBIDDEN", path)]
        assert (mutation, codes(payload)) == (mutation, expected)


CAN = "query($ids: [ID!]!) { viewerCanCreatePost nodes(ids: $ids) { ... on Post { viewerCanPublish } } }"


async def can(client: Api, scene: Scene) -> tuple[bool, list[bool]]:
    """Return what the API says: whether posts can be created, and the viewer's and another one published."""
    data = await client.data(CAN, {"ids": [scene.posts[own].global_id for own in (True, False)]})
    return data["viewerCanCreatePost"], [post["viewerCanPublish"] for post in data["nodes"]]


@pytest.mark.parametrize("role", UserRole)
async def test_a_viewer_can_do_what_the_table_says(api: Api, role: UserRole) -> None:
    scene = Scene(role)
    await save(api.database, scene.rows)
    publishes = [allowed("publishPost", role, own=own) for own in (True, False)]
    expected = allowed("createPost", role, own=True), publishes
    assert await can(await sign_in_as(api, scene.viewer), scene) == expected
    for scope in ApiScope:
        writes = scope is ApiScope.WRITE_POSTS
        limited = expected if writes else (False, [False, False])
        assert await can(await with_api_token(api, scene.viewer, scope), scene) == limited
    assert await can(api, scene) == (False, [False, False])


async def test_nobody_does_anything(api: Api) -> None:
    scene = Scene(UserRole.ADMIN)
    await save(api.database, scene.rows)
    for mutation in MUTATIONS:
        payload = await api.payload(mutation, scene.input(mutation, own=True))
        assert (mutation, codes(payload)) == (mutation, [("UNAUTHENTICATED", "")])


@pytest.mark.parametrize("scope", ApiScope)
async def test_a_token_does_what_its_scope_says(api: Api, scope: ApiScope) -> None:
    for mutation, action in MUTATIONS.items():
        scene = Scene(UserRole.ADMIN)
        await save(api.database, scene.rows)
        client = await with_api_token(api, scene.viewer, scope)
        payload = await client.payload(mutation, scene.input(mutation, own=False))
        needed = POLICY[action].scope
        found = [(error["code"], error["requiredScope"]) for error in payload["errors"]]
        expected = [] if needed is scope else [("FORBIDDEN", needed.name if needed else None)]
        assert (mutation, found) == (mutation, expected)


async def test_naming_a_new_tag_takes_no_more_than_writing_a_post(api: Api) -> None:
    scene = Scene(UserRole.AUTHOR)
    await save(api.database, scene.rows)
    client = await with_api_token(api, scene.viewer, ApiScope.WRITE_POSTS)
    payload = await client.payload("createPost", {"title": "x", "markdown": "", "tags": [{"name": "new"}]})
    assert payload["errors"] == []
