"""`peakedex replay` after a kill, a full disk or a locked database: one line of error, and the next run continues."""

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, Engine, event

from indexer.cli import main
from settlement.store.database import open_reader
from settlement.store.write.loader import load
from tests.support.examples import SEED
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
    """The result of a replay without faults."""
    replay(home / "chain", str(home / "calm.db"), batch=1)
    return contents(home / "calm.db")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dex.db"


def contents(path: Path) -> tuple[object, ...]:
    reader = open_reader(str(path))
    return journal(reader), picture(load(reader).state), dump(reader)


def arguments(home: Path, path: Path | str, *more: str) -> list[str]:
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


def test_after_random_kills_it_continues_from_the_last_committed_batch(
    home: Path, path: Path, calm: tuple[object, ...]
) -> None:
    chance = random.Random(SEED)
    started = time.monotonic()
    assert start(home, path).wait(240) == 0
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
            assert run.wait(240) in (-signal.SIGKILL, 0)  # it may have come to its end just now
        reached.append(blocks_recorded(path))
    assert reached == sorted(reached), "a block was lost"
    last = start(home, path)
    said, _ = last.communicate(timeout=240)
    assert last.returncode == 0
    assert json.loads(said)["last_block"] == len(lively().blocks)
    assert contents(path) == calm


def test_a_full_disk_is_reported_and_more_space_is_enough(
    home: Path, path: Path, calm: tuple[object, ...]
) -> None:
    """The system limits files to 600,000 bytes, which the run exceeds halfway."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    run = start(home, path, preexec_fn=limit)
    said, complaint = run.communicate(timeout=240)
    assert run.returncode == 1
    assert said == ""
    assert complaint.count("\n") == 1
    assert complaint.startswith("Error: database: ")
    assert "free disk space" in complaint or "check the disk" in complaint
    reached = blocks_recorded(path)
    assert 0 < reached < len(lively().blocks)
    assert load(open_reader(str(path))).next_block() == reached + 1
    assert start(home, path).wait(240) == 0
    assert contents(path) == calm


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the write lock, as another process would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def without_patience(path: Path) -> str:
    """The database's URL, with a lock timeout of two seconds instead of ten; a heartbeat holds the lock for less."""
    return f"sqlite:///{path}?timeout=2"


def test_a_locked_database_is_reported(home: Path, path: Path) -> None:
    replay(home / "chain", str(path), until=10)
    with lock(path):
        run = CliRunner().invoke(main, arguments(home, without_patience(path)))
    assert run.exit_code == 2
    assert run.output == (
        f"Error: cannot open database {path}: database is locked: "
        "another process is writing to it: run one indexer per database\n"
    )
    assert blocks_recorded(path) == 10


@contextlib.contextmanager
def after_batch(number: int, action: Callable[[], object]) -> Iterator[None]:
    """Call `action` once, between batch `number` and the next one, while a command runs in this process."""
    batches = 0

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal batches
        batches += statement.startswith("INSERT INTO cursor")

    def act(_connection: Connection) -> None:
        nonlocal batches
        if batches == number + 1:  # the first one is the venue's
            batches += 1
            event.remove(Engine, "after_cursor_execute", count)
            action()

    event.listen(Engine, "after_cursor_execute", count)
    event.listen(Engine, "engine_connect", act)
    try:
        yield
    finally:
        event.remove(Engine, "engine_connect", act)


def test_a_lock_in_the_middle_of_the_run_stops_it_between_two_batches(
    home: Path, path: Path, calm: tuple[object, ...]
) -> None:
    with contextlib.ExitStack() as locks:
        with after_batch(30, lambda: locks.enter_context(lock(path))):
            run = CliRunner().invoke(main, arguments(home, without_patience(path)))
        assert run.exit_code == 1
        assert run.output.startswith("Error: database: database is locked: another process is writing to it")
        assert run.output.count("\n") == 1
    assert blocks_recorded(path) == 30
    assert CliRunner().invoke(main, arguments(home, path)).exit_code == 0
    assert contents(path) == calm


def test_a_second_replay_into_the_same_database_does_not_write_over_the_first(
    home: Path, path: Path, calm: tuple[object, ...]
) -> None:
    """The slower one finds the cursor moved, says so, and leaves everything as it is."""
    with after_batch(20, lambda: replay(home / "chain", str(path))):
        run = CliRunner().invoke(main, arguments(home, path))
    assert run.exit_code == 2
    assert run.output == (
        "Error: another process is writing to this database: run one indexer per database\n"
    )
    assert contents(path) == calm
