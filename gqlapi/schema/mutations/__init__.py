"""The root of all writing."""

import strawberry

from gqlapi.schema.mutations.posts import PostMutations
from gqlapi.schema.mutations.tags import TagMutations


@strawberry.type(
    description="The root of all writing. Root fields run one after the other, each in a transaction of its own: when "
    "one fails, the earlier ones stay, and `errors` of its payload says why."
)
class Mutation(PostMutations, TagMutations):
    """The root of all writing."""
