"""The feed: one thread in each process reads the database for all its listeners.

It looks about fifty times a second whether anything was committed, while somebody listens, and reads only
then. It never waits for a listener: what that does not take at once is queued, and who takes nothing is
dropped.
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
from api.stream.books import OutOfStep
from api.stream.broadcaster import Teller
from api.stream.recent_blocks import BLOCKS
from api.stream.subscriber import Listener, Wire
from api.stream.topics import Topics
from settlement.store.change_detector import Watch

LOOK_SECONDS: Final = 0.02
REST_SECONDS: Final = 1.0
"""After the database failed us."""
ADMIT_SECONDS: Final = 15.0
"""So long a request waits for its first events, which are read from the database."""
RETRY_SECONDS: Final = 10

log = logging.getLogger("peakedex.stream")


@dataclass(frozen=True, slots=True)
class Admission:
    """A listener that waits for its first events. `last` is the last event of its earlier stream."""

    listener: Listener
    last: str | None
    done: Future[None]


class Feed:
    """`open` and `close` are for any thread; the rest belongs to the feed's own."""

    def __init__(
        self,
        database: Database,
        watch: Watch,
        most: int,
        count: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        blocks: int = BLOCKS,
    ) -> None:
        """At `most` so many streams at once; `count` is told when there is one more or less. `blocks` of
        ours can be resumed."""
        self._database = database
        self._watch = watch
        self._most = most
        self._count = count
        self._clock = clock
        self._teller = Teller(blocks)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._streams = 0
        self._wake = threading.Event()
        self._stopping = False
        self._admissions: SimpleQueue[Admission] = SimpleQueue()
        self._gone: SimpleQueue[Listener] = SimpleQueue()
        self._behind = True
        self._rest_until = 0.0
        self._trouble = ""

    def open(self, topics: Topics, last: str | None, wire: Wire | None = None) -> Listener:
        """A new listener with its first events; whoever gets it must close it.

        Raises ApiError where there is no room for it, or nothing to tell.
        """
        self._take_place()
        listener = Listener(topics, self._leave, wire)
        admission = Admission(listener, last, Future())
        try:
            self._admissions.put(admission)
            self._wake.set()
            admission.done.result(ADMIT_SECONDS)
        except BaseException as error:
            admission.done.cancel()
            listener.close()
            if isinstance(error, TimeoutError):
                raise ApiError("E_BUSY", "The database is busy. Try again in a moment.") from error
            raise
        return listener

    def _take_place(self) -> None:
        with self._lock:
            if self._streams >= self._most:
                sentence = (
                    f"All {self._most} streams of this server are taken: try again in {RETRY_SECONDS} s."
                )
                raise ApiError("E_STREAMS", sentence, RETRY_SECONDS)
            self._streams += 1
            self._count(1)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
                self._thread.start()

    def _leave(self, listener: Listener) -> None:
        with self._lock:
            self._streams -= 1
            self._count(-1)
        self._gone.put(listener)

    def close(self) -> None:
        """End all streams, soon. A signal handler may call it."""
        self._stopping = True
        self._wake.set()

    def _run(self) -> None:
        teller = self._teller
        while not self._stopping:
            self._wake.wait(LOOK_SECONDS if teller.listeners else None)
            self._wake.clear()
            now = self._clock()
            try:
                self._look(now)
            except (ApiError, SQLAlchemyError, OutOfStep) as error:
                self._rest(now, str(error))
            except Exception:  # a bug in us: all start anew, but nobody is left without a word
                log.exception("the stream failed")
                self._rest(now, "it failed, see above")
            teller.beat(now)
        teller.end()
        self._watch.close()

    def _look(self, now: float) -> None:
        """Read the database if somebody wants to hear of it, and there may be something new."""
        while not self._gone.empty():
            self._teller.listeners.discard(self._gone.get())
        admissions = []
        while not self._admissions.empty():
            admission = self._admissions.get()
            if admission.done.set_running_or_notify_cancel():
                admissions.append(admission)
        self._behind |= self._watch.changed()
        if admissions or (self._behind and self._teller.listeners and now >= self._rest_until):
            self._read(admissions, now)

    def _read(self, admissions: list[Admission], now: float) -> None:
        self._behind = True
        began = time.monotonic()
        try:
            with self._database.snapshot() as snapshot:
                self._database.tell(snapshot.at, began)  # no answer of this process is behind its stream
                renderer = self._teller.read(snapshot, now)
                for admission in admissions:
                    try:
                        self._teller.admit(
                            renderer, snapshot.connection, admission.listener, admission.last, now
                        )
                    except ApiError as error:
                        admission.done.set_exception(error)
                    else:
                        admission.done.set_result(None)
        except Exception as error:
            for admission in admissions:
                if not admission.done.done():
                    admission.done.set_exception(error)
            raise
        self._behind = False
        if self._trouble:
            log.warning("the stream goes on")
            self._trouble = ""

    def _rest(self, now: float, trouble: str) -> None:
        """Try again in a moment. Said once."""
        self._rest_until = now + REST_SECONDS
        self._teller.trouble()
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("the stream waits: %s", trouble)
