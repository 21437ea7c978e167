"""One listener: a bounded queue between the feed, which never waits, and a thread that writes to a client."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

from api.live.topics import Topics

MOST_WAITING: Final = 256
"""So many chunks wait for a client at most. The feed makes one at a time for all that is new."""
MOST_SECONDS: Final = 10.0
"""So long a chunk waits at most."""

Chunk = bytes


class Listener:
    """The feed calls `put`, `is_stuck` and `end`; the server's thread iterates, and closes at the end."""

    def __init__(
        self, topics: Topics, on_close: Callable[[Listener], None], connection: socket.socket | None = None
    ) -> None:
        self.topics = topics
        self.last_put = 0.0
        self._chunks: SimpleQueue[Chunk | None] = SimpleQueue()
        self._on_close = on_close
        self._connection = connection
        self._put_at: deque[float] = deque()  # of chunks that may still wait; the feed's alone
        self._ended = False

    def put(self, chunk: Chunk, now: float) -> None:
        """Hand over what the client shall get next. `now` in seconds, by the feed's clock."""
        self._put_at.append(now)
        self.last_put = now
        self._chunks.put(chunk)

    def is_stuck(self, now: float) -> bool:
        """Whether the client does not take what it is sent."""
        waiting = self._chunks.qsize()
        while len(self._put_at) > waiting:
            self._put_at.popleft()
        return waiting > MOST_WAITING or (waiting > 0 and now - self._put_at[0] > MOST_SECONDS)

    def end(self) -> None:
        """Send nothing more. Wakes a thread that waits for a chunk or for its client."""
        self._ended = True
        self._chunks.put(None)

    def drop(self) -> None:
        """End it although the client has not taken all: its thread may be in the middle of writing."""
        self.end()
        if self._connection is not None:
            with suppress(OSError):  # it may be gone already
                self._connection.shutdown(socket.SHUT_RDWR)

    def __iter__(self) -> Listener:
        return self

    def __next__(self) -> Chunk:
        chunk = self._chunks.get()
        if chunk is None or self._ended:
            raise StopIteration
        return chunk

    def close(self) -> None:
        """The server is done with the client, for whatever reason."""
        self._on_close(self)
