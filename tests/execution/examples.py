"""How many random examples a property gets.

The longer run, with 10,000 random queries: `GQLAPI_EXAMPLES=20 uv run pytest tests/execution`.
"""

import os

from hypothesis import HealthCheck, Phase, settings

FACTOR = float(os.environ.get("GQLAPI_EXAMPLES", "1"))


def examples(count: int) -> settings:
    """Return the settings of a property that gets `count` examples in a common run.

    A failing example is shown as it is found: making it smaller takes minutes.
    """
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(
        max_examples=round(count * FACTOR),
        suppress_health_check=checks,
        report_multiple_bugs=False,
        phases=[Phase.explicit, Phase.generate],
    )
