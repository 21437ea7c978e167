"""How many examples hypothesis tries in each of its profiles, which tests/conftest.py registers."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

FULL: Final = 100
QUICK: Final = 10
LONG: Final = 1000
"""Examples in each profile of a test that asks for `examples(100)`, or for nothing."""
SEED: Final = int(os.environ.get("SEED", "1"))
"""Of the tests that draw at random without hypothesis: always the same, or another one from the environment."""

_SUPPRESSED: Final = (HealthCheck.too_slow,)
"""It measures time, and the machine may be busy."""


def register_profiles() -> None:
    """`full` is the default; `make test-quick` runs `quick`; `long` is for changes of the rules."""
    for name, count in (("full", FULL), ("quick", QUICK), ("long", LONG)):
        settings.register_profile(
            name,
            max_examples=count,
            deadline=None,
            derandomize=name != "long",
            suppress_health_check=_SUPPRESSED,
        )
    settings.load_profile("full")


def examples(count: int, *, unhealthy: bool = False) -> settings:
    """So many examples in the profile `full`, a tenth in `quick`; `unhealthy` turns hypothesis's health checks off."""
    return settings(
        max_examples=max(5, count * settings().max_examples // FULL),
        deadline=None,
        suppress_health_check=list(HealthCheck) if unhealthy else _SUPPRESSED,
    )
