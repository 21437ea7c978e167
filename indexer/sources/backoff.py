"""Waiting for nodes: bounded exponential backoff that a stop event ends at once, and its state for health.

Clocks are allowed here: nothing of this is consensus.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final, TypeVar

from indexer.sources.source import Waiting

FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 0.05  # how soon a stop event is seen while a node is slow

T = TypeVar("T")


class Stopped(Exception):
    """The stop event was set while a source waited."""


class NodeError(Exception):
    """A node did not answer as it should; another one, or the same one later, may.

    `retry_after` is the pause in seconds that the node asked for, if it did.
    """

    def __init__(self, problem: object, retry_after: float | None = None) -> None:
        super().__init__(str(problem))
        self.retry_after = retry_after


class Patience:
    """Pauses, and what they are for. One is shared by the parts of a source.

    `sleep` sleeps for so many seconds and tells whether to stop: `stop.wait`, unless a test has its own;
    `now` is its clock, in seconds from anywhere.
    """

    def __init__(
        self,
        stop: threading.Event | None = None,
        *,
        sleep: Callable[[float], bool] | None = None,
        now: Callable[[], float] = time.monotonic,
        first_pause: float = FIRST_PAUSE_SECONDS,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self.stop = stop or threading.Event()
        self.waiting: Waiting | None = None
        self.now = now
        self.first_pause = first_pause
        self.longest_pause = longest_pause
        self._sleep = sleep or self.stop.wait

    def next_pause(self, last: float) -> float:
        """The pause after one of `last` seconds (0: after none)."""
        return min(max(2 * last, self.first_pause), self.longest_pause)

    def pause(self, seconds: float, reason: str) -> None:
        """Wait, and say for what. Raises Stopped."""
        self._say(reason)
        if self._sleep(seconds) or self.stop.is_set():
            raise Stopped

    def arrived(self) -> None:
        """What was waited for is here."""
        self.waiting = None

    def answer(self, future: Future[T], reason: str) -> T:
        """What a node's thread brings, however long that takes. Raises NodeError and Stopped."""
        self.any((future,), reason)
        return future.result()

    def any(self, futures: Iterable[Future[Any]], reason: str, most_seconds: float | None = None) -> bool:
        """Wait until one of them is done; False if that takes longer than so many seconds. Raises Stopped."""
        pending = list(futures)
        end = None if most_seconds is None else time.monotonic() + most_seconds
        while not self.stop.is_set():
            left = _STOP_SECONDS if end is None else min(_STOP_SECONDS, end - time.monotonic())
            if wait(pending, max(0.0, left), return_when=FIRST_COMPLETED).done:
                return True
            self._say(reason)
            if end is not None and time.monotonic() >= end:
                return False
        raise Stopped

    def _say(self, reason: str) -> None:
        since = self.waiting.since if self.waiting else time.time()
        self.waiting = Waiting(reason, since)
