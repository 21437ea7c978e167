"""One snapshot of the database for each request, through a handle that cannot write.

The pool keeps connections (SQLAlchemy's QueuePool, its choice for a SQLite file): opening one costs more
than most of our queries, a kept one keeps its page cache and its prepared statements, and a thread that
finds all of them taken waits its turn instead of opening ever more files.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from api.errors import not_ready
from settlement.store.database import StoreError, open_reader, parse_url
from settlement.store.queries.position import Position, read_position

log = logging.getLogger("peakedex.api")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A read transaction, and the block of which all in it speaks."""

    connection: Connection
    at: Position


class Database:
    """The database as it is now: it may come into being, or be replaced, while the API runs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._path = parse_url(url).database or ""
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One consistent view. Raises ApiError (503) while there is nothing to see yet."""
        with self._open().connect() as connection:
            at = read_position(connection)
            if at is None:
                raise not_ready("The database is still empty: the indexer has not started yet.")
            yield Snapshot(connection, at)

    def _open(self) -> Engine:
        """The engine of the file that is there now; another one where the file is another."""
        try:
            status = os.stat(self._path)
        except OSError as error:
            raise not_ready("The database is not there yet: the indexer has not started.") from error
        file = (status.st_dev, status.st_ino)
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
            log.warning("%s", error)
            raise not_ready("The database cannot be used yet: see the server's log.") from error

    def close(self) -> None:
        """Give all connections back to the system."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
