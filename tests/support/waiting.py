"""The tests' one polling loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

TIMEOUT_SECONDS: Final = 240.0
"""Longer than anything in the tests takes on a busy machine: a wait that succeeds ends as soon as it does."""

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T | None],
    what: str | Callable[[], object] = "the condition",
    *,
    timeout: float = TIMEOUT_SECONDS,
    poll: float = 0.02,
) -> T:
    """Poll until the condition is true; returns its value.

    `timeout` and `poll` are seconds. Raises AssertionError after the timeout, with `what` was awaited; a callable
    is called only then, so that it can say what was there instead.
    """
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(poll)
    return value
