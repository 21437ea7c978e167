"""Checks of the database: readable, of this venue, consistent, and its indexer running."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from indexer.ops.doctor.findings import Finding, duration, fatal, ok, warn
from indexer.ops.doctor.machine import disk
from settlement.core.state import InvariantError, State
from settlement.core.venue import Venue
from settlement.store.database import (
    StoreError,
    explain,
    is_sqlite,
    newest_revision,
    open_reader,
    parse_url,
)
from settlement.store.indexer_status import IndexerStatus, read_status
from settlement.store.lease import Holder, read_holder
from settlement.store.postgresql import read_server
from settlement.store.read.position import read_position
from settlement.store.write.loader import load

HEARTBEAT_LOOKS: Final = 10
HEARTBEAT_SECONDS: Final = 1.0
"""Seconds between two looks. The heartbeat's stamp is of its host's clock: only whether it changes counts."""
LIVE_BLOCKS: Final = 30
"""A ledger that is not further behind has caught up."""
_STALE_STANDBY_SECONDS: Final = 30
_ANOTHER: Final = "choose another with --db"


class Ledger:
    """The database. `state` is its state, once loaded and found consistent."""

    def __init__(self, url: str | None) -> None:
        self.state: State | None = None
        self.reader: Engine | None = None
        self.is_followed = False  # whether an indexer is seen to work on it
        self._url = url

    def examine(self, venue: Venue | None, wait: Callable[[float], object]) -> Iterator[Finding]:
        """Run the checks. `wait` sleeps between two looks at the indexer's heartbeat."""
        if self._url is None:
            yield warn(
                "database", "no database given: the ledger is not checked", "give --db, or set PEAKEDEX_DB"
            )
            return
        try:
            parsed = parse_url(self._url)
        except StoreError as error:
            yield _from_store(error)
            return
        path = Path(parsed.database or "") if is_sqlite(parsed) else None
        if path is not None:
            yield disk(path.parent)
            if _is_missing(path):
                yield warn("database", f"{path} does not exist yet", "start `peakedex run`, which makes it")
                return
        try:
            self.reader = open_reader(self._url)
        except StoreError as error:
            yield _from_store(error)
            return
        yield _server(self.reader) if path is None else _writable(path)
        yield ok("migrations", f"the schema is at revision {newest_revision()}")
        yield from self._load(venue)
        yield from self._indexer(wait)

    def reload(self) -> State | None:
        """Load the current state; None where that fails."""
        if self.reader is not None:
            try:
                self.state = load(self.reader).state
            except (StoreError, SQLAlchemyError, InvariantError):
                return None
        return self.state

    def _load(self, venue: Venue | None) -> Iterator[Finding]:
        assert self.reader is not None
        try:
            with self.reader.connect() as connection:
                position = read_position(connection)
            if position is None:
                yield warn("ledger", "the database has no venue yet", "start `peakedex run`, which begins it")
                return
            self.state = load(self.reader).state
        except SQLAlchemyError as error:
            yield _with_cure("ledger", explain(error))
            return
        except (StoreError, InvariantError) as error:
            yield fatal(
                "ledger",
                f"the books do not add up: {error}",
                "stop the indexer, keep this database, and replay an archive into a new one to compare",
            )
            return
        state = self.state
        where = "no block yet" if state.header is None else f"block {state.header.number}"
        yield ok("ledger", f"{where}, journal {state.journal_hash}; the books add up")
        if venue is not None:
            yield _venue(state, venue)

    def _indexer(self, wait: Callable[[float], object]) -> Iterator[Finding]:
        """The indexer's status, whether its heartbeat moves, and the holder of the lease."""
        status, holder = self._status()
        self.is_followed = (
            status is not None and status.mode != "stopped" and self._is_alive(status.updated, wait)
        )
        start = "start `peakedex run` or `peakedex follow`"
        if status is None:
            yield warn("indexer", "it has never run on this database", start)
        elif status.mode == "stopped":
            reason = f": {status.waiting_for}" if status.waiting_for else ""
            yield warn("indexer", f"stopped at {_utc(status.updated)} by its clock{reason}", start)
        elif not self.is_followed:
            who = f" ({holder})" if holder else ""
            yield warn(
                "indexer",
                f"no heartbeat within {HEARTBEAT_LOOKS * HEARTBEAT_SECONDS:.0f} seconds{who}",
                f"check whether it hangs; if it does not run, {start}",
            )
        elif status.mode == "outdated":
            yield fatal("indexer", f"{status.mode}: {status.waiting_for}", "install the newest version")
        elif status.waiting_for is not None:
            since = _utc(status.waiting_since or status.updated)
            text = f"{status.mode}, waiting for {status.waiting_for} since {since}"
            yield warn("indexer", text, "see the findings of the nodes below")
        else:
            yield ok("indexer", f"{status.mode}: {holder}" if holder else status.mode)

    def _is_alive(self, heartbeat: int, wait: Callable[[float], object]) -> bool:
        """Whether the heartbeat is seen to move from this value."""
        for _ in range(HEARTBEAT_LOOKS):
            wait(HEARTBEAT_SECONDS)
            status, _ = self._status()
            if status is not None and status.updated != heartbeat:
                return True
        return False

    def _status(self) -> tuple[IndexerStatus | None, Holder | None]:
        assert self.reader is not None
        with self.reader.connect() as connection:
            return read_status(connection), read_holder(connection)


def _is_missing(path: Path) -> bool:
    """Whether there is no such file; False where this user may not know."""
    try:
        path.stat()
    except PermissionError:
        return False
    except OSError:
        return True
    return False


def _utc(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _venue(state: State, venue: Venue) -> Finding:
    if state.venue_hash == venue.hash:
        return ok("venue", f"the database belongs to this venue, {venue.hash}")
    return fatal(
        "venue",
        f"the database belongs to venue {state.venue_hash}, the file is {venue.hash}",
        "use the database's own venue file, or another --db",
    )


def _writable(path: Path) -> Finding:
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return ok("database", f"{path} is readable and writable")
    return warn(
        "database",
        f"{path} is not writable by this user",
        "fix the permissions of file and folder, if the indexer runs as this user",
    )


def _server(reader: Engine) -> Finding:
    with reader.connect() as connection:
        server = read_server(connection)
    name = f"PostgreSQL {server.version}"
    if server.standby_age is not None:
        text = f"{name}, a standby whose newest change is {duration(server.standby_age)} old"
        if server.standby_age > _STALE_STANDBY_SECONDS:
            return warn("database", text, "check its replication from the primary")
        return ok("database", f"{text}: for the API, not for an indexer")
    if server.encoding != "UTF8":
        return fatal(
            "database", f"{name} with the encoding {server.encoding}", "recreate it with the encoding UTF8"
        )
    if not server.may_write:
        return ok("database", f"{name}; the role is read-only: enough for the API")
    if not server.is_synchronous:
        return ok("database", f"{name}, readable and writable, without a synchronous standby")
    return ok("database", f"{name}, readable and writable, with a synchronous standby")


def _from_store(error: StoreError) -> Finding:
    """The finding of a StoreError."""
    reason = str(error).rpartition(": ")[0]
    return _with_cure("migrations" if "older" in reason or "newer" in reason else "database", str(error))


def _with_cure(check: str, error: str) -> Finding:
    """The finding of an error whose text ends in the cure after the last colon."""
    reason, _, cure = error.rpartition(": ")
    return fatal(check, reason or cure, cure if reason else _ANOTHER)
