"""Read-only database access: one consistent snapshot per request.

Connections are pooled (SQLAlchemy's QueuePool): opening one costs more than most queries, a pooled one keeps
its page cache and prepared statements, and a thread waits for a free one instead of opening ever more.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from api.heartbeat import HeartbeatMonitor, Liveness
from api.http.errors import ApiError, not_found, not_ready
from api.http.formatting import iso
from settlement.store.database import StoreError, is_connection_lost, is_sqlite, open_reader, parse_url
from settlement.store.read.position import Position, read_active_block, read_earliest_block, read_position

log = logging.getLogger("peakedex.api")
RETRY_SECONDS: Final = 1.0
"""Pause after a lost connection: an attempt may take seconds, and threads are few."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A read transaction as of the end of one block."""

    connection: Connection
    at: Position  # the newest position, also in the snapshot of a past block
    block: int  # the newest block, or the past one that was asked for
    timestamp: int | None  # of that block, seconds since 1970; None before the first
    journal_hash: str  # after that block
    liveness: Liveness | None  # of the indexer; None if none has ever reported its status

    @property
    def stamp(self) -> tuple[int, str | None]:
        """Block number and time: the first two fields of every answer."""
        return self.block, None if self.timestamp is None else iso(self.timestamp)

    def past(self, block: int) -> Snapshot:
        """The snapshot as of a past block. Raises ApiError (404) if that block is not recorded."""
        self.check_block(block)
        if block == self.at.block:
            return self
        past = read_active_block(self.connection, block)
        journal_hash = "" if past is None else past.journal_hash
        timestamp = None if past is None else past.timestamp
        return replace(self, block=block, timestamp=timestamp, journal_hash=journal_hash)

    def check_block(self, block: int) -> None:
        """Raises ApiError (404) for a block before the history's first, or not recorded yet."""
        before = read_earliest_block(self.connection)
        if block < before:
            raise not_found(
                f"Block {block} is before the recorded history: {before} is the first available.", "E_BLOCK"
            )
        if block > self.at.block:
            raise not_found(f"Block {block} is not recorded yet: the newest is {self.at.block}.", "E_BLOCK")


class Database:
    """Opens snapshots. The database may be created or replaced while the API runs."""

    def __init__(self, url: str, heartbeat: HeartbeatMonitor | None = None) -> None:
        """`heartbeat` observes the indexer's heartbeat in each snapshot; by default a new monitor."""
        self._url = url
        self._heartbeat = heartbeat or HeartbeatMonitor()
        parsed = parse_url(url)
        self._path = (parsed.database or "") if is_sqlite(parsed) else None
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None
        self._retry_at = 0.0
        self._last_error = ""

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """A consistent view of the newest block. Raises ApiError (503) without a block or database."""
        if time.monotonic() < self._retry_at:
            raise ApiError("E_BUSY", "The database does not answer. Try again in a moment.")
        try:
            with self._open().connect() as connection:
                at = read_position(connection)
                if at is None:
                    raise not_ready("The database is still empty: the indexer has not started yet.")
                liveness = self._heartbeat.observe(at.status_updated)
                yield Snapshot(connection, at, at.block, at.timestamp, at.journal_hash, liveness)
        except SQLAlchemyError as error:
            if is_connection_lost(error):
                self._retry_at = time.monotonic() + RETRY_SECONDS
            raise

    def _file_id(self) -> tuple[int, int] | None:
        """Device and inode of an SQLite file, which change when it is replaced; None for PostgreSQL."""
        if self._path is None:
            return None
        try:
            status = os.stat(self._path)
        except OSError as error:
            raise not_ready("The database is not there yet: the indexer has not started.") from error
        return status.st_dev, status.st_ino

    def _open(self) -> Engine:
        """The engine of the current database; a new one if the file was replaced."""
        file = self._file_id()
        with self._lock:
            if self._engine is None or file != self._file:
                self._dispose()
                self._engine, self._file = self._connect(), file
            return self._engine

    def _connect(self) -> Engine:
        try:
            return open_reader(self._url)
        except StoreError as error:
            if self._path is None:
                self._retry_at = time.monotonic() + RETRY_SECONDS
            if str(error) != self._last_error:
                self._last_error = str(error)
                log.warning("%s", error)
            raise not_ready("The database cannot be used yet: see the server's log.") from error

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._dispose()
