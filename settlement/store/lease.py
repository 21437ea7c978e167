"""Lease: at most one process of a role per database, renewed by heartbeats, released by a crash.

A holder on this machine is alive as long as its process exists. A holder elsewhere (another machine or
container) is judged by its heartbeats: a process that wants the lease watches, by its own clock, whether one
arrives within some seconds, so clocks need not agree. As a second safeguard, the projector checks that no
other process has moved the cursor.
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
from settlement.store.periodic_thread import PeriodicThread

HEARTBEAT_SECONDS: Final = 2.0
"""Interval of a holder's heartbeats."""
SILENCE_SECONDS: Final = 10.0
"""A remote holder without a heartbeat for this long is taken for dead."""
_POLL_SECONDS: Final = 0.5
_EXITED: Final = frozenset("ZXx")  # Linux process states: zombie, dead

log = logging.getLogger(__name__)


class LeaseError(StoreError):
    """Another process holds the lease."""


class Holder(NamedTuple):
    """A row of a lease table. Times are seconds since 1970 (UTC) by the holder's clock."""

    token: str  # random, new for each holding
    host: str
    pid: int
    pid_namespace: str | None  # boot id and PID namespace; None where the system does not provide them
    process_start: str | None  # clock ticks from boot to the start of the process
    since: int
    heartbeat: int

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"process {self.pid} on {self.host}, since {since}"


class Lease(PeriodicThread):
    """Context manager that holds a lease: a thread sends heartbeats, leaving releases the lease.

    If another process takes the lease all the same (for example because this one was suspended for long),
    `on_lost` is called once, from that thread, and `check` raises LeaseError from then on.
    """

    def __init__(
        self,
        engine: Engine,
        on_lost: Callable[[], object] = lambda: None,
        *,
        table: Table = schema.lease,
        role: str = "indexer",
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes nothing yet. `table` is the role's lease table, `role` its name in messages."""
        super().__init__("lease", heartbeat_seconds)
        self._engine = engine
        self._table = table
        self._role = role
        self._on_lost = on_lost
        self._silence_seconds = silence_seconds
        self._wait = wait
        self._clock = clock
        self._token = ""
        self._lost: LeaseError | None = None

    def __enter__(self) -> Self:
        """Take the lease. Raises LeaseError, naming the holder, while another process holds it.

        The same process may take it again: then the earlier holding is lost.
        """
        seen: Holder | None = None
        watched_seconds = 0.0
        while True:
            with self._engine.begin() as connection:
                lock_table(connection, self._table)
                holder = read_holder(connection, self._table)
                is_silent = holder == seen and watched_seconds >= self._silence_seconds
                if holder is None or _has_exited(holder) or is_silent:
                    self._take(connection, holder)
                    break
            if (seen is not None and holder != seen) or _is_local(holder):
                raise LeaseError(
                    f"another {self._role} is running on this database ({holder}): "
                    "stop it, or use another --db"
                )
            if seen is None:
                seen = holder
                log.info("checking whether the previous %s (%s) is still alive", self._role, holder)
            self._wait(_POLL_SECONDS)
            watched_seconds += _POLL_SECONDS
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        try:
            with self._engine.begin() as connection:
                connection.execute(delete(self._table).where(self._table.c.token == self._token))
        except SQLAlchemyError as failure:  # the lease expires: this process ends, or stops its heartbeats
            log.info("could not release the lease: %s", failure)

    def check(self) -> None:
        """Raise LeaseError if another process has taken the lease."""
        if self._lost is not None:
            raise self._lost

    def renew(self) -> bool:
        """Write a heartbeat. Returns whether this process still holds the lease."""
        table = self._table
        heartbeat = update(table).where(table.c.token == self._token).values(heartbeat=int(self._clock()))
        with self._engine.begin() as connection:
            if connection.execute(heartbeat).rowcount == 1:
                return True
            holder = read_holder(connection, table)
        self._lost = LeaseError(f"another {self._role} took over this database ({holder}): stopping")
        return False

    def run_once(self) -> None:
        """Write a heartbeat; stop the thread if the lease is lost."""
        try:
            is_ours = self.renew()
        except SQLAlchemyError as error:
            log.info("heartbeat not written: %s", error)
            return
        if not is_ours:
            log.error("%s", self._lost)
            self._stop.set()
            self._on_lost()

    def _take(self, connection: Connection, previous: Holder | None) -> None:
        if previous is not None:
            log.info("the previous %s (%s) exited without releasing its lease", self._role, previous)
        now, pid = int(self._clock()), os.getpid()
        mine = Holder(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            pid=pid,
            pid_namespace=_pid_namespace(),
            process_start=_process_start(pid),
            since=now,
            heartbeat=now,
        )
        connection.execute(delete(self._table))
        connection.execute(insert(self._table).values(id=1, **mine._asdict()))
        self._token = mine.token


def read_holder(connection: Connection, table: Table = schema.lease) -> Holder | None:
    """The holder of the lease, alive or not; None if it is free."""
    row = connection.execute(select(*(table.c[name] for name in Holder._fields))).one_or_none()
    return None if row is None else Holder(*row)


def _is_local(holder: Holder) -> bool:
    """Whether the holder's process, if it is alive, is visible in the PID namespace of this process."""
    return holder.pid_namespace is not None and holder.pid_namespace == _pid_namespace()


def _has_exited(holder: Holder) -> bool:
    """Whether the holder's process is known to have exited, or is this process."""
    if not _is_local(holder):
        return False
    return holder.pid == os.getpid() or _process_start(holder.pid) != holder.process_start


def _pid_namespace() -> str | None:
    """The boot id and PID namespace of this process on Linux; None elsewhere."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _process_start(pid: int) -> str | None:
    """Start of a process in clock ticks since boot, which tells reused ids apart; None if it has exited."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the process name in parentheses may contain anything
    return None if fields[0] in _EXITED else fields[19]
