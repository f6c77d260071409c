"""`@atomic`: all root fields of a mutation are written, or none."""

import asyncio
from collections.abc import Callable
from itertools import count as count_up
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm.exc import StaleDataError

from gqlapi.execution.declarations import rules_of
from gqlapi.models import Base, Post, User, UserRole
from gqlapi.repositories.post_writes import PostWriteRepository
from gqlapi.schema import Limits, Schema
from tests.api import Api, gets_everything_back, serve, settings_for
from tests.consistency import assert_consistent, count
from tests.factories import make_post, make_user, save
from tests.publishing.test_idempotency import CASES, World
from tests.signing_in import PASSWORD, sign_in_as

ERRORS = "errors { __typename code path message ... on RolledBackError { failedField } }"
# An input for each mutation that can be part of an atomic operation.
PARTS: dict[str, Callable[[World], dict[str, Any]]] = {
    **{name: make_input for name, (make_input, _) in CASES.items() if name != "deleteUser"},
    "createUser": lambda _: {"username": "new", "email": "new@example.com", "password": PASSWORD},
    "createApiToken": lambda _: {"name": "new", "scopes": ["READ"]},
    "revokeApiToken": lambda _: {},
}
FIRST_POST = f"""
mutation($user: CreateUserInput!, $post: CreatePostInput!) @atomic {{
  createUser(input: $user) {{ user {{ username role postCount }} {ERRORS} }}
  createPost(input: $post) {{ post {{ slug author {{ username }} }} {ERRORS} }}
}}
"""


def bela(**post: Any) -> dict[str, Any]:
    """Return the variables of a user with a first post."""
    user = {"username": "bela", "email": "bela@example.com", "password": PASSWORD, "role": "AUTHOR"}
    first = {"title": "My first post", "markdown": "", "publish": True, "author": {"username": "Bela"}}
    return {"user": user, "post": {**first, **post}}


def codes(payload: Any) -> list[str]:
    return [error["code"] for error in payload["errors"]]


@pytest.fixture
async def admin(api: Api) -> User:
    admin = make_user(role=UserRole.ADMIN)
    await save(api.database, [admin])
    return admin


@pytest.fixture
async def client(api: Api, admin: User) -> Api:
    return await sign_in_as(api, admin)


async def counts(api: Api) -> tuple[int, int]:
    """Return how many users there are, without the admin, and how many posts."""
    await assert_consistent(api.database)
    return await count(api.database, User) - 1, await count(api.database, Post)


