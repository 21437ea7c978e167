"""A daemon thread that calls one function at a fixed interval."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class PeriodicThread(ABC):
    """Context manager whose daemon thread calls `run_once` every `seconds`, first after one interval.

    On exit it waits for a call in progress, for at most `end_seconds` if given.
    """

    def __init__(self, name: str, seconds: float, end_seconds: float | None = None) -> None:
        self._seconds = seconds
        self._end_seconds = end_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def run_once(self) -> None:
        """One iteration. An exception ends the thread."""

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
            self.run_once()
