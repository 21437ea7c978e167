"""Whether the database was written: what a reader asks again and again instead of reading."""

from __future__ import annotations

import os
import sqlite3
import threading
from typing import Any, Final, Protocol
from urllib.parse import quote

from sqlalchemy import URL

from settlement.store import postgresql
from settlement.store.database import is_sqlite, parse_url

STANDBY_SECONDS: Final = 0.1
"""So often a standby is asked, which hears no notices."""
DEAF_SECONDS: Final = 0.5
"""So often one looks all the same: a notice may not come through, as from a restored backup."""
RETRY_SECONDS: Final = 0.5


class Watch(Protocol):
    """Belongs to one thread at a time."""

    def changed(self) -> bool:
        """Whether anything may have been committed since the last time it was asked; True at first.

        Costs a few microseconds, never waits and never fails: trouble is for those who read.
        """
        ...

    def close(self) -> None: ...


def watch(url: str) -> Watch:
    """The watch of a database, which need not be there yet. Raises StoreError for a URL that is none."""
    parsed = parse_url(url)
    return SqliteWatch(parsed.database or "") if is_sqlite(parsed) else PostgresWatch(parsed)


class SqliteWatch:
    """Asks SQLite for its data version, which other connections' commits change, in any process.

    A file that was replaced has another inode: that is a change, and the new one is watched from then on.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._seen: object = ""

    def changed(self) -> bool:
        state = self._state()
        before, self._seen = self._seen, state
        return state != before

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = None

    def _state(self) -> object:
        """What differs after every commit; None where there is no database to look at."""
        try:
            status = os.stat(self._path)
            file = (status.st_dev, status.st_ino)
            if self._connection is None or file != self._file:
                self.close()
                self._connection = self._open()
                self._file = file
            version = self._connection.execute("PRAGMA data_version").fetchone()
        except (OSError, sqlite3.Error):
            self.close()
            return None
        return file, version

    def _open(self) -> sqlite3.Connection:
        address = f"file:{quote(self._path)}?mode=ro"
        return sqlite3.connect(address, uri=True, isolation_level=None, timeout=0, check_same_thread=False)


class PostgresWatch:
    """Listens for the writer's notices (LISTEN), in a thread and through a connection of its own.

    A standby hears none: there the cursor and the indexer's status are looked at, many times a second. A lost
    connection is a change, and so is one that was found again, perhaps to another server. The thread begins
    when it is first asked: a process may fork until then.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._changes = 0
        self._seen = -1
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def changed(self) -> bool:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
            self._thread.start()
        changes = self._changes
        before, self._seen = self._seen, changes
        return changes != before

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        import psycopg  # noqa: PLC0415

        is_there = True
        while not self._stop.is_set():
            try:
                with postgresql.connect(self._url) as connection:
                    is_there = True
                    self._watch(connection)
            except psycopg.Error:
                if is_there:
                    self._changes += 1
                is_there = False
            self._stop.wait(RETRY_SECONDS)

    def _watch(self, connection: Any) -> None:
        """Count changes until there is trouble, or the watch ends."""
        row: object = None
        heard = is_listening = False
        while not self._stop.is_set():
            is_standby, *state = connection.execute(postgresql.LOOK).fetchone()
            if heard or state != row:
                self._changes += 1
            row, heard = state, False
            if is_standby:
                self._stop.wait(STANDBY_SECONDS)
            elif is_listening:
                heard = any(True for _ in connection.notifies(timeout=DEAF_SECONDS, stop_after=1))
            else:
                connection.execute(f"LISTEN {postgresql.CHANNEL}")
                is_listening = True
