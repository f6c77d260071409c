"""`@semanticNonNull`: where it is, and that a field with it is null only if an error explains it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    SelectionSetNode,
    build_schema,
    get_operation_ast,
    parse,
    print_type,
    validate_schema,
)
from hypothesis import given, note
from hypothesis import strategies as st

from gqlapi.models import UserRole
from gqlapi.schema import Limits, Schema
from gqlapi.schema.nullability import SemanticNonNull
from tests.api import Api, serve, settings_for
from tests.examples import large_examples
from tests.execution.choices import chosen
from tests.execution.random_documents import Request, make_request
from tests.execution.test_project_schema import PROJECT_SCALARS, UNLIMITED
from tests.factories import make_post, make_tag, make_user, save
from tests.signing_in import sign_in_as

SCHEMA = Schema(Limits())
TYPES = SCHEMA._schema.type_map
# A string that every mutation takes for an id, and for which there is no row.
REQUESTS = chosen(
    lambda choices: make_request(
        choices, SCHEMA._schema, ("mutation",), {**PROJECT_SCALARS, "ID": ["VXNlcjox", SCHEMA.sdl_hash]}, depth=2
    )
)

FAILING = Request('mutation { x: createPost(input: { title: "Title", markdown: "" }) { errors { code } } }', {})
SUCCEEDING = Request('mutation { x: upsertTag(input: { slug: "x", name: "X" }) { errors { code } } }', {})


def marked_levels(field: GraphQLField) -> list[int]:
    """Return the levels that a field is null only on error at."""
    definition = field.extensions.get("strawberry-definition")
    marks = [one for one in getattr(definition, "directives", ()) if isinstance(one, SemanticNonNull)]
    return [level for mark in marks for level in (mark.levels or [0])]


def marked() -> Iterator[tuple[str, GraphQLField]]:
    for name, type_ in TYPES.items():
        if isinstance(type_, GraphQLObjectType):
            yield from ((f"{name}.{own}", field) for own, field in type_.fields.items() if marked_levels(field))


class TestDirective:
    def test_stands_on_all_mutations(self) -> None:
        mutations = SCHEMA._schema.mutation_type
        assert mutations is not None
        assert [name for name, _ in marked()] == [f"Mutation.{name}" for name in mutations.fields]

    def test_stands_on_positions_that_may_be_null(self) -> None:
        for coordinate, field in marked():
            for level in marked_levels(field):
                type_: Any = field.type
                for _ in range(level):
                    assert isinstance(type_, GraphQLList), coordinate
                    type_ = type_.of_type
                assert not isinstance(type_, GraphQLNonNull), coordinate

    def test_is_in_the_sdl_and_in_the_schema(self) -> None:
        built = build_schema(SCHEMA.sdl)
        assert validate_schema(built) == []
        for schema in (built, SCHEMA._schema):
            directive = schema.get_directive("semanticNonNull")
            assert directive is not None
            assert [str(argument.type) for argument in directive.args.values()] == ["[Int!]!"]
        printed = SCHEMA.sdl.partition("type Mutation {")[2].partition("\n}\n")[0] + "\n"
        assert printed.count("@semanticNonNull\n") == len([*marked()]) == len(TYPES["Mutation"].fields)  # type: ignore[attr-defined] # an object type

    def test_changes_no_type(self) -> None:
        built = build_schema(SCHEMA.sdl)
        for name in ("Mutation", "Query"):
            assert print_type(built.type_map[name]) == print_type(TYPES[name])


@pytest.fixture
async def viewers(database_url: str) -> AsyncIterator[list[Api]]:
    """An anonymous viewer, an author and an admin, of a server that can write neither posts nor accounts."""
    async with serve(settings_for(database_url, max_mutations=100, **UNLIMITED)) as api:
        users = [make_user(), make_user(role=UserRole.ADMIN)]
        await save(api.database, [*users, tag := make_tag(), make_post(users[0], tag)])
        clients = [api, *[await sign_in_as(api, user) for user in users]]
        async with api.database.write() as session:
            for table in ("post_changes", "audit_events"):
                await session.execute(sa.text(f"DROP TABLE {table}"))
        yield clients


class TestMarkedFields:
    async def test_are_null_only_with_an_error(self, viewers: list[Api]) -> None:
        seen: Counter[str] = Counter()

        async def check(request: Request, viewer: int, mode: str) -> None:
            result = await viewers[viewer].execute(
                request.document, request.variables, operationName=request.operation_name, onError=mode
            )
            for name in marked_names(parse(request.document), request.operation_name):
                if name not in (result.get("data") or {}):
                    continue
                is_null = result["data"][name] is None
                seen["null" if is_null else "other"] += 1
                paths = [error["path"] for error in result.get("errors", [])]
                # Where errors propagate, that of a field below may have made it null.
                explained = [path for path in paths if (path if mode == "NULL" else path[:1]) == [name]]
                assert explained or not is_null

        for mode in ("PROPAGATE", "NULL"):
            for request in (FAILING, SUCCEEDING):
                await check(request, 2, mode)
        await check_examples(check)
        assert min(seen["null"], seen["other"]) > 0, seen


def marked_names(document: DocumentNode, operation_name: str | None) -> set[str]:
    """Return the names in the response of the marked fields of an operation's root."""
    operation = get_operation_ast(document, operation_name)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    coordinates = {coordinate for coordinate, _ in marked()}
    nodes = () if operation is None else _root_fields(operation.selection_set, fragments)
    return {(node.alias or node.name).value for node in nodes if f"Mutation.{node.name.value}" in coordinates}


def _root_fields(selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection
        else:
            inner: Any = fragments[selection.name.value] if isinstance(selection, FragmentSpreadNode) else selection
            yield from _root_fields(inner.selection_set, fragments)


async def check_examples(check: Any) -> None:
    loop = asyncio.get_running_loop()

    @large_examples(60)
    @given(request=REQUESTS, viewer=st.integers(0, 2), mode=st.sampled_from(["PROPAGATE", "NULL"]))
    def run(request: Request, viewer: int, mode: str) -> None:
        note(f"{request.document}\n{request.variables}")
        asyncio.run_coroutine_threadsafe(check(request, viewer, mode), loop).result(60)

    await asyncio.to_thread(run)
