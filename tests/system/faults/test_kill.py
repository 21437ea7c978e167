"""`peakedex replay` killed, starved of disk, or locked out: it says so in a line, and the next run goes on."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from indexer.cli import main
from settlement.core.journal.entries import BlockResult
from settlement.store import database
from settlement.store.database import open_reader
from settlement.store.write.loader import load
from settlement.store.write.projector import Projector
from tests.system.store.chains import VENUE_TEXT, dump, journal, lively, picture, replay

KILLS = 4


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a venue file and a chain."""
    home = tmp_path_factory.mktemp("home")
    (home / "venue.toml").write_text(VENUE_TEXT, "utf-8")
    lively().write(home / "chain")
    return home


@pytest.fixture(scope="module")
def calm(home: Path) -> tuple[object, ...]:
    """How it ends when nothing goes wrong."""
    replay(home / "chain", str(home / "calm.db"), batch=1)
    return contents(home / "calm.db")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dex.db"


def contents(path: Path) -> tuple[object, ...]:
    reader = open_reader(str(path))
    return journal(reader), picture(load(reader).state), dump(reader)


def arguments(home: Path, path: Path, *more: str) -> list[str]:
    files = ("--venue", str(home / "venue.toml"), "--archive", str(home / "chain"), "--db", str(path))
    return ["replay", *files, "--batch", "1", *more]


def start(home: Path, path: Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "indexer.cli", *arguments(home, path, "--json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def blocks_recorded(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as plain:
        try:
            row = plain.execute("SELECT block FROM cursor").fetchone()
        except sqlite3.OperationalError:
            return 0  # not even the tables are there
        return int(row[0]) if row else 0


def test_killed_at_random_it_goes_on_from_the_last_whole_batch(
    home: Path, path: Path, calm: tuple[object, ...]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    started = time.monotonic()
    assert start(home, path).wait(60) == 0
    seconds = time.monotonic() - started
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    reached = []
    for _ in range(KILLS):
        run = start(home, path)
        try:
            run.wait(chance.uniform(0.5, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            assert run.wait(60) in (-signal.SIGKILL, 0)  # it may have come to its end just now
        reached.append(blocks_recorded(path))
    assert reached == sorted(reached), "a block was lost"
    last = start(home, path)
    said, _ = last.communicate(timeout=60)
    assert last.returncode == 0
    assert json.loads(said)["last_block"] == len(lively().blocks)
    assert contents(path) == calm


def test_a_full_disk_is_named_and_room_is_all_it_takes(
    home: Path, path: Path, calm: tuple[object, ...]
) -> None:
    """Files may not grow beyond 600,000 bytes: a real refusal by the system, in the middle of the run."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    run = start(home, path, preexec_fn=limit)
    said, complaint = run.communicate(timeout=60)
    assert run.returncode == 1
    assert said == ""
    assert complaint.count("\n") == 1
    assert complaint.startswith("Error: database: ")
    assert "free disk space" in complaint or "check the disk" in complaint
    reached = blocks_recorded(path)
    assert 0 < reached < len(lively().blocks)
    assert load(open_reader(str(path))).next_block() == reached + 1
    assert start(home, path).wait(60) == 0
    assert contents(path) == calm


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Another process in the middle of a change."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for 20 milliseconds, not ten seconds."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)


@pytest.mark.usefixtures("impatient")
def test_a_locked_database_is_named(home: Path, path: Path) -> None:
    replay(home / "chain", str(path), until=10)
    with lock(path):
        run = CliRunner().invoke(main, arguments(home, path))
    assert run.exit_code == 2
    assert run.output == (
        f"Error: cannot open database {path}: database is locked: "
        "another process is writing to it: run one indexer per database\n"
    )
    assert blocks_recorded(path) == 10


def after_batch(number: int, patch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen in the world once that many batches are committed."""
    record = Projector.record
    count = 0

    def counted(self: Projector, batch: Sequence[BlockResult], *more: Any) -> None:
        nonlocal count
        record(self, batch, *more)
        count += 1
        if count == number:
            happens()

    patch.setattr(Projector, "record", counted)


@pytest.mark.usefixtures("impatient")
def test_a_lock_in_the_middle_of_the_run_stops_it_between_two_batches(
    home: Path, path: Path, calm: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as locks:
        with monkeypatch.context() as patch:
            after_batch(30, patch, lambda: locks.enter_context(lock(path)))
            run = CliRunner().invoke(main, arguments(home, path))
        assert run.exit_code == 1
        assert run.output.startswith("Error: database: database is locked: another process is writing to it")
        assert run.output.count("\n") == 1
    assert blocks_recorded(path) == 30
    assert CliRunner().invoke(main, arguments(home, path)).exit_code == 0
    assert contents(path) == calm


def test_a_second_replay_into_the_same_database_does_not_write_over_the_first(
    home: Path, path: Path, calm: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one finds the cursor moved, says so, and leaves all as it is."""
    with monkeypatch.context() as patch:
        after_batch(20, patch, lambda: replay(home / "chain", str(path)))
        run = CliRunner().invoke(main, arguments(home, path))
    assert run.exit_code == 2
    assert run.output == (
        "Error: another process is writing to this database: run one indexer per database\n"
    )
    assert contents(path) == calm
