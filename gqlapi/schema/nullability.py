"""`@semanticNonNull`, for fields that are null only on error: https://specs.apollo.dev/nullability/v0.4/."""

import strawberry
from strawberry.schema_directive import Location


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="semanticNonNull",
    description="The field is null only if `errors` has an error at its path. Clients that handle errors may generate "
    "a non-null type for it. `levels` are the positions that this applies to: 0 is the field, 1 the items of its list.",
)
class SemanticNonNull:
    """The field is null only on error."""

    levels: list[int] = strawberry.directive_field(name="levels", default=(0,))


# Of the field itself: the SDL shows no argument.
NULL_ONLY_ON_ERROR = SemanticNonNull(levels=strawberry.UNSET)
