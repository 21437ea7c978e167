"""Real processes: they stop promptly and cleanly, and a database has one indexer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy.exc import SQLAlchemyError

from settlement.core.journal.state_text import state_hash
from settlement.core.state_machine import StateMachine
from settlement.core.venue import parse_venue
from settlement.store.database import StoreError, open_reader
from settlement.store.lease import Holder, read_holder
from settlement.store.read.position import read_position
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.cli.command import MISUSED, OK, in_process, peakedex
from tests.system.cli.world import Process, World, running, world

FOUND = 200
BLOCKS = 30


@pytest.fixture(scope="module")
def live() -> Iterator[World]:
    with world(blocks=BLOCKS) as here:
        yield here


@pytest.fixture
def database(here: Path) -> Path:
    return here / "dex.db"


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=60).status_code == FOUND
    except requests.RequestException:
        return False


def position(database: Path) -> int:
    """The last recorded block; 0 while the database is missing or being created."""
    try:
        engine = open_reader(str(database))
    except StoreError:
        return 0
    try:
        with engine.connect() as connection:
            at = read_position(connection)
    except SQLAlchemyError:
        return 0
    finally:
        engine.dispose()
    return 0 if at is None else at.block


def holder(database: Path) -> Holder | None:
    with open_reader(str(database)).connect() as connection:
        return read_holder(connection)


def ends_cleanly(process: Process, sent: signal.Signals = signal.SIGTERM) -> None:
    """It ends by itself: neither is a child killed, nor an answer of a silent node waited for until it is overdue."""
    before = len(process.said)
    process.end(sent)
    assert process.run.returncode == OK, process.said
    assert "no answer in time" not in process.said[before:], process.said
    for word in ("Traceback", "rror", "out of memory", "killed"):
        assert word not in process.said


# ---------------------------------------------------------------- prompt and clean


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_follow_ends_while_it_waits_for_the_next_block(
    live: World, venue: Path, database: Path, here: Path, sent: signal.Signals
) -> None:
    with running(here, "follow", "--venue", venue, "--db", database, *live.nodes) as follow:
        follow.wait_until(lambda: position(database) == live.irreversible)
        ends_cleanly(follow, sent)
        assert f"catching up from block 0, state {state_of_nothing(venue)}" in follow.said
        assert f"stopped at block {live.irreversible}" in follow.said
    assert position(database) == live.irreversible
    assert holder(database) is None


def state_of_nothing(venue: Path) -> str:
    return state_hash(StateMachine(parse_venue(venue.read_text())).state)


@pytest.mark.parametrize("fault", ["a silent Hive node", "a silent sidechain", "no node at all"])
def test_follow_ends_while_nobody_answers(
    live: World, venue: Path, database: Path, here: Path, fault: str
) -> None:
    silent = live.another_node()
    if fault == "a silent Hive node":
        silent.faults.delay_ms = 600_000
    if fault == "a silent sidechain":
        silent.faults.engine_silent = True
    url = "http://127.0.0.1:9" if fault == "no node at all" else silent.url
    nodes = ("--node", url, "--engine-node", f"{url}/engine", "--trust-single-node", "--chain-id", "devnet")
    with running(here, "follow", "--venue", venue, "--db", database, *nodes) as follow:
        follow.wait_until(lambda: "catching up" in follow.said)
        time.sleep(0.5)
        ends_cleanly(follow)
    assert holder(database) is None


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_what_does_not_look_at_the_stop_event_is_interrupted(sent: signal.Signals) -> None:
    """For example in a read without response, or a very long block."""
    busy = """
import time
from indexer.cli.support.processes import interruptible_stop
with interruptible_stop() as stop:
    print("busy", flush=True)
    end = time.monotonic() + 600
    while time.monotonic() < end:
        time.sleep(600)
    raise SystemExit("not interrupted")
