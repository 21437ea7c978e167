"""One indexer on one database: the second is told who holds it, and a dead holder is replaced."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from settlement.store import lease as module
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.lease import Holder, Lease, LeaseError, read_holder
from tests.support import databases

HOLD = """
import sys, time
from settlement.store.database import open_writer
from settlement.store.lease import Lease
with Lease(open_writer(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
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
    """Let the row say something else of its holder."""
    with engine.begin() as connection:
        connection.execute(update(schema.lease).values(**changes))
    holder = holder_of(engine)
    assert holder is not None
    return holder


class Time:
    """In place of waiting: counts the seconds, and lets the test change the world as they pass."""

    def __init__(self, then: Callable[[float], object] = lambda _: None) -> None:
        self.seconds = 0.0
        self._then = then

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds
        self._then(self.seconds)


def never(_: float) -> None:
    raise AssertionError("it waits")


# ---------------------------------------------------------------- on one machine


def test_it_is_held_and_given_back(engine: Engine) -> None:
    assert holder_of(engine) is None
    with Lease(engine, clock=lambda: 1_700_000_000.5) as lease:
        holder = holder_of(engine)
        assert holder is not None
        assert (holder.host, holder.pid) == (socket.gethostname(), os.getpid())
        assert (holder.since, holder.heartbeat) == (1_700_000_000, 1_700_000_000)
        assert str(holder).endswith("since 2023-11-14 22:13:20 UTC")
        lease.check()
    assert holder_of(engine) is None


def test_another_process_is_refused_at_once_and_told_who_holds_it(
    engine: Engine, other: subprocess.Popen[str]
) -> None:
    expected = (
        rf"another indexer is running on this database \(process {other.pid} on {socket.gethostname()}, since 20"
    )
    with pytest.raises(LeaseError, match=expected), Lease(engine, wait=never):
        pass
    holder = holder_of(engine)
    assert holder is not None
    assert holder.pid == other.pid


@pytest.mark.parametrize("is_reaped", [True, False])
def test_a_killed_holder_is_replaced_at_once(
    engine: Engine, other: subprocess.Popen[str], is_reaped: bool
) -> None:
    """Also while it is a zombie, of which the system still knows the number."""
    other.send_signal(signal.SIGKILL)
    if is_reaped:
        other.wait()
    else:
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    with Lease(engine, wait=never):
        holder = holder_of(engine)
        assert holder is not None
        assert holder.pid == os.getpid()


def test_a_number_that_another_process_got_since_is_no_holder(
    engine: Engine, other: subprocess.Popen[str]
) -> None:
    pretend(engine, started="1")
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


def test_leaving_takes_nothing_from_a_later_holder(engine: Engine) -> None:
    with Lease(engine):
        later = pretend(engine, token="of another")
    assert holder_of(engine) == later


# ---------------------------------------------------------------- elsewhere: heartbeats alone tell


@pytest.mark.parametrize("place", ["another boot pid:[1]", None])
def test_a_holder_elsewhere_that_is_silent_is_dead(engine: Engine, place: str | None) -> None:
    with Lease(engine):
        pretend(engine, host="far.example", pid=1, place=place)
        time = Time()
        with Lease(engine, wait=time, silence_seconds=10):
            holder = holder_of(engine)
            assert holder is not None
            assert holder.host == socket.gethostname()
        assert time.seconds == 10


def test_a_holder_elsewhere_with_a_heartbeat_lives_whatever_its_clock_says(engine: Engine) -> None:
    with Lease(engine):
        pretend(engine, host="far.example", pid=7, place="another boot pid:[1]", heartbeat=5, since=5)
        time = Time(lambda seconds: pretend(engine, heartbeat=6) if seconds == 3 else None)
        with (
            pytest.raises(LeaseError, match=r"process 7 on far\.example, since 1970-01-01 00:00:05 UTC"),
            Lease(engine, wait=time, silence_seconds=10),
        ):
            pass
        assert time.seconds == 3


def test_who_takes_it_while_we_watch_has_it(engine: Engine) -> None:
    with Lease(engine):
        pretend(engine, place=None)
        time = Time(lambda _: pretend(engine, token="quicker", host="third.example"))
        with pytest.raises(LeaseError, match=r"third\.example"), Lease(engine, wait=time):
            pass


def test_one_that_is_given_back_while_we_watch_is_taken(engine: Engine) -> None:
    with Lease(engine):
        pretend(engine, place=None)

        def leave(_: float) -> None:
            with engine.begin() as connection:
                connection.execute(schema.lease.delete())

        with Lease(engine, wait=Time(leave)):
            assert holder_of(engine) is not None


def test_where_the_system_tells_nothing_heartbeats_do(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_place", lambda: None)
    with Lease(engine):
        time = Time()
        with Lease(engine, wait=time, silence_seconds=2):
            assert time.seconds == 2


# ---------------------------------------------------------------- heartbeats


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)


@pytest.mark.usefixtures("fast")
def test_heartbeats_are_written_while_it_is_held(engine: Engine) -> None:
    ticks = iter(range(1000, 100_000))
    with Lease(engine, clock=lambda: next(ticks)):
        for _ in range(500):
            holder = holder_of(engine)
            assert holder is not None
            if holder.heartbeat > 1003:
                break
            threading.Event().wait(0.01)
        assert holder.heartbeat > 1003
        assert holder.since == 1000


@pytest.mark.usefixtures("fast")
def test_whoever_lost_it_is_told_once(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    lost = threading.Event()
    with Lease(engine, lost.set) as lease:
        pretend(engine, token="of another", host="far.example", pid=7)
        assert lost.wait(5)
        with pytest.raises(LeaseError, match=r"took over this database \(process 7 on far\.example"):
            lease.check()
    assert caplog.text.count("took over") == 1


@pytest.mark.usefixtures("fast")
def test_a_locked_database_costs_heartbeats_and_not_the_lease(
    path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from settlement.store import database

    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    impatient = open_writer(databases.url(path))
    with Lease(impatient) as lease:
        with engine.begin() as connection:
            connection.execute(select(schema.lease))
            threading.Event().wait(0.3)
        lease.check()
        assert lease.renew()
    assert holder_of(engine) is None
