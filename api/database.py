"""One snapshot of the database for each request, through a handle that cannot write.

The pool keeps connections (SQLAlchemy's QueuePool): opening one costs more than most of our queries, a kept
one keeps its page cache and its prepared statements, and a thread that finds all of them taken waits its turn
instead of opening ever more.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from api.http.errors import ApiError, not_found, not_ready
from api.http.formatting import iso
from settlement.store.change_detector import watch
from settlement.store.database import StoreError, is_lost, is_sqlite, open_reader, parse_url
from settlement.store.read.position import Position, read_first_block, read_past, read_position

log = logging.getLogger("peakedex.api")
REST_SECONDS: Final = 1.0
"""A server that was lost is not asked again before: each attempt may take seconds, and threads are few."""
PATIENCE: Final = 50
"""While one thread looks, the others go on with what was seen before, up to so many times as old."""


class Seen(NamedTuple):
    """Where the database stood when a look began, by our clock."""

    position: Position
    looked_at: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A read transaction, and the block of which all in it speaks: the newest, or a past one.

    `at` is the newest position in any case. `timestamp` and `journal_hash` are those of `block`.
    """

    connection: Connection
    at: Position
    block: int
    timestamp: int | None
    journal_hash: str

    @property
    def stamp(self) -> tuple[int, str | None]:
        """What every answer begins with: the block, and its time."""
        return self.block, None if self.timestamp is None else iso(self.timestamp)

    def past(self, block: int) -> Snapshot:
        """The same as of a past block. Raises ApiError (404) where that is not recorded."""
        self.check_block(block)
        if block == self.at.block:
            return self
        past = read_past(self.connection, block)
        journal_hash = "" if past is None else past.journal_hash
        timestamp = None if past is None else past.timestamp
        return Snapshot(self.connection, self.at, block, timestamp, journal_hash)

    def check_block(self, block: int) -> None:
        """Raises ApiError (404) for a block that is not recorded: before the first, or not read yet."""
        before = read_first_block(self.connection) - 1
        if block < before:
            raise not_found(
                f"Block {block} is before this venue: {before} is the first to ask for.", "E_BLOCK"
            )
        if block > self.at.block:
            raise not_found(f"Block {block} is not recorded yet: the newest is {self.at.block}.", "E_BLOCK")


class Database:
    """The database as it is now: it may come into being, or be replaced, while the API runs."""

    def __init__(self, url: str, fresh_seconds: float = 0.0) -> None:
        """So long what was seen is taken for how things are: a look makes a busy process wait for its other
        threads. 0: everything that was committed before a request began is in its answer."""
        self._url = url
        self._fresh_seconds = fresh_seconds
        parsed = parse_url(url)
        self._path = (parsed.database or "") if is_sqlite(parsed) else None
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None
        self._watch = watch(url)
        self._watch_lock = threading.Lock()
        self._seen: Seen | None = None
        self._rest_until = 0.0
        self._trouble = ""

    def position(self) -> Position:
        """Where the database stood at most `fresh_seconds` ago, or while somebody looks PATIENCE times that.

        Raises ApiError (503) while there is nothing to see yet.
        """
        seen = self._seen
        if seen is not None:
            age = time.monotonic() - seen.looked_at
            fresh = self._fresh_seconds
            if age < fresh or (age < PATIENCE * fresh and self._watch_lock.locked()):
                return seen.position
        return self.look()

    def look(self) -> Position:
        """Where the database stands now: read anew only after something was written.

        One look serves all who waited for their turn meanwhile: it began after they asked.
        Raises ApiError (503) while there is nothing to see yet.
        """
        asked_at = time.monotonic()
        with self._watch_lock:
            seen = self._seen
            if seen is not None and asked_at < seen.looked_at:
                return seen.position
            looked_at = time.monotonic()
            is_stale = self._watch.changed()
            position = self._read_position() if is_stale or seen is None else seen.position
            self._seen = Seen(position, looked_at)
            return position

    def tell(self, position: Position, began: float) -> None:
        """Somebody else read the position out of a snapshot that he took after `began`."""
        with self._watch_lock:
            if self._seen is not None and began > self._seen.looked_at:
                self._seen = Seen(position, began)

    def _read_position(self) -> Position:
        try:
            with self.snapshot() as snapshot:
                return snapshot.at
        except BaseException:
            self._seen = None  # that there was a change is known only once
            raise

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One consistent view. Raises ApiError (503) while there is nothing to see yet, or no server."""
        if time.monotonic() < self._rest_until:
            raise ApiError("E_BUSY", "The database does not answer. Try again in a moment.")
        try:
            with self._open().connect() as connection:
                at = read_position(connection)
                if at is None:
                    raise not_ready("The database is still empty: the indexer has not started yet.")
                yield Snapshot(connection, at, at.block, at.timestamp, at.journal_hash)
        except SQLAlchemyError as error:
            if is_lost(error):
                self._rest_until = time.monotonic() + REST_SECONDS
            raise

    def _file_now(self) -> tuple[int, int] | None:
        """What tells one file from another; None for what is no file."""
        if self._path is None:
            return None
        try:
            status = os.stat(self._path)
        except OSError as error:
            raise not_ready("The database is not there yet: the indexer has not started.") from error
        return status.st_dev, status.st_ino

    def _open(self) -> Engine:
        """The engine of the database that is there now; another one where the file is another."""
        file = self._file_now()
        with self._lock:
            if self._engine is None or file != self._file:
                if self._engine is not None:
                    self._engine.dispose()
                    self._engine = None
                self._engine, self._file = self._connect(), file
            return self._engine

    def _connect(self) -> Engine:
        try:
            return open_reader(self._url)
        except StoreError as error:
            if self._path is None:
                self._rest_until = time.monotonic() + REST_SECONDS
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("%s", error)
            raise not_ready("The database cannot be used yet: see the server's log.") from error

    def close(self) -> None:
        """Give all connections back to the system."""
        with self._watch_lock:
            self._watch.close()
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
