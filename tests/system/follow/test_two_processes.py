"""Rows written by a second process: the same database, whatever ends either process, at any moment."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from indexer.chain.blocks import Block
from indexer.chain.receipts import Receipts
from indexer.follow.batch_writer import BatchWriter
from indexer.follow.loop import Follower, Progress
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Cursor
from settlement.core.state import InvariantError
from settlement.net.backoff import Stopped, Waiting
from settlement.store import schema
from settlement.store.database import StoreError, open_reader, open_writer
from settlement.store.write.loader import load, load_or_initialise
from settlement.store.write.projector import Batch
from tests.support.databases import KINDS
from tests.support.postgres import database
from tests.support.waiting import wait_until
from tests.system.follow.writing import write
from tests.system.store.chains import demo, dump, journal, lively, picture, replay

LAST = len(lively().blocks)
SOON = 240.0
"""Seconds in which a process must have ended on a busy machine."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively().write(tmp_path_factory.mktemp("lively") / "chain")


@pytest.fixture(scope="module")
def calm(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """What one process makes of it, a block a batch."""
    url = f"sqlite:///{tmp_path_factory.mktemp('calm') / 'dex.db'}"
    replay(archive, url, batch=1)[1].dispose()
    return contents(url)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'dex.db'}"


def contents(url: str) -> tuple[object, ...]:
    """Journal, state and every table."""
    reader = open_reader(url)
    try:
        return journal(reader), picture(load(reader).state), dump(reader)
    finally:
        reader.dispose()


def recorded(url: str) -> int:
    """The last block in the database."""
    reader = open_reader(url)
    try:
        with reader.connect() as connection:
            return int(connection.scalar(select(schema.cursor.c.block)) or 0)
    finally:
        reader.dispose()


def the_other() -> Any:
    """The second process of this one."""
    (process,) = multiprocessing.active_children()
    return process


def at(block: int, action: Callable[[], object]) -> Callable[[Progress], None]:
    """Call `action` after the batch of that block."""

    def on_batch(progress: Progress) -> None:
        if progress.last_block == block:
            action()

    return on_batch


# ---------------------------------------------------------------- the same database


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [1, 7, 50])
def test_two_processes_write_what_one_writes(
    archive: Path, calm: tuple[object, ...], tmp_path: Path, kind: str, batch: int
) -> None:
    with database(kind, tmp_path) as url:
        seen = set()
        rules = write(archive, url, batch=batch, on_batch=lambda _: seen.add(the_other().pid))
        assert len(seen) == 1, "one other process wrote it"
        assert multiprocessing.active_children() == []
        assert picture(rules.state) == calm[1]
        assert contents(url) == calm


def test_a_database_in_memory_is_written_here(archive: Path) -> None:
    engine = open_writer("sqlite://")
    rules, projector = load_or_initialise(engine, demo())
    with BatchWriter(engine, "sqlite://", projector, large_batch_characters=1) as writer:
        Follower(rules, writer, ArchiveSource(archive, rules.venue_filter), batch_blocks=40).run()
        assert multiprocessing.active_children() == []
    assert load(engine).state.journal_hash == rules.state.journal_hash


def test_small_batches_start_no_process(archive: Path, url: str) -> None:
    engine = open_writer(url)
    rules, projector = load_or_initialise(engine, demo())
    with BatchWriter(engine, url, projector) as writer:
        Follower(rules, writer, ArchiveSource(archive, rules.venue_filter), batch_blocks=40).run()
        assert multiprocessing.active_children() == []
    assert recorded(url) == LAST


class Chain:
    """A source that has caught up with the chain at a block, and falls behind at another."""

    where = "the chain"
    waiting: Waiting | None = None

    def __init__(self, archive: ArchiveSource, live: range) -> None:
        self.catching_up = True
        self._archive = archive
        self._live = live

    def blocks(self, after: Cursor) -> Iterator[tuple[Block, Receipts | None]]:
        for block, receipts in self._archive.blocks(after):
            self.catching_up = block.number not in self._live
            yield block, receipts


