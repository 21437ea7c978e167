"""Exponential backoff, and waits that a stop event interrupts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final, NamedTuple, TypeVar

QUIET_SECONDS: Final = 3.0
"""Shorter waits are not reported: waiting for the next block is normal."""
_STOP_POLL_SECONDS: Final = 0.05  # how soon a stop event is noticed while futures are awaited

T = TypeVar("T")


class Backoff(NamedTuple):
    """Exponential backoff: the first pause, doubled after each failure up to a maximum. In seconds."""

    first_seconds: float = 0.25
    max_seconds: float = 30.0

    def after(self, last_seconds: float, at_least: float | None = None) -> float:
        """The pause that follows one of `last_seconds` (0: none before).

        `at_least` is what the node asked for (Retry-After); it is bounded like every pause.
        """
        return min(max(2 * last_seconds, self.first_seconds, at_least or 0.0), self.max_seconds)


class Stopped(Exception):
    """The stop event was set during a wait."""


class Waiting(NamedTuple):
    """What is being waited for."""

    reason: str
    since: float  # seconds since 1970 (UTC)
    quiet_seconds: float = QUIET_SECONDS  # a shorter wait is normal and not reported


class Waiter:
    """Waits that a stop event interrupts. `waiting` tells other threads what the current wait is for."""

    def __init__(
        self,
        stop: threading.Event | None = None,
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], bool] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sleep` waits for some seconds and returns whether to stop: `stop.wait` by default.

        `now` is the clock that pauses are measured by, in seconds from any start.
        """
        self.stop = stop or threading.Event()
        self.backoff = backoff or Backoff()
        self.waiting: Waiting | None = None
        self.now = now
        self._sleep = sleep or self.stop.wait

    def pause(self, seconds: float, reason: str, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Sleep. Raises Stopped."""
        self._set_reason(reason, quiet_seconds)
        if self._sleep(seconds) or self.stop.is_set():
            raise Stopped

    def done(self) -> None:
        """End of a wait: nothing is waited for."""
        self.waiting = None

    def result(self, future: Future[T], reason: str) -> T:
        """The result of a future, without a time limit. Raises Stopped, and what the future raises."""
        self.first_done((future,), reason)
        return future.result()

    def first_done(self, futures: Iterable[Future[Any]], reason: str, seconds: float | None = None) -> bool:
        """Wait until one of the futures is done; False after `seconds` without one. Raises Stopped."""
        pending = list(futures)
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self.stop.is_set():
            left = (
                _STOP_POLL_SECONDS
                if deadline is None
                else min(_STOP_POLL_SECONDS, deadline - time.monotonic())
            )
            if wait(pending, max(0.0, left), return_when=FIRST_COMPLETED).done:
                return True
            self._set_reason(reason)
            if deadline is not None and time.monotonic() >= deadline:
                return False
        raise Stopped

    def _set_reason(self, reason: str, quiet_seconds: float = QUIET_SECONDS) -> None:
        before = self.waiting or Waiting(reason, time.time())
        self.waiting = Waiting(reason, before.since, max(before.quiet_seconds, quiet_seconds))
