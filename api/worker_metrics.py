"""Counts that all worker processes of one server share, so that any of them can tell the whole.

They stand in memory that the workers inherit. Each worker writes to a slot of its own, under a lock of its
threads alone: no process ever waits for another, and one that is killed leaves its counts behind for the
worker that takes its place. (The multiprocess mode of the Prometheus library does this with files in a
folder that an environment variable names before it is imported.)
"""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

BOUNDS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STATUSES: Final = (200, 304, 400, 404, 405, 414, 429, 431, 500, 503)
MAX_PATHS: Final = 128
GAUGES: Final = ("streams",)

_BUCKETS: Final = len(BOUNDS_SECONDS) + 1
_PER_PATH: Final = 1 + _BUCKETS + len(STATUSES)  # microseconds, buckets, statuses
_WORDS: Final = len(GAUGES) + MAX_PATHS * _PER_PATH
_WORD_BYTES: Final = 8


class PathCounts(NamedTuple):
    """What was asked of one path. `buckets` counts requests up to each bound, and those beyond the last."""

    seconds: float
    buckets: tuple[int, ...]
    statuses: dict[int, int]


class Tally:
    """Memory for the counts of so many workers. Made before they are forked."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._words = memoryview(mmap.mmap(-1, workers * _WORDS * _WORD_BYTES)).cast("q")

    def slot(self, worker: int) -> Slot:
        """The place of one worker, 0 … workers - 1. Its gauges start at 0, its counts go on."""
        return Slot(self, self._words[worker * _WORDS : (worker + 1) * _WORDS])

    def gauge(self, name: str) -> int:
        return self._total(GAUGES.index(name))

    def path(self, number: int) -> PathCounts:
        start = len(GAUGES) + number * _PER_PATH
        first_status = start + 1 + _BUCKETS
        return PathCounts(
            self._total(start) / 1_000_000,
            tuple(self._total(start + 1 + bucket) for bucket in range(_BUCKETS)),
            {status: self._total(first_status + at) for at, status in enumerate(STATUSES)},
        )

    def _total(self, word: int) -> int:
        return sum(self._words[worker * _WORDS + word] for worker in range(self.workers))


class Slot:
    """What one worker counts."""

    def __init__(self, tally: Tally, words: memoryview) -> None:
        self.tally = tally
        self._words = words
        self._lock = threading.Lock()
        for gauge in range(len(GAUGES)):
            words[gauge] = 0

    def request(self, path: int, status: int, seconds: float) -> None:
        """One request was answered."""
        start = len(GAUGES) + path * _PER_PATH
        bucket = bisect_left(BOUNDS_SECONDS, seconds)
        with self._lock:
            self._words[start] += round(seconds * 1_000_000)
            self._words[start + 1 + bucket] += 1
            if status in STATUSES:
                self._words[start + 1 + _BUCKETS + STATUSES.index(status)] += 1

    def move(self, gauge: str, by: int) -> None:
        """A gauge goes up or down."""
        with self._lock:
            self._words[GAUGES.index(gauge)] += by


class Paths:
    """Numbers for the paths of an application: the same in every worker, since all run the same program."""

    OTHER: Final = "other"

    def __init__(self, templates: Sequence[str]) -> None:
        self.names = (self.OTHER, *sorted(set(templates)))
        if len(self.names) > MAX_PATHS:
            raise ValueError(f"{len(self.names)} paths are more than the tally has room for")
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def number(self, template: str | None) -> int:
        return self._numbers.get(template or self.OTHER, 0)
