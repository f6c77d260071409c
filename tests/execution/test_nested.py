"""Objects that were read with their parents are made with them; the answer is that of graphql-core all the same.

Values are missing, null or wrong anywhere: then the general path finds the object that each error belongs to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, build_schema, execute, parse
from hypothesis import given
from hypothesis import strategies as st

from gqlapi.execution import run
from gqlapi.execution.declarations import EXTENSION, UNKNOWN, FieldRules, Prepared, Relation
from tests.examples import large_examples
from tests.execution.comparing import by_position, ordered

SDL = """
type Query { posts: [Post!]! }
type Post { title: String! size: Int author: User! editor: User tags: [Tag!]! body: Body! self: Post }
type User { name: String! age: Int posts: [Post] }
type Tag { name: String! rank: Int! }
type Body { text: String size: Int! title: String! }
"""
DOCUMENT = """{ posts {
  ...Own author { name ...Age } editor { name } tags { name rank }
  body { text length: size title } self { body { size } }
} }
fragment Own on Post { title size again: author { age name } }
fragment Age on User { age }
"""
BELOW = "{ posts { author { name posts { title tags { rank } } } tags { name } } }"
WRONG_INT = 2**40


@dataclass
class User:
    name: Any
    age: Any
    posts: list["Post"] = field(default_factory=list)


@dataclass
class Tag:
    name: Any
    rank: Any


class Post:
    """A post, whose relations are attributes only if they were read with it."""

    def __init__(self, title: Any, size: Any, read: dict[str, Any], stored: dict[str, Any]) -> None:
        self.title, self.size, self.text = title, size, title
        self.stored = stored
        for name, value in read.items():
            setattr(self, name, value)


names = st.none() | st.text(max_size=3)
numbers = st.none() | st.integers(-3, 3) | st.just(WRONG_INT)
# Few objects, which several posts share.
users = st.lists(st.builds(User, st.text(max_size=3), st.integers(-3, 3)), min_size=1, max_size=3)
odd_users = st.lists(st.builds(User, names, numbers), min_size=1, max_size=3)
tags = st.lists(st.builds(Tag, st.text(max_size=3), st.integers(-3, 3)), min_size=1, max_size=3)
odd_tags = st.lists(st.builds(Tag, names, numbers), min_size=1, max_size=3)


@st.composite
def worlds(draw: st.DrawFn) -> list[Post]:
    """Draw posts; half of the worlds have nothing that is wrong, and are made in one pass."""
    is_odd = draw(st.booleans())
    people, words = draw(odd_users if is_odd else users), draw(odd_tags if is_odd else tags)
    person = st.sampled_from(people)
    authors = st.none() | person if is_odd else person
    listed = st.lists(st.sampled_from(words), max_size=3)
    lists = st.none() | listed if is_odd else listed
    read_names = draw(st.sets(st.sampled_from(["author", "editor", "tags"])))
    posts = []
    for _ in range(draw(st.integers(0, 5))):
        stored = {"author": draw(authors), "editor": draw(st.none() | person), "tags": draw(lists)}
        known = {name: stored[name] for name in read_names if not (is_odd and draw(st.integers(0, 5)) == 0)}
        title, size = draw(names if is_odd else st.text(max_size=3)), draw(numbers if is_odd else st.integers(0, 9))
        posts.append(Post(title, size, known, stored))
    for one in people:
        one.posts = posts[: draw(st.integers(0, 2))]
    return posts


def relation(name: str) -> FieldRules:
    async def load(_context: Any, sources: list[Post], _prepared: Prepared) -> Sequence[Any]:
        return [source.stored[name] for source in sources]

    def known(source: Post) -> Any:
        return getattr(source, name, UNKNOWN)

    return FieldRules(relation=Relation(load, known=known, attribute=name))


def schema() -> GraphQLSchema:
    """Build the schema, with declarations for one executor and resolvers for the other."""
    built = build_schema(SDL)
    for name in ("author", "editor", "tags"):
        declare(built, "Post", name, relation(name), lambda source, _info, name=name: source.stored[name])
    itself = FieldRules(compute=lambda source, *_: source, is_trusted=True, is_embedded=True)
    for name in ("body", "self"):
        declare(built, "Post", name, itself, lambda source, _info: source)
    return built


def declare(built: GraphQLSchema, type_name: str, name: str, rules: FieldRules, resolve: Any) -> None:
    type_ = built.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    type_.fields[name].extensions[EXTENSION] = rules
    type_.fields[name].resolve = resolve


@large_examples(80)
@given(posts=worlds(), document=st.sampled_from([DOCUMENT, BELOW]))
async def test_answers_are_those_of_graphql_core(posts: list[Post], document: str) -> None:
    built, parsed = schema(), parse(document)
    root = {"posts": posts}
    expected: Any = execute(built, parsed, root)
    result = await run(built, parsed, root_value=root)
    assert ordered(result.data) == ordered(expected.data)
    assert {*by_position(result)} == {*by_position(expected)}


@large_examples(25)
@given(posts=worlds())
async def test_is_used_where_all_was_read(posts: list[Post]) -> None:
    """No relation is loaded of posts that have theirs."""
    for post in posts:
        for name in ("author", "editor", "tags"):
            setattr(post, name, post.stored[name])
        post.stored = {}
    expected: Any = execute(build_schema(SDL), parse("{ posts { author { name } tags { rank } } }"), {"posts": posts})
    result = await run(schema(), parse("{ posts { author { name } tags { rank } } }"), root_value={"posts": posts})
    assert result.data == expected.data
