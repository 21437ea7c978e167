"""Fans out stream events to subscribers. It knows neither threads nor how to handle failures."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from api.database import Snapshot
from api.http.errors import encode, not_found
from api.http.formatting import iso
from api.stream import sse
from api.stream.events import HeadEvent, ResetEvent
from api.stream.recent_blocks import OutOfSync, RecentBlock, RecentBlocks
from api.stream.renderer import Renderer
from api.stream.subscriber import Subscriber
from api.stream.topics import Pair, Topics
from settlement.store.indexer_status import read_status

HEAD_SECONDS: Final = 1.0
"""Minimum between two heads."""
PING_SECONDS: Final = 15.0
RESET_SECONDS: Final = 5.0
"""Minimum between two snapshots for all subscribers, while the indexer records blocks without change sets."""
NO_DATABASE: Final = "The database does not answer."
_EVENT_ID: Final = re.compile(r"([0-9]{1,18})(?:-([0-9a-f]{8}))?")

log = logging.getLogger("peakedex.stream")


class Broadcaster:
    """Belongs to one thread. `now` is in seconds, by a monotonic clock."""

    def __init__(self, blocks: int) -> None:
        """`blocks`: how many recent active blocks a client may resume from."""
        self._blocks = blocks
        self.subscribers: set[Subscriber] = set()
        self._renderer: Renderer | None = None
        self._is_behind = False  # subscribers wait for a snapshot
        self._reset_at = 0.0  # no snapshot for all subscribers before that time
        self._head = HeadEvent(block=0, ts=None, lag=None, mode=None, waiting_for=None)
        self._sent_head = self._head
        self._head_sent_at = 0.0

    def is_due(self, now: float) -> bool:
        """Whether `publish` has something to send without a new commit."""
        return self._is_behind and now >= self._reset_at

    def publish(self, snapshot: Snapshot, now: float) -> Renderer:
        """Send what is new in the database to all subscribers; the renderer serves new ones.

        After an error the next call starts over, because what was read may not have been sent.
        """
        renderer, self._renderer = self._renderer, None
        self._head = _head(snapshot)
        blocks: list[RecentBlock] = []
        if renderer is not None:
            try:
                blocks = renderer.recent.advance(snapshot)
                renderer.advance(blocks, snapshot.connection)
            except OutOfSync as error:
                log.warning("All streams start over with a snapshot: %s", error)
                renderer = None
        if renderer is None:
            renderer = Renderer(RecentBlocks(snapshot, self._blocks), snapshot.connection)
            self._is_behind = True
        if self.is_due(now):
            self._send_snapshots(renderer, snapshot.connection, now)
            self._is_behind = False
            if self.subscribers:
                self._reset_at = now + RESET_SECONDS
        elif blocks and not self._is_behind:
            self._send(lambda topics: renderer.changes(blocks, topics), now)
        self._renderer = renderer
        return renderer

    def _send(self, render: Callable[[Topics], bytes], now: float) -> None:
        """Send to all subscribers, rendering once for each distinct set of topics."""
        head = self._due_head(now)
        chunks: dict[Topics, bytes] = {}
        for subscriber in self.subscribers:
            topics = subscriber.topics
            if topics not in chunks:
                chunks[topics] = render(topics) + head
            subscriber.put(chunks[topics], now)

    def _send_snapshots(self, renderer: Renderer, connection: Connection, now: float) -> None:
        for subscriber in list(self.subscribers):
            if _unknown_pair(renderer, subscriber.topics) is not None:
                subscriber.end()  # the client gets the error when it reconnects
                self.subscribers.discard(subscriber)
        reset = _reset("started_anew")
        self._send(lambda topics: reset + renderer.snapshot(connection, topics), now)

    def add(
        self,
        renderer: Renderer,
        connection: Connection,
        subscriber: Subscriber,
        last_event_id: str | None,
        now: float,
    ) -> None:
        """Add a subscriber, and send it the changes since `last_event_id`, or else a snapshot.

        Raises ApiError (404) for a pair that does not exist.
        """
        unknown = _unknown_pair(renderer, subscriber.topics)
        if unknown is not None:
            raise not_found(f"There is no pair {unknown}. /api/pairs lists them.", "E_PAIR")
        first = sse.RETRY
        missed = None
        if last_event_id is not None:
            reason, missed = _missed_blocks(renderer.recent, last_event_id)
            first += b"" if reason is None else _reset(reason)
        if missed is None:
            first += renderer.snapshot(connection, subscriber.topics)
        else:
            first += renderer.changes(missed, subscriber.topics)
        subscriber.put(first + _head_event(self._head), now)
        self.subscribers.add(subscriber)

    def report_outage(self) -> None:
        """Say in the next head that the database does not answer."""
        last = self._head
        self._head = HeadEvent(block=last.block, ts=last.ts, lag=None, mode=None, waiting_for=NO_DATABASE)

    def tick(self, now: float) -> None:
        """Send what is due by time: heads and pings. Drop subscribers that do not read."""
        head = self._due_head(now)
        for subscriber in list(self.subscribers):
            if head:
                subscriber.put(head, now)
            elif now - subscriber.last_put >= PING_SECONDS:
                subscriber.put(sse.PING + _head_event(self._head), now)
            if subscriber.is_stuck(now):
                subscriber.drop()
                self.subscribers.discard(subscriber)
                log.warning("Dropped a stream client that does not read")

    def end(self) -> None:
        """End all streams."""
        for subscriber in self.subscribers:
            subscriber.end()

    def _due_head(self, now: float) -> bytes:
        """The head event if it has changed and the last one is old enough; else nothing."""
        if self._head == self._sent_head or now - self._head_sent_at < HEAD_SECONDS:
            return b""
        self._sent_head, self._head_sent_at = self._head, now
        return _head_event(self._head)


def _missed_blocks(recent: RecentBlocks, last_event_id: str) -> tuple[str | None, list[RecentBlock] | None]:
    """The blocks after that event; or the reason why the client cannot resume, and None."""
    found = _EVENT_ID.fullmatch(last_event_id)
    if found is None:
        return "unknown", None
    seq, hash_prefix = int(found[1]), found[2]
    if seq < recent.first:
        return "too_old", None
    missed = recent.since(seq, hash_prefix)
    return (None, missed) if missed is not None else ("unknown", None)


def _unknown_pair(renderer: Renderer, topics: Topics) -> Pair | None:
    return next((pair for pair in topics.pairs() if pair not in renderer.formats), None)


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
