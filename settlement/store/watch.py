"""Whether the database was written: what a reader asks again and again instead of reading."""

from __future__ import annotations

import os
import sqlite3
from typing import Protocol
from urllib.parse import quote

from settlement.store.database import parse_url


class Watch(Protocol):
    """Belongs to one thread at a time. Another kind of database can listen for its own notices instead."""

    def changed(self) -> bool:
        """Whether anything may have been committed since the last time it was asked; True at first.

        Costs a few microseconds, never waits and never fails: trouble is for those who read.
        """
        ...

    def close(self) -> None: ...


def watch(url: str) -> Watch:
    """The watch of a database, which need not be there yet. Raises StoreError for a URL that is none."""
    return SqliteWatch(parse_url(url).database or "")


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