print(stop.is_set())
"""
    words = [sys.executable, "-c", busy]
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "busy\n"
        run.send_signal(sent)
        assert run.stdout.read() == "True\n"
        assert run.wait(240) == OK


def test_serve_ends_while_clients_are_connected(live: World, database: Path, here: Path) -> None:
    live.follow(database)
    port = free_port()
    with running(here, "serve", "--db", database, "--port", port) as serve:
        serve.wait_until(lambda: answers(f"http://127.0.0.1:{port}/api/health"))
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.send(b"GET /api/health HTTP/1.1\r\n")
            ends_cleanly(serve)


def test_run_tells_when_it_has_caught_up_and_ends_with_both_of_its_processes(
    live: World, venue: Path, database: Path, here: Path
) -> None:
    port = free_port()
    words = ("run", "--venue", venue, "--db", database, "--port", port, *live.nodes)
    with running(here, *words) as run:
        run.wait_until(lambda: "following from block" in run.said)
        run.wait_until(lambda: answers(f"http://127.0.0.1:{port}/api/ready"))
        assert run.said.index("catching up from block 0") < run.said.index("following from block")
        ends_cleanly(run)
    assert not answers(f"http://127.0.0.1:{port}/api/health")
    assert holder(database) is None


@pytest.mark.parametrize("more", [(), ("--bots", "--block-time", 0.2)])
def test_devnet_ends(here: Path, more: tuple[object, ...]) -> None:
    port = free_port()
    with running(here, "devnet", "--port", port, *more) as devnet:
        devnet.wait_until(lambda: answers(f"http://127.0.0.1:{port}/dev/status"))
        ends_cleanly(devnet)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_demo_ends_with_all_of_its_processes(here: Path, sent: signal.Signals) -> None:
    port = free_port()
    words = ("demo", "--port", port, "--block-time", 0.5, "--history", 0, "--dir", here / "demo")
    with running(here, *words, PYTHONUNBUFFERED="1") as demo:
        demo.wait_until(lambda: "Peake DEX is running" in demo.said)
        ends_cleanly(demo, sent)
    assert not answers(f"http://127.0.0.1:{port}/api/health")
    assert holder(here / "demo" / "peakedex.db") is None


# ---------------------------------------------------------------- one at a time


@pytest.fixture
def first(live: World, venue: Path, database: Path, here: Path) -> Iterator[Process]:
    """An indexer that uses the database."""
    with running(here, "follow", "--venue", venue, "--db", database, *live.nodes) as follow:
        follow.wait_until(lambda: "following from block" in follow.said)
        yield follow


@pytest.mark.parametrize("command", ["follow", "replay", "run"])
def test_a_second_indexer_is_refused_and_told_who_works_there(
    live: World, first: Process, venue: Path, database: Path, archive: Path, command: str
) -> None:
    more: dict[str, tuple[object, ...]] = {
        "follow": live.nodes,
        "replay": ("--archive", archive),
        "run": (*live.nodes, "--port", free_port()),
    }
    run = in_process(command, "--venue", venue, "--db", database, *more[command])
    assert run.code == MISUSED
    told = [line for line in run.err.splitlines() if line.startswith("Error: ")]
    expected = f"another indexer is running on this database (process {first.run.pid} on {socket.gethostname()}, since "
    assert len(told) == 1
    assert expected in told[0]
    assert told[0].endswith("): stop it, or use another --db")
    assert first.run.poll() is None
    live.trade(2)
    first.wait_until(lambda: position(database) == live.irreversible)


def test_readers_do_not_mind(first: Process, database: Path) -> None:
    assert peakedex("state", "--db", database, "--json").code == OK


@pytest.mark.parametrize("times", [3])
def test_a_killed_indexer_is_replaced_at_once(
    live: World, first: Process, venue: Path, database: Path, here: Path, times: int
) -> None:
    first.end(signal.SIGKILL)
    for _ in range(times):
        assert holder(database) is not None
        with running(here, "follow", "--venue", venue, "--db", database, *live.nodes) as follow:
            live.trade(1)
            follow.wait_until(lambda: "following from block" in follow.said)
            assert "is still alive" not in follow.said  # it did not wait for heartbeats
            assert "exited without releasing its lease" in follow.said
            follow.wait_until(lambda: position(database) == live.irreversible)
            follow.end(signal.SIGKILL)


def test_two_that_start_at_the_same_moment(live: World, venue: Path, database: Path, here: Path) -> None:
    words = ("follow", "--venue", venue, "--db", database, *live.nodes)
    with running(here, *words) as one, running(here, *words) as other:
        wait_until(lambda: (one.run.poll(), other.run.poll()) != (None, None), what="the end of one")
        refused, holds = (one, other) if one.run.poll() is not None else (other, one)
        assert refused.run.returncode == MISUSED, refused.said
        assert f"another indexer is running on this database (process {holds.run.pid} on" in refused.said
        holds.wait_until(lambda: "following from block" in holds.said)
        ends_cleanly(holds)


WAITS = """
import signal
import socket
from indexer.cli.support.processes import stop_event
stop = stop_event()
with stop._cond:  # as in the midst of a wait for it
    signal.raise_signal(signal.SIGTERM)
print(stop.wait(240))
"""


def test_a_signal_in_the_midst_of_a_wait_ends_it(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITS], check=False, capture_output=True, text=True, timeout=240
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
