"""The keys that name one object: by exactly one of them."""

import strawberry

ID_KEY = "By id."


@strawberry.input(one_of=True, description="One way to name a user.")
class UserKey:
    """One way to name a user."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=ID_KEY)
    username: str | None = strawberry.field(
        default=strawberry.UNSET, description="By user name, without regard to case."
    )


@strawberry.input(one_of=True, description="One way to name a post.")
class PostKey:
    """One way to name a post."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=ID_KEY)
    slug: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="By slug, without regard to case; an old slug finds its post too, whose `slug` differs then.",
    )


@strawberry.input(one_of=True, description="One way to name a tag.")
class TagKey:
    """One way to name a tag."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description=ID_KEY)
    slug: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="By slug, without regard to case; that of a tag which was merged finds the tag that it became.",
    )
