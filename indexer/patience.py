"""Waiting for nodes: bounded exponential backoff that a stop event ends at once, and its state for health.

Clocks are allowed here: nothing of this is consensus.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from indexer.source import Waiting

FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 30.0

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

    `wait` sleeps for so many seconds and tells whether to stop: `stop.wait`, unless a test has its own.
    """

    def __init__(
        self,
        stop: threading.Event | None = None,
        *,
        wait: Callable[[float], bool] | None = None,
        first_pause: float = FIRST_PAUSE_SECONDS,
        longest_pause: float = LONGEST_PAUSE_SECONDS,
    ) -> None:
        self.stop = stop or threading.Event()
        self.waiting: Waiting | None = None
        self._wait = wait or self.stop.wait
        self._first_pause = first_pause
        self._longest_pause = longest_pause

    def pause(self, seconds: float, reason: str) -> None:
        """Wait, and say for what. Raises Stopped."""
        since = self.waiting.since if self.waiting else time.time()
        self.waiting = Waiting(reason, since)
        if self._wait(seconds) or self.stop.is_set():
            raise Stopped

    def arrived(self) -> None:
        """What was waited for is here."""
        self.waiting = None

    def retry(self, call: Callable[[], T], after_failure: Callable[[], None]) -> T:
        """Call until no NodeError comes, however long that takes. Raises Stopped."""
        pause = self._first_pause
        while not self.stop.is_set():
            try:
                return call()
            except NodeError as error:
                after_failure()
                asked_for = error.retry_after or 0.0
                self.pause(min(max(pause, asked_for), self._longest_pause), f"a node that answers: {error}")
                pause = min(2 * pause, self._longest_pause)
        raise Stopped