def test_live_blocks_are_committed_here_one_by_one(archive: Path, url: str, calm: tuple[object, ...]) -> None:
    """While it catches up before and after, another process writes."""
    engine = open_writer(url)
    rules, projector = load_or_initialise(engine, demo())
    source = Chain(ArchiveSource(archive, rules.venue_filter), range(50, 81))
    processes: list[int] = []

    def on_batch(progress: Progress) -> None:
        processes.append(len(multiprocessing.active_children()))
        if not source.catching_up and progress.last_block >= 50:
            assert recorded(url) == progress.last_block

    caught_up: list[int] = []
    with BatchWriter(engine, url, projector, large_batch_characters=1) as writer:
        follower = Follower(
            rules,
            writer,
            source,
            batch_blocks=10,
            on_batch=on_batch,
            on_caught_up=lambda: caught_up.append(recorded(url)),
        )
        follower.run()
    assert caught_up == [50]
    # Batches to 10, 20, 30, 40, 49 beside a process; 31 live blocks; then 90, 100, 110, 120 beside another.
    assert processes == [1] * 5 + [0] * 31 + [1] * 4
    assert contents(url) == calm
    reader = open_reader(url)
    with reader.connect() as connection:
        changes = connection.execute(
            select(func.min(schema.change_sets.c.block), func.max(schema.change_sets.c.block))
        ).one()
    reader.dispose()
    assert 50 <= changes[0] <= changes[1] <= 80, "only live blocks have change sets"


# ---------------------------------------------------------------- errors of the second process


def test_its_error_is_raised_here_in_its_own_words(archive: Path, url: str) -> None:
    """Here the rules disagree with it about a token's holdings."""

    class Liar:
        def __init__(self, sink: BatchWriter) -> None:
            self._sink = sink

        def project(self, batch: Batch) -> None:
            if batch.end.number == 30:
                batch = batch._replace(
                    totals={**batch.totals, "HIVE": batch.totals["HBD"]._replace(holdings=-7)}
                )
            self._sink.project(batch)

    engine = open_writer(url)
    rules, projector = load_or_initialise(engine, demo())

    def follow() -> None:
        with BatchWriter(engine, url, projector, large_batch_characters=1) as writer:
            Follower(rules, Liar(writer), ArchiveSource(archive, rules.venue_filter), batch_blocks=1).run()

    with pytest.raises(InvariantError, match=r"HIVE: the projector has .*, the rules have .*-7"):
        follow()
    assert multiprocessing.active_children() == []
    assert recorded(url) == 29


def test_two_writers_do_not_write_over_each_other(archive: Path, url: str, calm: tuple[object, ...]) -> None:
    def meanwhile() -> None:
        replay(archive, url)[1].dispose()

    with pytest.raises(StoreError, match="another process is writing to this database"):
        write(archive, url, on_batch=at(20, meanwhile))
    assert multiprocessing.active_children() == []
    write(archive, url)  # the slower one has lost: this one, or the other
    assert contents(url) == calm


# ---------------------------------------------------------------- the second process is killed


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_second_process_stops_the_first(
    archive: Path, url: str, calm: tuple[object, ...], seed: int
) -> None:
    block = random.Random(seed).randrange(2, LAST - 5)

    def kill() -> None:
        the_other().kill()

    with pytest.raises(
        StoreError, match=r"ended unexpectedly \(exit code -9\): start again, nothing is lost"
    ):
        write(archive, url, on_batch=at(block, kill))
    assert multiprocessing.active_children() == []
    assert recorded(url) <= block
    write(archive, url)
    assert contents(url) == calm


def test_an_interruption_drops_what_is_not_written_yet(
    archive: Path, url: str, calm: tuple[object, ...]
) -> None:
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        write(archive, url, on_batch=at(60, stop))
    assert multiprocessing.active_children() == []
    assert recorded(url) <= 60
    write(archive, url)
    assert contents(url) == calm


# ---------------------------------------------------------------- the first process is ended


def start(archive: Path, url: str) -> subprocess.Popen[str]:
    """A replay as a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.system.follow.writing", str(archive), url],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[3],
    )


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, and that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == pid and state != "Z":
                found.append(int(entry.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("block", [5, 40, 90])
def test_ending_the_first_process_ends_the_second(
    archive: Path, url: str, calm: tuple[object, ...], sent: signal.Signals, block: int
) -> None:
    """A signal goes to both, as from a terminal or a service manager; SIGKILL to the first alone."""
    run = start(archive, url)
    assert run.stdout is not None
    try:
        for line in run.stdout:
            if int(line) == block:
                break
        children = children_of(run.pid)
        assert children, "nothing was started"
        (os.kill if sent == signal.SIGKILL else os.killpg)(run.pid, sent)
        assert run.wait(SOON) == (-sent if sent == signal.SIGKILL else 0)
        wait_until(
            lambda: not any(map(is_running, children)), timeout=SOON, what=lambda: f"the end of {children}"
        )
    finally:
        run.kill()
        run.communicate()
    assert recorded(url) <= LAST  # a late signal can find all of it written
    write(archive, url)
    assert contents(url) == calm
