"""Detects commits to a database cheaply, so that readers need not query it again and again."""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import Any, Final, Protocol
from urllib.parse import quote

from sqlalchemy import URL

from settlement.store import postgresql
from settlement.store.database import is_sqlite, parse_url

STANDBY_POLL_SECONDS: Final = 0.1
"""How often a PostgreSQL standby is queried, because LISTEN does not work on standbys."""
POLL_SECONDS: Final = 0.5
"""How often a PostgreSQL primary is queried besides LISTEN: some changes send no notification, such as a
restored backup."""
RETRY_SECONDS: Final = 0.5


class ChangeDetector(Protocol):
    """Used by one thread at a time."""

    def changed(self) -> bool:
        """Whether anything may have been committed since the last call; True on the first call.

        Takes a few microseconds, never blocks and never raises: readers report database errors.
        """
        ...

    def close(self) -> None: ...


def open_change_detector(url: str) -> ChangeDetector:
    """The change detector of a database, which may not exist yet. Raises StoreError for an invalid URL."""
    parsed = parse_url(url)
    if is_sqlite(parsed):
        return SqliteChangeDetector(parsed.database or "")
    return PostgresqlChangeDetector(parsed)


class SqliteChangeDetector:
    """Compares SQLite's `data_version`, which changes with the commits of other connections, in any process.

    Replacing the file counts as a change (its inode differs); the new file is watched from then on.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._version: object = ""

    def changed(self) -> bool:
        version = self._read_version()
        before, self._version = self._version, version
        return version != before

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = None

    def _read_version(self) -> object:
        """A value that differs after every commit; None if there is no readable database."""
        try:
            status = os.stat(self._path)
            file = (status.st_dev, status.st_ino)
            if self._connection is None or file != self._file:
                self.close()
                self._connection = self._connect()
                self._file = file
            version = self._connection.execute("PRAGMA data_version").fetchone()
        except (OSError, sqlite3.Error):
            self.close()
            return None
        return file, version

    def _connect(self) -> sqlite3.Connection:
        url = f"file:{quote(self._path)}?mode=ro"
        return sqlite3.connect(url, uri=True, isolation_level=None, timeout=0, check_same_thread=False)


class PostgresqlChangeDetector:
    """Listens for the writer's notifications (LISTEN) in a thread with its own connection.

    On a standby, where LISTEN does not work, it polls the cursor and the indexer's status. Losing the
    connection and connecting again, perhaps to another server, both count as changes. The thread starts with
    the first call of `changed`, so the process may fork before.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._changes = 0
        self._changes_seen = -1
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def changed(self) -> bool:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="change-detector", daemon=True)
            self._thread.start()
        changes = self._changes
        before, self._changes_seen = self._changes_seen, changes
        return changes != before

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        import psycopg  # noqa: PLC0415

        is_connected = True
        while not self._stop.is_set():
            try:
                with postgresql.connect(self._url) as connection:
                    is_connected = True
                    self._count_changes(connection)
            except psycopg.Error:
                if is_connected:
                    self._changes += 1
                is_connected = False
            self._stop.wait(RETRY_SECONDS)

    def _count_changes(self, connection: Any) -> None:
        """Count changes until the detector is closed. Raises psycopg.Error if the connection is lost."""
        last_values: object = None
        is_notified = is_listening = False
        while not self._stop.is_set():
            is_standby, *values = connection.execute(postgresql.CHANGE_QUERY).fetchone()
            if is_notified or values != last_values:
                self._changes += 1
            last_values, is_notified = values, False
            if is_standby:
                self._stop.wait(STANDBY_POLL_SECONDS)
            elif is_listening:
                is_notified = any(True for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1))
            else:
                connection.execute(f"LISTEN {postgresql.CHANNEL}")
                is_listening = True
