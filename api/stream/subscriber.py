"""One listener: between the feed, which never waits, and a client.

The feed writes to the client's connection itself while that takes what it is given: waking a thread for each
of hundreds of listeners costs more than all else. What a client does not take at once waits in a bounded
queue for the server's thread, which has begun the answer and ends it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, NamedTuple

from api.stream.topics import Topics

MOST_WAITING: Final = 256
"""So many chunks wait for a client at most. The feed makes one at a time for all that is new."""
MOST_SECONDS: Final = 10.0
"""So long a chunk waits at most."""

Chunk = bytes


class Rest(NamedTuple):
    """What a connection did not take of what the feed wrote to it."""

    data: bytes


class Wire(NamedTuple):
    """A client's connection. `is_chunked`: parts are framed as HTTP/1.1 does where no length is told."""

    socket: socket.socket
    is_chunked: bool

    def write(self, chunk: Chunk) -> bytes | None:
        """Write without waiting. Gives what was not taken; None where nothing was."""
        if self.socket.gettimeout() is None:  # writing would wait
            return None
        data = b"%X\r\n%b\r\n" % (len(chunk), chunk) if self.is_chunked else chunk
        try:
            return data[os.write(self.socket.fileno(), data) :]
        except OSError:  # full, or gone: the thread finds out
            return None


class Listener:
    """`put`, `is_stuck`, `end` and `drop` are the feed's; the server's thread iterates, and closes it."""

    def __init__(
        self, topics: Topics, on_close: Callable[[Listener], None], wire: Wire | None = None
    ) -> None:
        self.topics = topics
        self.last_put = 0.0
        self._chunks: SimpleQueue[Chunk | Rest | None] = SimpleQueue()
        self._on_close = on_close
        self._wire = wire
        self._put_at: deque[float] = deque()  # of chunks that may still wait; the feed's alone
        self._queued = 0  # the feed's alone
        self._sent = -1  # of those that were queued; the thread's alone
        self._ended = False
        self._closed = False
        self._closing = threading.Lock()

    def put(self, chunk: Chunk, now: float) -> bool:
        """Hand over what the client shall get next. `now` in seconds, by the feed's clock.

        Whether it waits for the thread.
        """
        self.last_put = now
        rest = self._write(chunk)
        if rest == b"":
            return False
        self._put_at.append(now)
        self._queued += 1
        self._chunks.put(chunk if rest is None else Rest(rest))
        return True

    def _write(self, chunk: Chunk) -> bytes | None:
        """As a wire does, but only once the thread has sent all before it."""
        if self._wire is None or self._sent != self._queued:
            return None
        with self._closing:  # a connection that is closed may be another client's by now
            return None if self._closed else self._wire.write(chunk)

    def is_stuck(self, now: float) -> bool:
        """Whether the client does not take what it is sent."""
        waiting = self._chunks.qsize()
        while len(self._put_at) > waiting:
            self._put_at.popleft()
        return waiting > MOST_WAITING or (waiting > 0 and now - self._put_at[0] > MOST_SECONDS)

    def end(self) -> None:
        """Send nothing more. Wakes a thread that waits for a chunk or for its client."""
        self._ended = True
        self._queued += 1
        self._chunks.put(None)

    def drop(self) -> None:
        """End it although the client has not taken all: its thread may be in the middle of writing."""
        self.end()
        if self._wire is not None:
            with suppress(OSError):  # it may be gone already
                self._wire.socket.shutdown(socket.SHUT_RDWR)

    def __iter__(self) -> Listener:
        return self

    def __next__(self) -> Chunk:
        """The next chunk; by asking for it the server tells that it has sent the one before."""
        while True:
            self._sent += 1
            chunk = self._chunks.get()
            if chunk is None or self._ended:
                raise StopIteration
            if not isinstance(chunk, Rest):
                return chunk
            assert self._wire is not None
            self._wire.socket.sendall(chunk.data)

    def close(self) -> None:
        """The server is done with the client, for whatever reason."""
        with self._closing:
            self._closed = True
        self._on_close(self)
