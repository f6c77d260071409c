"""The table of contents of a post."""

import strawberry

from gqlapi import content
from gqlapi.content.headings import MAX_HEADINGS
from gqlapi.context import Context
from gqlapi.execution.declarations import FieldRules, Prepared
from gqlapi.repositories.records import PostRecord
from gqlapi.schema.fields import rules_metadata
from gqlapi.schema.pricing import BODY_COST


@strawberry.type(description="A heading in the HTML of a post.")
class Heading:
    """A heading, as the renderer finds it."""

    level: int = strawberry.field(description="From 1 (`h1`) to 6 (`h6`).")
    text: str = strawberry.field(
        description="Its text without markup.",
        metadata=rules_metadata(FieldRules(needs=frozenset({"text"}), is_long=True)),
    )
    anchor: str = strawberry.field(description="The id of the heading in the HTML: `#` and this is a link to it.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Whether a value is a heading."""
        return isinstance(value, content.Heading)


def _headings(post: PostRecord, _context: Context, _prepared: Prepared) -> list[content.Heading]:
    return content.headings_of(post.html)


# The HTML is read, which costs as much as selecting it.
HEADINGS = FieldRules(
    needs=frozenset({"html"}),
    rows=lambda _: MAX_HEADINGS,
    surcharge=lambda _: BODY_COST,
    compute=_headings,
    is_trusted=True,
)
