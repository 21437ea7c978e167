"""kill -9 of `peakedex follow` at random moments, 50 times over one chain: the same journal, state and rows."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from settlement.core.journal.state_text import state_hash
from settlement.store.database import open_reader
from settlement.store.lease import read_holder
from settlement.store.write.loader import load
from tests.support.examples import SEED
from tests.support.waiting import wait_until
from tests.system.follow import life
from tests.system.follow.world import Outcome, World, check
from tests.system.store.chains import VENUE_TEXT, dump, journal

KILLS: Final = 50
REAL_COMMANDS: Final = 3  # of those, started as a user starts it
BLOCK_SECONDS: Final = 0.1
LONGEST_SECONDS: Final = 240


@contextlib.contextmanager
def ticking(world: World) -> Iterator[None]:
    """Blocks as time goes by."""
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(BLOCK_SECONDS):
            world.step()

    clock = threading.Thread(target=tick)
    clock.start()
    try:
        yield
    finally:
        stop.set()
        clock.join()


def blocks_recorded(path: Path) -> int:
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as plain:
        try:
            row = plain.execute("SELECT block FROM cursor").fetchone()
        except sqlite3.OperationalError:
            return 0  # not even the tables are there
        return int(row[0]) if row else 0


def wait_for_block(path: Path, number: int) -> None:
    wait_until(lambda: blocks_recorded(path) >= number, timeout=LONGEST_SECONDS, what=f"block {number}")


def wait_for_holder(path: Path, pid: int | None) -> None:
    reader = open_reader(str(path))

    def holder() -> int | None:
        with reader.connect() as connection:
            found = read_holder(connection)
        return None if found is None else found.pid

    wait_until(lambda: holder() == pid, timeout=LONGEST_SECONDS, what=f"the lease of process {pid}")
    reader.dispose()


def test_killed_fifty_times_it_ends_where_a_calm_run_ends(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    path, venue = tmp_path / "dex.db", tmp_path / "venue.toml"
    venue.write_text(VENUE_TEXT, "utf-8")
    lives: Any = multiprocessing.get_context("forkserver")
    lives.set_forkserver_preload(["tests.system.follow.life"])
    with World(seed=SEED % 1000, servers=2, ops=4, blocks=40) as world:
        arguments = ["--venue", str(venue), "--db", str(path), "--log-level", "error"]
        for server in world.servers:
            arguments += ["--node", server.url, "--engine-node", server.engine_url]
        arguments += ["--chain-id", "devnet"]
        reached = [0]
        with ticking(world):
            usual = (
                0.0  # seconds from the start to the first block, measured again and again: the load varies
            )
            for number in range(KILLS):
                if number < REAL_COMMANDS:
                    command = [sys.executable, "-m", "indexer.cli", "follow", *arguments]
                    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
                    wait_for_block(path, reached[-1] + 1)
                    process.kill()
                    process.wait()
                else:
                    child = lives.Process(target=life.follow, args=(arguments,))
                    started = time.monotonic()
                    child.start()
                    if number < 2 * REAL_COMMANDS or number % 3 == 0:
                        wait_for_block(path, reached[-1] + 1)
                        usual = time.monotonic() - started
                    else:
                        child.join(chance.uniform(0.2, 1.8) * usual)
                    assert child.exitcode is None, "it ended by itself"
                    child.kill()
                    child.join()
                reached.append(blocks_recorded(path))
        assert reached == sorted(reached), "a block was lost"
        assert len(set(reached)) > KILLS / 3, "most lives were too short to do anything"
        until = world.node.chain.irreversible
        child = lives.Process(target=life.follow, args=(arguments,))
        child.start()
        wait_for_block(path, until)
        child.terminate()
        child.join(LONGEST_SECONDS)
        assert child.exitcode == 0
        reader = open_reader(str(path))
        got = Outcome(journal(reader), state_hash(load(reader).state), dump(reader))
        check(world, got, until, tmp_path / "calm")
