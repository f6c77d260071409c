"""Random documents over the whole of reading, and the same documents with their selections in fragments."""

import random
from typing import Any

from graphql import (
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    print_ast,
    visit,
)
from hypothesis import strategies as st

SIZES = ["", "(first: 1)", "(last: 3)", "(first: 7)"]
PAGE_INFO = "pageInfo { hasNextPage endCursor }"
# Leaves of each type, and the fields that lead on: their name, their type and what kind of field they are.
LEAVES = {
    "User": ["id", "username bio", "postCount", 'postCount(filter: { title: { contains: "a" } })', "version createdAt"],
    "Post": [
        *("id", "title slug", "excerpt(length: 500)", "content { id html text }", "viewerCanUpdate __typename"),
        *("viewerCanPublish", "related(first: 2) { id }"),
    ],
    "Tag": ["id", "name description", "postCount", "viewerCanDelete"],
}
FIELDS = {
    "Query": [("posts", "Post", "list"), ("users", "User", "list"), ("tags", "Tag", "list")],
    "User": [("posts", "Post", "list")],
    "Post": [("author", "User", "one"), ("tags", "Tag", "one"), ("previous", "Post", "one"), ("next", "Post", "one")],
    "Tag": [("posts", "Post", "list")],
}
OTHERS = [
    'search(query: "text") { totalCount edges { highlight node { ... on Post { title } ... on User { username } } } }',
    "postAggregates(groupBy: TAG, top: 3) { count averageLength buckets { key count node { ... on Node { id } } } }",
    "serverInfo { version }",
    "__schema { queryType { fields { name args { name } } } }",
    '__type(name: "Post") { interfaces { name } }',
    "viewer { sessions { id } }",
]


@st.composite
def documents(draw: st.DrawFn, depth: int = 3) -> str:
    """Draw a valid query: lists in lists, counts, wide texts, searches, aggregates and introspection."""
    fields = draw(st.lists(_field("Query", depth), min_size=1, max_size=2))
    fields += draw(st.lists(st.sampled_from(OTHERS), max_size=2))
    return "{" + " ".join(f"a{number}: {text}" for number, text in enumerate(fields)) + "}"


@st.composite
def _field(draw: st.DrawFn, typename: str, depth: int) -> str:
    name, returned, kind = draw(st.sampled_from(FIELDS[typename]))
    inner = draw(st.sampled_from(LEAVES[returned]))
    if depth:
        children = draw(st.lists(_field(returned, depth - 1), max_size=2))
        inner += "".join(f" b{number}: {child}" for number, child in enumerate(children))
    if kind == "one":
        return f"{name} {{ {inner} }}"
    rows = draw(st.lists(st.sampled_from(_views(inner)), min_size=1, max_size=3, unique=True))
    return f"{name}{draw(st.sampled_from(SIZES))} {{ {' '.join(rows)} }}"


def _views(inner: str) -> list[str]:
    return [
        f"nodes {{ {inner} }}",
        f"edges {{ cursor node {{ {inner} }} }}",
        "edges { cursor }",
        PAGE_INFO,
        "totalCount",
    ]


def in_fragments(schema: GraphQLSchema, document: str, chance: random.Random) -> str:
    """Return an equal document: selections moved into fragments, inline and named ones, at random and at any level."""
    info, wrapping = TypeInfo(schema), _Wrapping(chance)
    node = visit(parse(document), TypeInfoVisitor(info, _Visitor(info, wrapping)))
    return " ".join([print_ast(node), *wrapping.fragments])


class _Wrapping:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.fragments: list[str] = []

    def wrap(self, typename: str, text: str) -> str:
        """Return selections that select the same as `text`, which is the inside of a selection set."""
        match self._chance.randrange(5):
            case 0:
                return f"... {{ {text} }}"
            case 1:
                return f"... on {typename} {{ {self.wrap(typename, text)} }}"
            case 2:
                name = f"F{len(self.fragments)}"
                self.fragments.append("")
                self.fragments[int(name[1:])] = f"fragment {name} on {typename} {{ {text} }}"
                return f"...{name}"
        return text


class _Visitor(Visitor):
    def __init__(self, info: TypeInfo, wrapping: _Wrapping) -> None:
        super().__init__()
        self._info = info
        self._wrapping = wrapping

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode:
        parent: GraphQLNamedType | None = self._info.get_parent_type()
        assert parent is not None
        texts = [self._wrapping.wrap(parent.name, print_ast(selection)) for selection in node.selections]
        text = self._wrapping.wrap(parent.name, " ".join(texts))
        [operation] = parse(f"{{ {text} }}").definitions
        assert isinstance(operation, OperationDefinitionNode)
        return operation.selection_set
