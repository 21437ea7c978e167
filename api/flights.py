"""One makes what many ask for at the same time: after a block everybody wants the same new answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """What is being made now, by key. Nothing is kept once it is made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Future[T]] = {}

    def share(self, key: str, make: Callable[[], T]) -> T:
        """What `make` gives, or what it gives to somebody who asked a moment before. An error reaches all
        who wait for it."""
        with self._lock:
            made = self._made.get(key)
            if made is None:
                mine: Future[T] = Future()
                self._made[key] = mine
        if made is not None:
            return made.result()
        try:
            value = make()
        except BaseException as error:
            self._end(key)
            mine.set_exception(error)
            raise
        self._end(key)
        mine.set_result(value)
        return value

    def _end(self, key: str) -> None:
        with self._lock:
            del self._made[key]
