"""Work beside the main thread, again and again, for as long as it is entered."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Repeated(ABC):
    """Calls `turn` every `seconds`, the first time after as many, from a daemon thread called `name`.

    Leaving waits for the turn that is under way, for at most `end_seconds` where that is given.
    """

    def __init__(self, name: str, seconds: float, end_seconds: float | None = None) -> None:
        self._seconds = seconds
        self._end_seconds = end_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def turn(self) -> None:
        """What is done each time. What it raises ends the thread."""

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
            self.turn()
