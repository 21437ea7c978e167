"""The publisher: one thread per process that reads the database and writes to all stream subscribers.

While there are subscribers it checks for commits about fifty times a second, and reads only after one. It
never waits for a client: chunks are queued, and a client that does not read them is dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from api.database import Database
from api.http.errors import ApiError
from api.stream.broadcaster import Broadcaster
from api.stream.subscriber import Subscriber
from api.stream.topics import Topics
from settlement.store.change_detector import open_change_detector
from settlement.store.read.stream import CHANGE_SETS

POLL_SECONDS: Final = 0.02
RETRY_SECONDS: Final = 1.0
"""After the database failed."""
SUBSCRIBE_SECONDS: Final = 15.0
"""A request waits so long for its first events, which are read from the database."""
RETRY_AFTER_SECONDS: Final = 10
"""For clients, when the maximum of streams is open."""

log = logging.getLogger("peakedex.stream")


@dataclass(frozen=True, slots=True)
class PendingSubscription:
    """A subscriber that waits for its first events."""

    subscriber: Subscriber
    last_event_id: str | None  # of the client's earlier stream
    done: Future[None]


class Publisher:
    """Live streams of one process. `subscribe` and `close` may be called from any thread."""

    def __init__(
        self,
        database: Database,
        database_url: str,
        max_streams: int,
        *,
        count: Callable[[float], None] = lambda _: None,
        is_stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        blocks: int = CHANGE_SETS,
    ) -> None:
        """`count` is called with 1 and -1 as streams open and close, `is_stopping` before each poll.

        `blocks`: how many recent active blocks a client may resume from.
        """
        self._database = database
        self._changes = open_change_detector(database_url)
        self._max_streams = max_streams
        self._count = count
        self._is_stopping = is_stopping
        self._clock = clock
        self._broadcaster = Broadcaster(blocks)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._streams = 0
        self._wake = threading.Event()
        self._closing = False
        self._pending: SimpleQueue[PendingSubscription] = SimpleQueue()
        self._gone: SimpleQueue[Subscriber] = SimpleQueue()
        self._has_unread_commit = True
        self._retry_at = 0.0
        self._last_error = ""

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return self._streams

    def subscribe(
        self, topics: Topics, last_event_id: str | None, disconnect: Callable[[], None] = lambda: None
    ) -> Subscriber:
        """A subscriber whose first events are queued; the caller must close it.

        Raises ApiError if too many streams are open, for an unknown pair, or if the database does not answer.
        """
        self._reserve()
        subscriber = Subscriber(topics, self._release, disconnect)
        pending = PendingSubscription(subscriber, last_event_id, Future())
        try:
            self._pending.put(pending)
            self._wake.set()
            pending.done.result(SUBSCRIBE_SECONDS)
        except BaseException as error:
            pending.done.cancel()
            subscriber.close()
            if isinstance(error, TimeoutError):
                raise ApiError("E_BUSY", "The database is busy. Try again in a moment.") from error
            raise
        return subscriber

    def _reserve(self) -> None:
        with self._lock:
            if self._streams >= self._max_streams:
                sentence = (
                    f"All {self._max_streams} streams of this server are in use: "
                    f"try again in {RETRY_AFTER_SECONDS} s."
                )
                raise ApiError("E_STREAMS", sentence, RETRY_AFTER_SECONDS)
            self._streams += 1
            self._count(1)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
                self._thread.start()

    def _release(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._streams -= 1
            self._count(-1)
        self._gone.put(subscriber)

    def close(self) -> None:
        """End all streams soon."""
        self._closing = True
        self._wake.set()

    def _run(self) -> None:
        broadcaster = self._broadcaster
        while not self._closing and not self._is_stopping():
            self._wake.wait(POLL_SECONDS if broadcaster.subscribers else None)
            self._wake.clear()
            now = self._clock()
            try:
                self._poll(now)
            except (ApiError, SQLAlchemyError) as error:
                self._pause(now, str(error))
            except Exception:  # a bug: the stream must survive it, and all subscribers start over
                log.exception("The stream failed")
                self._pause(now, "see the error above")
            broadcaster.tick(now)
        broadcaster.end()
        self._changes.close()

    def _poll(self, now: float) -> None:
        """Read the database if there is a new subscriber, or a commit and anyone to send it to."""
        while not self._gone.empty():
            self._broadcaster.subscribers.discard(self._gone.get())
        pending = []
        while not self._pending.empty():
            subscription = self._pending.get()
            if subscription.done.set_running_or_notify_cancel():
                pending.append(subscription)
        self._has_unread_commit |= self._changes.changed()
        has_news = self._has_unread_commit or self._broadcaster.is_due(now)
        if pending or (has_news and self._broadcaster.subscribers and now >= self._retry_at):
            self._read(pending, now)

    def _read(self, pending: list[PendingSubscription], now: float) -> None:
        self._has_unread_commit = True
        try:
            with self._database.snapshot() as snapshot:
                renderer = self._broadcaster.publish(snapshot, now)
                for subscription in pending:
                    try:
                        self._broadcaster.add(
                            renderer,
                            snapshot.connection,
                            subscription.subscriber,
                            subscription.last_event_id,
                            now,
                        )
                    except ApiError as error:
                        subscription.done.set_exception(error)
                    else:
                        subscription.done.set_result(None)
        except Exception as error:  # whatever it is, no request may wait for it in vain
            for subscription in pending:
                if not subscription.done.done():
                    subscription.done.set_exception(error)
            raise
        self._has_unread_commit = False
        if self._last_error:
            log.info("The stream has recovered")
            self._last_error = ""

    def _pause(self, now: float, error: str) -> None:
        """Retry after RETRY_SECONDS. The same error is logged once."""
        self._retry_at = now + RETRY_SECONDS
        self._broadcaster.report_outage()
        if error != self._last_error:
            self._last_error = error
            log.warning("The stream is waiting for the database: %s", error)
