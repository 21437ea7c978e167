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
            is_ours = made is None
            if made is None:
                made = self._made[key] = Future()
        if is_ours:
            try:
                made.set_result(make())
            except BaseException as error:  # whatever it is: nobody may wait for ever
                made.set_exception(error)
            finally:
                with self._lock:
                    del self._made[key]
        return made.result()
