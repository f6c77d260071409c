"""Write operations."""

import strawberry

from gqlapi.schema.mutations.accounts import AccountMutations
from gqlapi.schema.mutations.bulk import BulkMutations
from gqlapi.schema.mutations.posts import PostMutations
from gqlapi.schema.mutations.tags import TagMutations
from gqlapi.schema.mutations.users import UserMutations


@strawberry.type(
    description="Write operations. Root fields run one after the other, each in its own transaction: when one fails, "
    "the earlier ones stay, and `errors` of its payload says why. With `@atomic` they are one transaction."
)
class Mutation(AccountMutations, PostMutations, BulkMutations, TagMutations, UserMutations):
    """Write operations."""
