"""The schema as clients read it: described throughout, and regular."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    find_schema_changes,
    get_named_type,
    get_nullable_type,
    is_introspection_type,
    is_specified_scalar_type,
)

from gqlapi.schema import Limits, Schema
from tests.architecture import ROOT
from tests.shared_types import build_types

SCHEMA = Schema(Limits())
TYPES: dict[str, GraphQLNamedType] = {
    name: type_
    for name, type_ in SCHEMA._schema.type_map.items()
    if not is_introspection_type(type_) and not is_specified_scalar_type(type_)
}
CONNECTIONS = [name for name in TYPES if name.endswith("Connection")]
WINDOW = {"first": "Int", "after": "Cursor", "last": "Int", "before": "Cursor"}


def fields() -> Iterator[tuple[str, GraphQLField]]:
    """Yield the fields of objects and interfaces, by `Type.field`."""
    for name, type_ in TYPES.items():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            yield from ((f"{name}.{field_name}", field) for field_name, field in type_.fields.items())


def arguments() -> Iterator[tuple[str, GraphQLArgument]]:
    for coordinate, field in fields():
        yield from ((f"{coordinate}({name}:)", argument) for name, argument in field.args.items())


def elements() -> Iterator[tuple[str, Any]]:
    """Yield all that can have a description."""
    yield from TYPES.items()
    yield from fields()
    yield from arguments()
    for name, type_ in TYPES.items():
        if isinstance(type_, GraphQLInputObjectType):
            yield from ((f"{name}.{field_name}", field) for field_name, field in type_.fields.items())
        elif isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{value_name}", value) for value_name, value in type_.values.items())


def words(text: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[a-z]+", spaced.casefold())


def list_fields() -> list[tuple[str, GraphQLField]]:
    return [(name, field) for name, field in fields() if get_named_type(field.type).name in CONNECTIONS]


class TestSdl:
    def test_in_the_repository_is_that_of_the_code(self) -> None:
        # To write it anew: gqlapi schema > schema.graphql
        assert (ROOT / "schema.graphql").read_text(encoding="utf-8") == SCHEMA.sdl

    def test_is_complete_without_python(self) -> None:
        """Strawberry prints no description of a schema; what is printed here is the schema all the same."""
        schema = build_schema(SCHEMA.sdl)
        assert schema.description == SCHEMA._schema.description
        assert "signIn" in (schema.description or "")
        # The SDL has no description of @oneOf, which is built in.
        changes = [change.description for change in find_schema_changes(SCHEMA._schema, schema)]
        assert [change for change in changes if "@oneOf" not in change] == []

    def test_has_no_default_that_is_null(self) -> None:
        assert "= null" not in SCHEMA.sdl

    def test_has_a_name_that_follows_its_content(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(strawberry.Schema, "__init__", build_types)
        assert re.fullmatch(r"[0-9a-f]{64}", SCHEMA.sdl_hash)
        assert Schema(Limits()).sdl_hash == SCHEMA.sdl_hash


class TestDescriptions:
    def test_stand_on_everything(self) -> None:
        assert [name for name, element in elements() if not (element.description or "").strip()] == []
        assert len([*elements()]) > 150

    def test_say_more_than_the_name(self) -> None:
        for coordinate, element in elements():
            name = re.split(r"[.(]", coordinate.removesuffix(":)"))[-1]
            assert words(element.description) != words(name), coordinate

    def test_are_sentences(self) -> None:
        for coordinate, element in elements():
            assert element.description[0].isupper() or element.description[0] in "1`", coordinate
            assert element.description.endswith("."), coordinate


class TestConnections:
    @pytest.mark.parametrize("name", CONNECTIONS)
    def test_have_edges_nodes_page_info_and_a_count(self, name: str) -> None:
        connection = TYPES[name]
        assert isinstance(connection, GraphQLObjectType)
        row = name.removesuffix("Connection")
        node = "SearchResult" if row == "Search" else row
        expected = {"edges": f"[{row}Edge!]!", "nodes": f"[{node}!]!", "pageInfo": "PageInfo!", "totalCount": "Int!"}
        assert expected.items() <= {field: str(value.type) for field, value in connection.fields.items()}.items()
        edge = TYPES[f"{row}Edge"]
        assert isinstance(edge, GraphQLObjectType)
        assert {field: str(edge.fields[field].type) for field in ("node", "cursor")} == {
            "node": f"{node}!",
            "cursor": "Cursor!",
        }

    @pytest.mark.parametrize(("coordinate", "field"), list_fields(), ids=[name for name, _ in list_fields()])
    def test_take_the_arguments_of_a_window(self, coordinate: str, field: GraphQLField) -> None:
        assert isinstance(field.type, GraphQLNonNull), coordinate
        given = {name: str(argument.type) for name, argument in field.args.items()}
        # Hits are only read from the best one on.
        window = {"first": "Int", "after": "Cursor"} if coordinate == "Query.search" else WINDOW
        assert window.items() <= given.items()

    @pytest.mark.parametrize("name", ["posts", "users", "tags"])
    def test_of_rows_take_a_filter_and_an_ordering(self, name: str) -> None:
        assert SCHEMA._schema.query_type is not None
        row = name.removesuffix("s").capitalize()
        found = {argument: str(value.type) for argument, value in SCHEMA._schema.query_type.fields[name].args.items()}
        assert {"filter": f"{row}Filter", "orderBy": f"[{row}Order!]"}.items() <= found.items()


# Null for everybody but their owner.
PRIVATE_LISTS = {"User.apiTokens", "User.sessions"}


class TestConventions:
    @pytest.mark.parametrize("name", ["User", "Post", "Tag"])
    def test_rows_are_nodes_with_versions(self, name: str) -> None:
        row = TYPES[name]
        assert isinstance(row, GraphQLObjectType)
        assert {interface.name for interface in row.interfaces} >= {"Node", "Versioned", "Ownable"}
        assert str(row.fields["id"].type) == "ID!"

    def test_lists_hold_no_nulls_but_those_of_nodes(self) -> None:
        """Null in a list means: not there for you; only the ids of `nodes` can name such rows."""
        for coordinate, field in fields():
            list_type = get_nullable_type(field.type)
            if isinstance(list_type, GraphQLList):
                assert isinstance(list_type.of_type, GraphQLNonNull) is (coordinate != "Query.nodes"), coordinate
                may_be_null = coordinate in PRIVATE_LISTS or coordinate.endswith("Error.path")
                assert isinstance(field.type, GraphQLNonNull) is not may_be_null, coordinate

    def test_mutations_are_nullable(self) -> None:
        """A field that fails does not take back the answers of those before it."""
        assert SCHEMA._schema.mutation_type is not None
        for name, field in SCHEMA._schema.mutation_type.fields.items():
            assert not isinstance(field.type, GraphQLNonNull), name
            [argument] = field.args
            payload = get_nullable_type(field.type)
            assert argument == "input"
            assert isinstance(payload, GraphQLObjectType)
            assert str(payload.fields["errors"].type) == "[UserError!]!"

    def test_lookups_are_nullable(self) -> None:
        assert SCHEMA._schema.query_type is not None
        nullable = {
            name for name, f in SCHEMA._schema.query_type.fields.items() if not isinstance(f.type, GraphQLNonNull)
        }
        assert nullable == {"viewer", "node", "user", "post", "tag"}

    def test_keys_name_exactly_one_row(self) -> None:
        keys = [
            type_ for name, type_ in TYPES.items() if isinstance(type_, GraphQLInputObjectType) and name.endswith("Key")
        ]
        assert {key.name for key in keys} >= {"UserKey", "PostKey", "TagKey"}
        for key in keys:
            assert f"input {key.name} @oneOf {{" in SCHEMA.sdl
            assert "id" in key.fields

    def test_fields_that_end_with_at_are_times(self) -> None:
        for coordinate, field in fields():
            is_time = coordinate.endswith("At")
            assert (get_named_type(field.type).name == "DateTime") is is_time, coordinate

    def test_questions_are_answered_with_yes_or_no(self) -> None:
        for coordinate, field in fields():
            if re.match(r"(has|is|viewerCan|viewerHas)[A-Z]", coordinate.partition(".")[2]):
                assert str(field.type) == "Boolean!", coordinate

    def test_scalars_say_where_they_are_specified(self) -> None:
        urls = {name: type_.specified_by_url for name, type_ in TYPES.items() if isinstance(type_, GraphQLScalarType)}
        assert urls == {"DateTime": "https://www.rfc-editor.org/rfc/rfc3339", "Cursor": None, "Position": None}

    def test_names_are_cased_as_usual(self) -> None:
        for name, type_ in TYPES.items():
            assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
            if isinstance(type_, GraphQLEnumType):
                assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)*", value) for value in type_.values), name
        for coordinate, _ in fields():
            assert re.fullmatch(r"[a-z][A-Za-z]*", coordinate.partition(".")[2]), coordinate
