"""The indexer's heartbeat as an API process sees it: alive, silent, or not yet known.

The heartbeat is a time by the clock of the indexer's host, which may differ from this host's. So it is judged
only by whether it changes, on this process's monotonic clock, and never compared with a clock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.http.errors import ApiError

SILENT_SECONDS: Final = 60
"""The indexer writes its heartbeat every two seconds, also while it waits for a node."""
OBSERVE_SECONDS: Final = 2.0
_REMEMBERED: Final = 16
"""Values remembered. Connections may lead to standbys of different age: an earlier value is no change."""


class Liveness(StrEnum):
    """What changes of the heartbeat say about the indexer."""

    ALIVE = "alive"  # it changed within SILENT_SECONDS
    SILENT = "silent"  # it has not changed for longer
    UNKNOWN = "unknown"  # no change seen yet: this process has just started, or had not looked for a while


class HeartbeatMonitor:
    """Observes the heartbeats that a process reads from the database. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: deque[int | None] = deque(maxlen=_REMEMBERED)
        self._observed: float | None = None  # when a heartbeat was last observed
        self._changed = 0.0  # when the newest one was first observed
        self._is_change = False  # whether the one before was observed shortly before it

    def observe(self, heartbeat: int | None) -> Liveness | None:
        """The indexer's liveness, given the heartbeat just read; None if no indexer has ever written one."""
        with self._lock:
            now, last = self._monotonic(), self._observed
            self._observed = now
            if heartbeat not in self._seen:
                self._seen.append(heartbeat)
                self._changed = now
                # After a longer gap a new value only says that the indexer was alive at some time in it.
                self._is_change = last is not None and now - last <= SILENT_SECONDS
            if heartbeat is None:
                return None
            if now - self._changed > SILENT_SECONDS:
                return Liveness.SILENT
            return Liveness.ALIVE if self._is_change else Liveness.UNKNOWN


def observe_continuously(
    open_snapshot: Callable[[], AbstractContextManager[object]],
    is_stopping: Callable[[], bool],
    seconds: float = OBSERVE_SECONDS,
) -> None:
    """Start a daemon thread that observes the heartbeat also while there are no requests.

    It opens a snapshot of the database, which observes the heartbeat, every `seconds` until `is_stopping`.
    """

    def run() -> None:
        while not is_stopping():
            try:
                with open_snapshot():
                    pass
            except (ApiError, SQLAlchemyError):
                pass  # requests report that the database is missing or does not answer
            time.sleep(seconds)

    threading.Thread(target=run, name="heartbeat", daemon=True).start()
