"""A daemon thread that calls one function at a fixed interval."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Final, Self

log: Final = logging.getLogger("peakedex.threads")


class PeriodicThread(ABC):
    """Context manager whose daemon thread calls `run_once` every `seconds`, first after one interval.

    A bug in one call is logged with its traceback and does not prevent the next call: nobody would miss a
    heartbeat, or a watch over escrow accounts, that has ended. On exit it waits for a call in progress, for
    at most `end_seconds` if given.
    """

    def __init__(self, name: str, seconds: float, end_seconds: float | None = None) -> None:
        self._seconds = seconds
        self._end_seconds = end_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._failure: str | None = None  # the last call's

    @abstractmethod
    def run_once(self) -> None:
        """One iteration. Expected failures are the subclass's to handle."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(self._end_seconds)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.run_once()
                self._failure = None
            except Exception as error:  # a bug, which must not end what nobody would miss
                failure = f"{type(error).__name__}: {error}"
                if failure != self._failure:  # a lasting one is logged once
                    log.exception("%s failed, and is tried again: %s", self._thread.name, failure)
                self._failure = failure
