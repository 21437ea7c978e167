"""The database: whether it can be read, is ours and of this venue, adds up, and what its indexer does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from indexer.ops.doctor.findings import Finding, fatal, ok, span, warn
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
from settlement.store.lease import read_holder
from settlement.store.postgresql import read_server
from settlement.store.status import read_status
from settlement.store.write.loader import load

_SILENT_SECONDS: Final = 30
_ANOTHER: Final = "name another with --db"


class Ledger:
    """The database under examination. `state` is what it holds, once that is known to be whole."""

    def __init__(self, url: str | None) -> None:
        self.state: State | None = None
        self.reader: Engine | None = None
        self._url = url

    def examine(self, venue: Venue | None, now: float) -> Iterator[Finding]:
        """What is to say of it."""
        if self._url is None:
            yield warn(
                "database", "none named, so the ledger is not looked at", "give --db, or set PEAKEDEX_DB"
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
            if not path.exists():
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
        yield from self._indexer(now)

    def reload(self) -> State | None:
        """The ledger as it is by now; None where it cannot be read any more."""
        if self.reader is not None:
            try:
                self.state = load(self.reader).state
            except (StoreError, SQLAlchemyError, InvariantError):
                return None
        return self.state

    def _load(self, venue: Venue | None) -> Iterator[Finding]:
        assert self.reader is not None
        try:
            self.state = load(self.reader).state
        except StoreError as error:
            yield warn("ledger", str(error).partition(": ")[0], "start `peakedex run`, which begins it")
            return
        except SQLAlchemyError as error:
            yield fatal("ledger", explain(error), _ANOTHER)
            return
        except InvariantError as error:
            yield fatal(
                "ledger",
                f"the books do not add up: {error}",
                "stop, keep this file, and replay an archive into a new database to compare",
            )
            return
        state = self.state
        where = "no block yet" if state.header is None else f"block {state.header.number}"
        yield ok("ledger", f"{where}, journal {state.journal_hash}; the books add up")
        if venue is not None:
            yield _venue(state, venue)

    def _indexer(self, now: float) -> Iterator[Finding]:
        """What the indexer last said of itself, and who holds the lease."""
        assert self.reader is not None
        with self.reader.connect() as connection:
            status, holder = read_status(connection), read_holder(connection)
        start = "start `peakedex run` or `peakedex follow`"
        if status is None:
            yield warn("indexer", "it has never run on this database", start)
            return
        age = now - status.updated
        if status.mode == "stopped":
            reason = f": {status.waiting_for}" if status.waiting_for else ""
            yield warn("indexer", f"stopped {span(age)} ago{reason}", start)
        elif age > _SILENT_SECONDS:
            who = f" ({holder})" if holder else ""
            yield warn("indexer", f"not heard of for {span(age)}{who}", f"see whether it hangs, else {start}")
        elif status.waiting_for is not None:
            since = datetime.fromtimestamp(status.waiting_since or status.updated, UTC)
            text = f"{status.mode}, waiting for {status.waiting_for} since {since:%Y-%m-%d %H:%M:%S} UTC"
            yield warn("indexer", text, "see what the nodes below say")
        else:
            yield ok("indexer", f"{status.mode}: {holder}" if holder else status.mode)


def _venue(state: State, venue: Venue) -> Finding:
    if state.venue_hash == venue.hash:
        return ok("venue", f"the database is of this venue, {venue.hash}")
    return fatal(
        "venue",
        f"the database is of venue {state.venue_hash}, and the file is {venue.hash}",
        "use the database's own venue file, or another --db",
    )


def _writable(path: Path) -> Finding:
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return ok("database", f"{path} can be read and written")
    return warn(
        "database",
        f"{path} cannot be written by this user",
        "mend the permissions of file and folder, if the indexer runs as this user",
    )


def _server(reader: Engine) -> Finding:
    with reader.connect() as connection:
        server = read_server(connection)
    name = f"PostgreSQL {server.version}"
    if server.standby_age is not None:
        text = f"{name}, a standby whose newest change is {span(server.standby_age)} old"
        if server.standby_age > _SILENT_SECONDS:
            return warn("database", text, "see whether it still gets the primary's changes")
        return ok("database", f"{text}: only the API and this can work on it")
    if server.encoding != "UTF8":
        return fatal("database", f"{name} with the encoding {server.encoding}", "make it anew with UTF8")
    if not server.may_write:
        return ok("database", f"{name}; the role only reads: enough for the API")
    if not server.is_synchronous:
        return ok("database", f"{name}, read and written, without a synchronous standby")
    return ok("database", f"{name}, read and written, with a synchronous standby")


def _from_store(error: StoreError) -> Finding:
    """Those texts end in the cure, after the last colon."""
    text, _, cure = str(error).rpartition(": ")
    check = "migrations" if "older" in text or "newer" in text else "database"
    return fatal(check, text or cure, cure if text else _ANOTHER)
