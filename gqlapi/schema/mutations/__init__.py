"""The root of all writing."""

import strawberry

from gqlapi.schema.mutations.accounts import AccountMutations
from gqlapi.schema.mutations.posts import PostMutations
from gqlapi.schema.mutations.tags import TagMutations
from gqlapi.schema.mutations.users import UserMutations


@strawberry.type(
    description="The root of all writing. Root fields run one after the other, each in a transaction of its own: when "
    "one fails, the earlier ones stay, and `errors` of its payload says why."
)
class Mutation(AccountMutations, PostMutations, TagMutations, UserMutations):
    """The root of all writing."""
