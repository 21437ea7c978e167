"""A subscriber: the queue between the publisher's thread, which never blocks, and a client's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from api.stream.topics import Topics

MAX_QUEUED: Final = 256
"""Chunks. The publisher adds one for everything that is new at a time."""
MAX_QUEUED_SECONDS: Final = 10.0


class Subscriber:
    """An iterator over chunks of a client's event stream, and the publisher's handle to it.

    The publisher calls `put`, `is_stuck`, `end` and `drop`; the client's thread iterates, then calls `close`.
    """

    def __init__(
        self,
        topics: Topics,
        on_close: Callable[[Subscriber], None],
        disconnect: Callable[[], None],
    ) -> None:
        """`disconnect` closes the client's connection, to wake a thread that is blocked in writing to it."""
        self.topics = topics
        self.last_put = 0.0
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._put_at: deque[float] = deque()  # times of chunks that may still be queued
        self._on_close = on_close
        self._disconnect = disconnect
        self._ended = False

    def put(self, chunk: bytes, now: float) -> None:
        """Queue a chunk. `now` is in seconds, by the publisher's clock."""
        self.last_put = now
        self._put_at.append(now)
        self._queue.put(chunk)

    def is_stuck(self, now: float) -> bool:
        """Whether the client does not read what it is sent."""
        queued = self._queue.qsize()
        while len(self._put_at) > queued:
            self._put_at.popleft()
        return queued > MAX_QUEUED or (queued > 0 and now - self._put_at[0] > MAX_QUEUED_SECONDS)

    def end(self) -> None:
        """End the iteration, without the chunks still queued."""
        self._ended = True
        self._queue.put(None)

    def drop(self) -> None:
        """End the iteration, also if the client's thread is blocked in writing."""
        self.end()
        self._disconnect()

    def __iter__(self) -> Subscriber:
        return self

    def __next__(self) -> bytes:
        chunk = self._queue.get()
        if chunk is None or self._ended:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """The client's thread is done, for whatever reason."""
        self._on_close(self)
