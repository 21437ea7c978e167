"""What is told to whom: everything about the stream but threads and trouble."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from api.database import Snapshot
from api.http.errors import encode, not_found
from api.http.formatting import iso
from api.stream import sse
from api.stream.books import OutOfStep
from api.stream.recent_blocks import Entry, History
from api.stream.render import Renderer
from api.stream.shapes import HeadEvent, ResetEvent
from api.stream.subscriber import Listener
from api.stream.topics import Pair, Topics
from settlement.store.status import read_status

HEAD_SECONDS: Final = 1.0
"""Between two heads, at least."""
PING_SECONDS: Final = 15.0
AT_ONCE: Final = 16
BREATH_SECONDS: Final = 0.001
"""After so many threads were woken they may run: hundreds together would spend more time on waiting for the
interpreter than on writing."""
NO_DATABASE: Final = "The database does not answer."
_LAST: Final = re.compile(r"([0-9]{1,18})(?:-([0-9a-f]{8}))?")

log = logging.getLogger("peakedex.stream")


class Teller:
    """Belongs to one thread. `now` is in seconds, by any clock that does not go back."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self.listeners: set[Listener] = set()
        self._renderer: Renderer | None = None
        self._head = HeadEvent(block=0, ts=None, lag=None, mode=None, waiting_for=None)
        self._told_head = self._head
        self._head_told_at = 0.0

    def read(self, snapshot: Snapshot, now: float) -> Renderer:
        """Tell all listeners what is new in the database, and be ready for more of them.

        After any error the next call starts anew: what was read before it might not have been told.
        """
        renderer, self._renderer = self._renderer, None
        self._head = _head(snapshot)
        entries: Sequence[Entry] = ()
        if renderer is not None:
            try:
                entries = renderer.history.advance(snapshot)
            except OutOfStep as error:
                log.warning("all listeners start anew: %s", error)
                renderer = None
        if renderer is None:
            renderer = Renderer(History(snapshot, self._blocks))
            self._tell_anew(renderer, snapshot.connection, now)
        elif entries:
            renderer.moved()
            self._tell(lambda topics: renderer.changes(snapshot.connection, entries, topics), now)
        self._renderer = renderer
        return renderer

    def _tell(self, write: Callable[[Topics], bytes], now: float) -> None:
        """The same to all who asked for the same."""
        head = self._due_head(now)
        chunks: dict[Topics, bytes] = {}
        woken = 0
        for listener in self.listeners:
            topics = listener.topics
            if topics not in chunks:
                chunks[topics] = write(topics) + head
            woken += listener.put(chunks[topics], now)
            if woken == AT_ONCE:
                time.sleep(BREATH_SECONDS)
                woken = 0

    def _tell_anew(self, renderer: Renderer, connection: Connection, now: float) -> None:
        for listener in list(self.listeners):
            if _unknown_pair(renderer.history, listener.topics) is not None:
                listener.end()  # it is told so when it comes back
                self.listeners.discard(listener)
        reset = _reset("started_anew")
        self._tell(lambda topics: reset + renderer.snapshot(connection, topics), now)

    def admit(
        self, renderer: Renderer, connection: Connection, listener: Listener, last: str | None, now: float
    ) -> None:
        """Tell a new listener what it missed since the event `last`, or how all stands.

        Raises ApiError (404) where it asks for a pair that is not there.
        """
        unknown = _unknown_pair(renderer.history, listener.topics)
        if unknown is not None:
            raise not_found(f"There is no pair {unknown}. /api/pairs lists them.", "E_PAIR")
        first = sse.RETRY
        missed = None
        if last is not None:
            reason, missed = _since(renderer.history, last)
            first += b"" if reason is None else _reset(reason)
        if missed is None:
            first += renderer.snapshot(connection, listener.topics)
        else:
            first += renderer.changes(connection, missed, listener.topics)
        listener.put(first + _head_event(self._head), now)
        self.listeners.add(listener)

    def trouble(self) -> None:
        """The database cannot be read for now."""
        at = self._head
        self._head = HeadEvent(block=at.block, ts=at.ts, lag=None, mode=None, waiting_for=NO_DATABASE)

    def beat(self, now: float) -> None:
        """What time alone brings: heads, heartbeats, and the end of those who do not listen."""
        head = self._due_head(now)
        for listener in list(self.listeners):
            if head:
                listener.put(head, now)
            elif now - listener.last_put >= PING_SECONDS:
                listener.put(sse.PING + _head_event(self._head), now)
            if listener.is_stuck(now):
                listener.drop()
                self.listeners.discard(listener)
                log.warning("a client that took nothing for too long was dropped")

    def end(self) -> None:
        for listener in self.listeners:
            listener.end()

    def _due_head(self, now: float) -> bytes:
        """The head, where it is another one and may be told already."""
        if self._head == self._told_head or now - self._head_told_at < HEAD_SECONDS:
            return b""
        self._told_head, self._head_told_at = self._head, now
        return _head_event(self._head)


def _since(history: History, last: str) -> tuple[str | None, list[Entry] | None]:
    """Why nothing can be resumed, or else the blocks after the event that a listener got last."""
    found = _LAST.fullmatch(last)
    if found is None:
        return "unknown", None
    seq, mark = int(found[1]), found[2]
    if seq < history.first.n:
        return "too_old", None
    missed = history.since(seq, mark)
    return (None, missed) if missed is not None else ("unknown", None)


def _unknown_pair(history: History, topics: Topics) -> Pair | None:
    return next((pair for pair in topics.pairs() if pair not in history.shows), None)


def _head(snapshot: Snapshot) -> HeadEvent:
    status = read_status(snapshot.connection)
    at = snapshot.at
    return HeadEvent(
        block=at.block,
        ts=None if at.timestamp is None else iso(at.timestamp),
        lag=at.lag,
        mode=None if status is None else status.mode,
        waiting_for=None if status is None else status.waiting_for,
    )


def _head_event(head: HeadEvent) -> bytes:
    return sse.event("head", encode(head))


def _reset(reason: str) -> bytes:
    return sse.event("reset", encode(ResetEvent(reason=reason)))
