"""One process of a kind on one database: a lease that its holder renews, and that a crash does not keep.

A holder on this machine is alive as long as its process is. Of one elsewhere (another machine, another
container) only heartbeats tell: whoever wants the lease watches for some seconds whether there comes one, by
the clock of its own, so that two clocks need not agree. The recorder's own check, that nobody has moved the
cursor, stands behind this.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from sqlalchemy import Connection, Engine, Table, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from settlement.store import schema
from settlement.store.database import StoreError
from settlement.store.dialect import lock_table
from settlement.store.periodic_thread import Repeated

HEARTBEAT_SECONDS: Final = 2.0
"""A holder says that it lives about this often."""
SILENCE_SECONDS: Final = 10.0
"""A holder elsewhere that says nothing for as long is dead."""
_LOOK_SECONDS: Final = 0.5
_ENDED: Final = frozenset("ZXx")  # states of a process that has ended and was not reaped yet

log = logging.getLogger(__name__)


class LeaseError(StoreError):
    """Another process holds the lease."""


class Holder(NamedTuple):
    """Who holds the lease, as the row tells it; `since` and `heartbeat` by the holder's own clock."""

    token: str
    host: str
    pid: int
    place: str | None
    started: str | None
    since: int
    heartbeat: int

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"process {self.pid} on {self.host}, since {since}"


class Lease(Repeated):
    """Held while it is entered: a thread writes heartbeats, and leaving gives it back.

    Where another process has taken it all the same (this one was stopped for long, on another machine),
    `on_lost` is called, once and from that thread; `check` tells whoever is about to write.
    """

    def __init__(
        self,
        engine: Engine,
        on_lost: Callable[[], object] = lambda: None,
        *,
        row: Table = schema.lease,
        who: str = "indexer",
        silence_seconds: float = SILENCE_SECONDS,
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is taken yet. `row` is the lease's table, `who` what its holders are called. `wait` and
        `clock` are for tests."""
        super().__init__("lease", HEARTBEAT_SECONDS)
        self._engine = engine
        self._row = row
        self._who = who
        self._on_lost = on_lost
        self._silence_seconds = silence_seconds
        self._wait = wait
        self._clock = clock
        self._token = ""
        self._lost: LeaseError | None = None

    def __enter__(self) -> Self:
        """Take it. Raises LeaseError, naming the holder, while another process has it.

        The same process may take it again: then the older lease is lost.
        """
        seen: Holder | None = None
        watched = 0.0
        while True:
            with self._engine.begin() as connection:
                lock_table(connection, self._row)
                holder = read_holder(connection, self._row)
                is_silent = holder == seen and watched >= self._silence_seconds
                if holder is None or _is_ended(holder) or is_silent:
                    self._take(connection, holder)
                    break
            if (seen is not None and holder != seen) or _is_here(holder):
                raise LeaseError(
                    f"another {self._who} works on this database ({holder}): stop it first, "
                    "or name another --db"
                )
            if seen is None:
                seen = holder
                log.info("watching whether the last %s (%s) still lives", self._who, holder)
            self._wait(_LOOK_SECONDS)
            watched += _LOOK_SECONDS
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(self._row).where(self._row.c.token == self._token))
        except SQLAlchemyError as failure:  # left as it is: this process ends, and so does its lease
            log.info("the lease could not be given back: %s", failure)

    def check(self) -> None:
        """Raise LeaseError if another process has taken the lease."""
        if self._lost is not None:
            raise self._lost

    def renew(self) -> bool:
        """Say that the holder lives. Whether the lease is still ours."""
        row = self._row
        beat = update(row).where(row.c.token == self._token).values(heartbeat=int(self._clock()))
        with self._engine.begin() as connection:
            if connection.execute(beat).rowcount == 1:
                return True
            holder = read_holder(connection, self._row)
        self._lost = LeaseError(
            f"another {self._who} has taken over this database ({holder}): this one stops"
        )
        return False

    def turn(self) -> None:
        """A heartbeat; the last one where the lease is lost."""
        try:
            is_ours = self.renew()
        except SQLAlchemyError as error:
            log.info("no heartbeat written: %s", error)
            return
        if not is_ours:
            log.error("%s", self._lost)
            self._stop.set()
            self._on_lost()

    def _take(self, connection: Connection, dead: Holder | None) -> None:
        if dead is not None:
            log.info("the last %s (%s) ended without a word: taking its place", self._who, dead)
        now, pid = int(self._clock()), os.getpid()
        mine = Holder(uuid.uuid4().hex, socket.gethostname(), pid, _place(), _started(pid), now, now)
        connection.execute(delete(self._row))
        connection.execute(insert(self._row).values((1, *mine)))
        self._token = mine.token


def read_holder(connection: Connection, row: Table = schema.lease) -> Holder | None:
    """Who holds the lease, alive or not; None where nobody does."""
    c = row.c
    found = connection.execute(
        select(c.token, c.host, c.pid, c.place, c.started, c.since, c.heartbeat)
    ).one_or_none()
    return None if found is None else Holder(*found)


def _is_here(holder: Holder) -> bool:
    """Whether the holder's process, if it lives, is one that we can see."""
    return holder.place is not None and holder.place == _place()


def _is_ended(holder: Holder) -> bool:
    """Whether we can see that the holder's process is gone, or is this very one."""
    if not _is_here(holder):
        return False
    return holder.pid == os.getpid() or _started(holder.pid) != holder.started


def _place() -> str | None:
    """This boot of this machine and this space of process ids, as Linux names them; else None."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """When a process started, in the system's ticks since boot, so that a number used again is told apart.

    None where there is none, or it has ended.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name in parentheses may hold anything
    return None if fields[0] in _ENDED else fields[19]