class TestAUserWithAFirstPost:
    async def test_is_created(self, api: Api, client: Api) -> None:
        data = await client.data(FIRST_POST, bela())
        assert data == {
            "createUser": {"user": {"username": "bela", "role": "AUTHOR", "postCount": 1}, "errors": []},
            "createPost": {"post": {"slug": "my-first-post", "author": {"username": "bela"}}, "errors": []},
        }
        assert await counts(api) == (1, 1)

    @pytest.mark.parametrize(
        ("post", "code"),
        [
            ({"title": ""}, "REQUIRED"),
            ({"slug": "taken"}, "NOT_UNIQUE"),
            ({"author": {"username": "nobody"}}, "NOT_FOUND"),
            ({"tags": [{"slug": "missing"}]}, "NOT_FOUND"),
        ],
    )
    async def test_is_not_created_by_half(self, api: Api, client: Api, admin: User, post: Any, code: str) -> None:
        """A post is refused before the transaction, or in it, after the user was inserted."""
        await save(api.database, [make_post(admin, slug="taken")])
        data = await client.data(FIRST_POST, bela(**post))
        assert codes(data["createPost"]) == [code]
        [error] = data["createUser"]["errors"]
        assert (error["__typename"], error["code"], error["failedField"], data["createUser"]["user"]) == (
            "RolledBackError", "ROLLED_BACK", "createPost", None,
        )  # fmt: skip
        assert await counts(api) == (0, 1)
        assert codes((await client.data(FIRST_POST, bela()))["createPost"]) == []
        assert await gets_everything_back(api.database)

    async def test_needs_the_user(self, api: Api, client: Api) -> None:
        variables = bela()
        await save(api.database, [make_user(username="bela", role=UserRole.AUTHOR)])
        data = await client.data(FIRST_POST, variables)
        assert (codes(data["createUser"]), codes(data["createPost"])) == (["NOT_UNIQUE"] * 2, ["ROLLED_BACK"])
        assert data["createPost"]["errors"][0]["failedField"] == "createUser"
        assert await counts(api) == (1, 0)

    async def test_of_two_at_once_is_created_once_and_whole(self, api: Api, client: Api) -> None:
        """The second has another address, and a post that could be written."""
        variables = [bela(slug=f"post-{number}") for number in range(4)]
        answers = await asyncio.gather(*(client.data(FIRST_POST, given) for given in variables))
        won = [answer for answer in answers if not answer["createUser"]["errors"]]
        assert [codes(answer["createPost"]) for answer in answers if answer not in won] == [["ROLLED_BACK"]] * 3
        assert [codes(answer["createPost"]) for answer in won] == [[]]
        assert await counts(api) == (1, 1)

    async def test_of_two_at_once_that_share_a_slug_leaves_no_half(self, api: Api, client: Api) -> None:
        other = bela(slug="same", author={"username": "carla"})
        other["user"] = {**other["user"], "username": "carla", "email": "carla@example.com"}
        answers = await asyncio.gather(*(client.data(FIRST_POST, given) for given in (bela(slug="same"), other)))
        found = sorted((codes(answer["createUser"]), codes(answer["createPost"])) for answer in answers)
        assert found == [([], []), (["ROLLED_BACK"], ["NOT_UNIQUE"])]
        assert await counts(api) == (1, 1)

    async def test_is_written_once_when_the_transaction_is_run_again(
        self, api: Api, client: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create, attempts = PostWriteRepository.create, []

        async def lose_first(repository: PostWriteRepository, posts: Any) -> Any:
            attempts.append(posts)
            if len(attempts) == 1:
                raise StaleDataError
            return await create(repository, posts)

        monkeypatch.setattr(PostWriteRepository, "create", lose_first)
        data = await client.data(FIRST_POST, bela())
        assert (codes(data["createUser"]), codes(data["createPost"]), len(attempts)) == ([], [], 2)
        assert await counts(api) == (1, 1)

    async def test_is_finished_though_its_caller_goes_away(
        self, api: Api, client: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create, has_begun, may_end = PostWriteRepository.create, asyncio.Event(), asyncio.Event()

        async def wait(repository: PostWriteRepository, posts: Any) -> Any:
            has_begun.set()
            await may_end.wait()
            return await create(repository, posts)

        monkeypatch.setattr(PostWriteRepository, "create", wait)
        sending = asyncio.create_task(client.post(FIRST_POST, bela()))
        await has_begun.wait()
        sending.cancel()
        await asyncio.wait([sending])
        may_end.set()
        assert await gets_everything_back(api.database)
        assert await counts(api) == (1, 1)

    async def test_is_for_admins_only(self, api: Api, client: Api) -> None:
        editor = make_user(role=UserRole.EDITOR)
        await save(api.database, [editor])
        data = await (await sign_in_as(api, editor)).data(FIRST_POST, bela())
        assert (codes(data["createUser"]), codes(data["createPost"])) == (["FORBIDDEN"], ["ROLLED_BACK"])


class TestAnAuthor:
    @pytest.mark.parametrize(
        ("role", "of", "found"),
        [
            (UserRole.EDITOR, "author", []),
            (UserRole.EDITOR, "reader", ["INVALID"]),
            (UserRole.AUTHOR, "author", ["FORBIDDEN"]),
            (UserRole.AUTHOR, "themselves", []),
            (UserRole.AUTHOR, "themselves by name", []),
            (UserRole.AUTHOR, "nobody", ["FORBIDDEN"]),
        ],
    )
    async def test_may_be_another_user_for_editors(self, api: Api, role: UserRole, of: str, found: list[str]) -> None:
        writer, author = make_user(role=role), make_user(username="author")
        await save(api.database, [writer, author, make_user(username="reader", role=UserRole.READER)])
        own = {"themselves": {"id": writer.global_id}, "themselves by name": {"username": writer.username}}
        named = own.get(of, {"username": of})
        given = {"title": "x", "markdown": "", "author": named}
        payload = await (await sign_in_as(api, writer)).payload("createPost", given, "post { author { username } }")
        assert codes(payload) == found
        if not found:
            expected = writer.username if of in own else of
            assert payload["post"]["author"]["username"] == expected


def test_every_mutation_takes_part_or_runs_alone() -> None:
    mutations = Schema(Limits())._schema.mutation_type
    assert mutations is not None
    alone = {name for name, field in mutations.fields.items() if rules_of(field).runs_alone}
    assert {*PARTS} == mutations.fields.keys() - alone


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
class TestEveryMutation:
    @pytest.fixture
    async def world(self, api: Api) -> World:
        world = World()
        await save(api.database, world.rows)
        return world

    @pytest.mark.parametrize("name", PARTS)
    async def test_is_rolled_back_with_the_others(self, api: Api, world: World, name: str) -> None:
        client = await sign_in_as(api, world.admin)
        given = PARTS[name](world)
        if name == "restorePost":
            await client.payload("deletePost", {"id": given["id"]})
        if name == "revokeApiToken":
            token = {"name": "test", "scopes": ["READ"]}
            given = (await client.payload("createApiToken", token, "apiToken { id }"))["apiToken"]
        query = f"""mutation($input: {name[0].upper()}{name[1:]}Input!, $tag: UpsertTagInput!) @atomic {{
          {name}(input: $input) {{ {ERRORS} }} other: upsertTag(input: $tag) {{ {ERRORS} }}
        }}"""
        before = await everything(api)
        # What `upsertTag` refuses, it refuses in the transaction.
        data = await client.data(query, {"input": given, "tag": {"slug": "zzz", "name": ""}})
        assert (codes(data[name]), codes(data["other"])) == (["ROLLED_BACK"], ["REQUIRED"])
        assert await everything(api) == before
        data = await client.data(query, {"input": given, "tag": {"slug": "zzz", "name": "Zzz"}})
        assert (codes(data[name]), codes(data["other"])) == (["REQUIRED"] if name == "createPosts" else [], [])
        assert await everything(api) != before


async def everything(api: Api) -> list[Any]:
    async with api.database.write() as session:
        return [
            [*map(tuple, await session.execute(sa.select(table).order_by(*table.primary_key)))]
            for table in Base.metadata.sorted_tables
        ]


class TestFields:
    async def test_that_lock_in_opposite_orders_are_all_written(self, api: Api, client: Api, admin: User) -> None:
        """On PostgreSQL that may be a deadlock, whose loser is run again."""
        posts = [make_post(admin) for _ in range(2)]
        await save(api.database, posts)

        def query(order: list[Post]) -> str:
            fields = (
                f'p{number}: updatePost(input: {{ id: "{post.global_id}", patch: {{ markdown: "x" }} }}) {{ {ERRORS} }}'
                for number, post in enumerate(order)
            )
            return f"mutation @atomic {{ {' '.join(fields)} }}"

        answers = await asyncio.gather(*(client.data(query(order)) for order in (posts, posts[::-1])))
        assert [codes(payload) for answer in answers for payload in answer.values()] == [[]] * 4
        async with api.database.write() as session:
            assert {*await session.scalars(sa.select(Post.version))} == {3}

    async def test_are_written_in_their_order(self, api: Api, client: Api, admin: User) -> None:
        post = make_post(admin)
        await save(api.database, [post])
        fields = [
            f'f{number}: updatePost(input: {{ id: "{post.global_id}", expectedVersion: {number},'
            f' patch: {{ title: "{number}" }} }}) {{ post {{ title version }} {ERRORS} }}'
            for number in (1, 2, 3)
        ]
        data = await client.data(f"mutation @atomic {{ {' '.join(fields)} }}")
        assert [data[f"f{number}"]["post"]["version"] for number in (1, 2, 3)] == [2, 3, 4]
        reverse = await client.data(f"mutation @atomic {{ {' '.join(fields[::-1])} }}")
        assert [codes(reverse[f"f{number}"]) for number in (1, 2, 3)] == [
            ["ROLLED_BACK"], ["ROLLED_BACK"], ["VERSION_CONFLICT"],
        ]  # fmt: skip
        await assert_consistent(api.database)

    async def test_report_all_problems(self, api: Api, client: Api) -> None:
        query = """mutation @atomic {
          a: createPost(input: { title: "", markdown: "" }) { errors { code } }
          b: createPost(input: { title: "Good", markdown: "" }) { errors { code message } }
          c: updatePost(input: { id: "a", patch: { title: "" } }) { errors { code } }
        }"""
        data = await client.data(query)
        assert [codes(data[name]) for name in "abc"] == [["REQUIRED"], ["ROLLED_BACK"], ["INVALID", "REQUIRED"]]
        assert "because a failed" in data["b"]["errors"][0]["message"]

    async def test_keep_their_idempotency_keys_together(self, api: Api, client: Api) -> None:
        query = """mutation($title: String!) @atomic {
          a: createPost(input: { title: "One", markdown: "", idempotencyKey: "a" }) { post { id } errors { code } }
          b: createPost(input: { title: $title, markdown: "", idempotencyKey: "b" }) { post { id } errors { code } }
        }"""
        assert codes((await client.data(query, {"title": ""}))["a"]) == ["ROLLED_BACK"]
        first = await client.data(query, {"title": "Two"})
        assert first == await client.data(query, {"title": "Two"})
        changed = await client.data(query, {"title": "Three"})
        assert [codes(changed[name]) for name in "ab"] == [["ROLLED_BACK"], ["IDEMPOTENCY_MISMATCH"]]
        assert await counts(api) == (0, 2)

    async def test_share_the_statements_of_a_transaction(self, client: Api) -> None:
        titles = count_up()

        async def send(size: int) -> None:
            fields = (
                f'p{n}: createPost(input: {{ title: "{next(titles)}", markdown: "" }}) {{ post {{ id }} }}'
                for n in range(size)
            )
            await client.data(f"mutation @atomic {{ {' '.join(fields)} }}")

        await send(1)
        found = []
        for size in (1, 2, 3):
            with client.statements() as statements:
                await send(size)
            found.append(len(statements))
        assert found[2] - found[1] == found[1] - found[0] < found[0]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
class TestOperation:
    @pytest.mark.parametrize(
        "field",
        [
            'signIn(input: { login: "a", password: "b" })',
            'signUp(input: { username: "a", email: "a@example.com", password: "b" })',
            'refreshSession(input: { refreshToken: "a" })',
            "signOut(input: {})",
            'changePassword(input: { currentPassword: "a", newPassword: "b" })',
            'deleteUser(input: { id: "a" })',
        ],
    )
    async def test_refuses_what_must_survive_a_rollback(self, api: Api, field: str) -> None:
        name = field.partition("(")[0]
        for text in (
            f"mutation @atomic {{ {field} {{ __typename }} }}",
            f"mutation @atomic {{ ...F }} fragment F on Mutation {{ ... {{ {field} {{ __typename }} }} }}",
        ):
            response = await api.post(text)
            [error] = response.json()["errors"]
            assert error["message"] == f"{name} cannot be part of an operation with @atomic."
            assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"

    @pytest.mark.parametrize("text", ["query @atomic { __typename }", "mutation @atomic @atomic { __typename }"])
    async def test_takes_the_directive_once_on_mutations(self, api: Api, text: str) -> None:
        [error] = (await api.execute(text))["errors"]
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"

    async def test_may_write_nothing(self, client: Api) -> None:
        assert await client.data("mutation @atomic { __typename }") == {"__typename": "Mutation"}

    async def test_runs_on_the_reference_executor_as_well(self, database_url: str) -> None:
        async with serve(settings_for(database_url, executor="reference")) as api:
            admin = make_user(role=UserRole.ADMIN)
            await save(api.database, [admin])
            client = await sign_in_as(api, admin)
            failed = await client.data(FIRST_POST, bela(title=""))
            assert (codes(failed["createUser"]), codes(failed["createPost"])) == (["ROLLED_BACK"], ["REQUIRED"])
            data = await client.data(FIRST_POST, bela())
            assert (codes(data["createUser"]), codes(data["createPost"])) == ([], [])
            assert await counts(api) == (1, 1)

    async def test_gives_everything_back_when_the_database_fails(
        self, api: Api, client: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(_repository: PostWriteRepository, _posts: Any) -> Any:
            raise StaleDataError

        with monkeypatch.context() as patch:
            patch.setattr(PostWriteRepository, "create", fail)
            response = await client.post(FIRST_POST, bela())
        found = [error["extensions"]["code"] for error in response.json()["errors"]]
        assert (response.status_code, found) == (503, ["UNAVAILABLE"] * 2)
        assert await gets_everything_back(api.database)
        assert await counts(api) == (0, 0)
