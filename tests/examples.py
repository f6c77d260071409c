"""How many random examples a property gets, and how many rounds a race.

The common run finds what breaks often. `GQLAPI_EXAMPLES=20 uv run pytest` gives each property twenty times as many.
"""

import os

from hypothesis import HealthCheck, Phase, settings

FACTOR = float(os.environ.get("GQLAPI_EXAMPLES", "1"))
# Of a property that does not say how many it needs.
COMMON = 60
# The database of a test is shared by its examples, and some of these are large.
NO_CHECKS = (
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
)


def rounds(count: int) -> int:
    """Return how often something is done that is done `count` times in a common run."""
    return max(1, round(count * FACTOR))


def examples(count: int) -> settings:
    """Return the settings of a property that gets `count` examples in a common run."""
    return settings(max_examples=rounds(count), suppress_health_check=NO_CHECKS, report_multiple_bugs=False)


def large_examples(count: int) -> settings:
    """Return the same where making a failing example smaller takes minutes: it is shown as it is found."""
    return settings(examples(count), phases=[Phase.explicit, Phase.generate])
