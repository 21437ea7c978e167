"""SQLite engines: connection settings, and hints for its error messages."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from types import NoneType
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event

_BUSY_TIMEOUT_SECONDS: Final = 10
"""How long a statement waits for another process's lock. A URL may set its own: `sqlite:///FILE?timeout=5`."""
_READER_CONNECTIONS: Final = 64
"""Read-only connections per process: one per thread of the API."""
LARGE_LOG_BYTES: Final = 4 << 20
"""Size of the write-ahead log from which `checkpoint_log` merges it into the database file."""
_WRITER_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=NORMAL",  # a power cut may lose the last commits but tears none; the chain still has them
    "cache_size=-65536",  # 64 MB
    "wal_autocheckpoint=20000",
    f"journal_size_limit={LARGE_LOG_BYTES}",  # the file shrinks to it when the log starts again
)
_READER_PRAGMAS: Final = ("query_only=ON", "temp_store=MEMORY")

HINTS: Final = {
    "database is locked": "another process is writing to it: run one indexer per database",
    "database or disk is full": "free disk space and restart; no data is lost",
    "disk I/O error": "check the disk, then restart",
    "disk image is malformed": "keep the damaged file; restore a backup, or replay into a new one",
    "file is not a database": "choose another file with --db",
    "readonly database": "fix the permissions of the file and its folder",
    "unable to open database file": "fix the permissions, or choose another file with --db",
}

_none: dict[None, None] = {}
sqlite3.register_adapter(NoneType, _none.get)
"""None stays None. Without an adapter the driver searches for one at each parameter that is None, which takes
0.25 µs: a third of the time of writing an order."""


def writer_engine(url: URL, durable: bool) -> Engine:
    """Engine for the single writer. With `durable`, every commit survives a power cut."""
    engine = create_engine(url, connect_args=_timeout(url))
    event.listen(engine, "connect", _set_up_durable_writer if durable else _set_up_writer)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def reader_engine(url: URL) -> Engine:
    """Read-only engine; each transaction is a snapshot."""
    read_only = url.set(
        database=f"file:{quote(os.fsencode(url.database or ''))}",
        query={**url.query, "mode": "ro", "uri": "true"},
    )
    engine = create_engine(read_only, pool_size=_READER_CONNECTIONS, connect_args=_timeout(url))
    event.listen(engine, "connect", _set_up_reader)
    event.listen(engine, "begin", _begin)
    return engine


def checkpoint_log(engine: Engine) -> None:
    """Merge a large write-ahead log into the database file, as far as readers and the writer allow.

    Neither waits for it. Without it the writer does the same in one of its commits, once the log has the
    20,000 pages that make catching up fast.
    """
    log = Path(f"{engine.url.database}-wal")
    if log.exists() and log.stat().st_size > LARGE_LOG_BYTES:
        connection = engine.raw_connection()  # outside of a transaction
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()


def _timeout(url: URL) -> dict[str, Any]:
    return {} if "timeout" in url.query else {"timeout": _BUSY_TIMEOUT_SECONDS}


def _set_up_writer(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # transactions begin in the `begin` listener only
    for pragma in _WRITER_PRAGMAS:
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _set_up_durable_writer(dbapi_connection: Any, record: object) -> None:
    _set_up_writer(dbapi_connection, record)
    dbapi_connection.execute("PRAGMA synchronous=FULL")


def _set_up_reader(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None
    # ATTACH could create files: a read-only connection is read-only for its own file alone.
    dbapi_connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    for pragma in _READER_PRAGMAS:
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
