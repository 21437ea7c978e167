"""The newest answers by ETag, ready to send: what one block shows is written once, not once a request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

JSON: Final = "application/json"
T = TypeVar("T")


class Body(NamedTuple):
    """An answer as it is sent."""

    content: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Kept(Generic[T]):
    """What was used last, up to `max_bytes` in all. A key names its content, so nothing is ever stale."""

    def __init__(self, size: Callable[[T], int], max_bytes: int = 16 << 20) -> None:
        self._size = size
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> T | None:
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def set(self, key: str, value: T) -> None:
        """Keep it, unless it alone would drive out all the others."""
        size = self._size(value)
        if size > self._max_bytes // 8:
            return
        with self._lock:
            if key in self._values:
                return
            self._values[key] = value
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._bytes -= self._size(self._values.popitem(last=False)[1])
