"""SQLite engines: connection settings, and hints for its error messages."""

from __future__ import annotations

import sqlite3
from types import NoneType
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event

_BUSY_TIMEOUT_SECONDS: Final = 10
"""How long a statement waits for another process's lock. A URL may set its own: `sqlite:///FILE?timeout=5`."""
_READER_CONNECTIONS: Final = 64
"""Read-only connections per process: one per thread of the API."""
_WRITER_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=NORMAL",  # a power cut may lose the last commits but tears none; the chain still has them
    "cache_size=-65536",  # 64 MB
    "wal_autocheckpoint=20000",
)
_READER_PRAGMAS: Final = ("query_only=ON", "temp_store=MEMORY")

HINTS: Final = {
    "database is locked": "another process is writing to it: run one indexer per database",
    "database or disk is full": "free disk space and restart; no data is lost",
    "disk I/O error": "check the disk, then restart",
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
        database=f"file:{quote(url.database or '')}", query={**url.query, "mode": "ro", "uri": "true"}
    )
    engine = create_engine(read_only, pool_size=_READER_CONNECTIONS, connect_args=_timeout(url))
    event.listen(engine, "connect", _set_up_reader)
    event.listen(engine, "begin", _begin)
    return engine


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
