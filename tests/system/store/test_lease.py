"""The lease: one indexer per database; a dead holder is replaced, a live one reported."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import OperationalError

from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.lease import Holder, Lease, LeaseError, read_holder
from tests.support import databases
from tests.support.waiting import wait_until

HOLD = """
import sys, time
from settlement.store.database import open_writer
from settlement.store.lease import Lease
with Lease(open_writer(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dex.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    engine = open_writer(databases.url(path))
    yield engine
    engine.dispose()


@pytest.fixture
def other(path: Path, engine: Engine) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease."""
    run = subprocess.Popen(
        [sys.executable, "-c", HOLD, databases.url(path)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "held\n"
    yield run
    run.kill()
    run.wait()


def holder_of(engine: Engine) -> Holder | None:
    with engine.connect() as connection:
        return read_holder(connection)


def pretend(engine: Engine, **changes: object) -> Holder:
    """Change the row of the holder."""
    with engine.begin() as connection:
        connection.execute(update(schema.lease).values(**changes))
    holder = holder_of(engine)
    assert holder is not None
    return holder


class Time:
    """Replaces `sleep`: counts the seconds, and calls back after each."""

    def __init__(self, then: Callable[[float], object] = lambda _: None) -> None:
        self.seconds = 0.0
        self._then = then

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds
        self._then(self.seconds)


def never(_: float) -> None:
    raise AssertionError("it waited")


# ---------------------------------------------------------------- on one machine


def test_it_is_taken_and_released(engine: Engine) -> None:
    assert holder_of(engine) is None
    with Lease(engine, clock=lambda: 1_700_000_000.5) as lease:
        holder = holder_of(engine)
        assert holder is not None
        assert (holder.host, holder.pid) == (socket.gethostname(), os.getpid())
        assert (holder.since, holder.heartbeat) == (1_700_000_000, 1_700_000_000)
        assert str(holder).endswith("since 2023-11-14 22:13:20 UTC")
        lease.check()
    assert holder_of(engine) is None


def test_a_second_process_is_refused_at_once_with_the_name_of_the_holder(
    engine: Engine, other: subprocess.Popen[str]
) -> None:
    expected = rf"another indexer is running on this database \(process {other.pid} on {socket.gethostname()}, since 20"
    with pytest.raises(LeaseError, match=expected), Lease(engine, wait=never):
        pass
    holder = holder_of(engine)
    assert holder is not None
    assert holder.pid == other.pid


@pytest.mark.parametrize("is_reaped", [True, False])
def test_a_killed_holder_is_replaced_at_once(
    engine: Engine, other: subprocess.Popen[str], is_reaped: bool
) -> None:
    """Also while it is a zombie, whose process id still exists."""
    other.send_signal(signal.SIGKILL)
    if is_reaped:
        other.wait()
    else:
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    with Lease(engine, wait=never):
        holder = holder_of(engine)
        assert holder is not None
        assert holder.pid == os.getpid()


def test_a_reused_process_id_is_not_the_holder(engine: Engine, other: subprocess.Popen[str]) -> None:
    pretend(engine, process_start="1")
    with Lease(engine, wait=never):
        pass


def test_a_stopped_process_still_holds_it(engine: Engine, other: subprocess.Popen[str]) -> None:
    other.send_signal(signal.SIGSTOP)
    with pytest.raises(LeaseError, match=f"process {other.pid} "), Lease(engine, wait=never):
        pass
    other.send_signal(signal.SIGCONT)


def test_the_same_process_may_take_it_again_and_the_older_lease_is_lost(engine: Engine) -> None:
    lost = threading.Event()
    with Lease(engine, lost.set) as older, Lease(engine) as newer:
        assert newer.renew()
        assert not older.renew()
        newer.check()
        with pytest.raises(LeaseError, match="another indexer took over this database"):
            older.check()
    assert holder_of(engine) is None


def test_leaving_does_not_release_a_later_holding(engine: Engine) -> None:
    with Lease(engine):
        later = pretend(engine, token="of another")
    assert holder_of(engine) == later


# ---------------------------------------------------------------- on another machine


@pytest.mark.parametrize("pid_namespace", ["another boot pid:[1]", None])
def test_a_remote_holder_without_heartbeats_is_replaced(engine: Engine, pid_namespace: str | None) -> None:
    with Lease(engine):
        pretend(engine, host="far.example", pid=1, pid_namespace=pid_namespace)
        time = Time()
        with Lease(engine, wait=time, silence_seconds=10):
            holder = holder_of(engine)
            assert holder is not None
            assert holder.host == socket.gethostname()
        assert time.seconds == 10


def test_a_remote_holder_with_heartbeats_is_alive_whatever_its_clock(engine: Engine) -> None:
    with Lease(engine):
        pretend(engine, host="far.example", pid=7, pid_namespace="another boot pid:[1]", heartbeat=5, since=5)
        time = Time(lambda seconds: pretend(engine, heartbeat=6) if seconds == 3 else None)
        with (
            pytest.raises(LeaseError, match=r"process 7 on far\.example, since 1970-01-01 00:00:05 UTC"),
            Lease(engine, wait=time, silence_seconds=10),
        ):
            pass
        assert time.seconds == 3


def test_a_third_process_that_takes_it_meanwhile_has_it(engine: Engine) -> None:
    with Lease(engine):
        pretend(engine, pid_namespace=None)
        time = Time(lambda _: pretend(engine, token="quicker", host="third.example"))
        with pytest.raises(LeaseError, match=r"third\.example"), Lease(engine, wait=time):
            pass


def test_a_lease_released_meanwhile_is_taken(engine: Engine) -> None:
    with Lease(engine):
        pretend(engine, pid_namespace=None)

        def leave(_: float) -> None:
            with engine.begin() as connection:
                connection.execute(schema.lease.delete())

        with Lease(engine, wait=Time(leave)):
            assert holder_of(engine) is not None


# ---------------------------------------------------------------- heartbeats


def test_heartbeats_are_written_while_it_is_held(engine: Engine) -> None:
    ticks = iter(range(1000, 100_000))
    with Lease(engine, clock=lambda: next(ticks), heartbeat_seconds=0.01):
        wait_until(lambda: (holder := holder_of(engine)) is not None and holder.heartbeat > 1003)
        holder = holder_of(engine)
        assert holder is not None
        assert holder.since == 1000


def test_losing_it_is_reported_once(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    lost = threading.Event()
    with Lease(engine, lost.set, heartbeat_seconds=0.01) as lease:
        pretend(engine, token="of another", host="far.example", pid=7)
        assert lost.wait(240)
        with pytest.raises(LeaseError, match=r"took over this database \(process 7 on far\.example"):
            lease.check()
    assert caplog.text.count("took over") == 1


def test_a_locked_database_delays_heartbeats_and_keeps_the_lease(path: Path) -> None:
    engine = open_writer(f"sqlite:///{path}")
    without_patience = open_writer(f"sqlite:///{path}?timeout=0.02")

    def is_renewed() -> bool:
        with suppress(OperationalError):  # a heartbeat is being written
            return lease.renew()
        return False

    with Lease(without_patience, heartbeat_seconds=0.01) as lease:
        with engine.begin() as connection:
            connection.execute(select(schema.lease))
            with pytest.raises(OperationalError, match="database is locked"):
                lease.renew()
        lease.check()
        wait_until(is_renewed)
    assert holder_of(engine) is None
    for each in (engine, without_patience):
        each.dispose()
