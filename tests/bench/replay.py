"""Replay end to end into SQLite, as a ratio to the raw writing of the same rows in the same run."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from indexer.archive import ArchiveSource
from indexer.cli.common import settle_memory
from indexer.follow import Follower
from settlement.store import database, recorder
from settlement.store.database import open_writer
from settlement.store.loader import open_engine
from settlement.venue import parse_venue
from tests.bench.chain import VENUE, write_archive

OPERATIONS = 20_000
OPEN_ORDERS = (1_000, 10_000, 100_000)

Written = list[tuple[str, list[Any]]]


def main() -> None:
    """Print operations a second with so many orders open, and the ratio to the driver alone."""
    print(f"replay of {OPERATIONS} operations into SQLite (goal: ratio >= 0.7, >= 25,000 operations/s)")
    for open_orders in OPEN_ORDERS:
        with tempfile.TemporaryDirectory() as home:
            seconds, written, size, whole = _replay(Path(home), open_orders)
            raw = _write_raw(Path(home), written)
        print(
            f"  {open_orders:>7} open orders: {OPERATIONS / seconds:>8,.0f} operations/s, raw rows "
            f"{OPERATIONS / raw:>8,.0f}/s, ratio {raw / seconds:.2f}, {size / OPERATIONS:,.0f} bytes an operation, "
            f"{whole / OPERATIONS:,.0f} with the indexes of readers (goal: <= 1,200)"
        )


def _replay(home: Path, open_orders: int) -> tuple[float, Written, int, int]:
    """Seconds, the rows, and by how many bytes the file grew: as it is, and with the indexes of readers."""
    opened = write_archive(home, open_orders, OPERATIONS)
    engine = open_writer(f"sqlite:///{home / 'bench.db'}")
    rules, writer = open_engine(engine, parse_venue(VENUE))
    Follower(rules, writer, ArchiveSource(home, rules.watch)).run(opened)
    before, indexed_before = _size(home), _size_with_indexes(home)
    settle_memory()
    written: Written = []
    run = recorder.run

    def noting(connection: Any, sql: str, rows: Any) -> None:
        written.append((sql, list(rows)))
        run(connection, sql, rows)

    recorder.run = noting
    try:
        started = time.perf_counter()
        progress = Follower(rules, writer, ArchiveSource(home, rules.watch)).run()
        seconds = time.perf_counter() - started
    finally:
        recorder.run = run
    assert progress.intents == OPERATIONS, progress
    engine.dispose()
    return seconds, written, _size(home) - before, _size_with_indexes(home) - indexed_before


def _size(home: Path) -> int:
    with sqlite3.connect(home / "bench.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return (home / "bench.db").stat().st_size


def _size_with_indexes(home: Path) -> int:
    """Of a copy, so that the replay itself goes on without them."""
    copy = Path(shutil.copy(home / "bench.db", home / "indexed.db"))
    engine = open_writer(f"sqlite:///{copy}")
    recorder.make_read_indexes(engine)
    engine.dispose()
    size = copy.stat().st_size
    copy.unlink()
    return size


def _write_raw(home: Path, written: Written) -> float:
    """The same statements and rows through the driver alone, one transaction for each batch."""
    path = home / "raw.db"
    open_writer(f"sqlite:///{path}").dispose()
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in database._WRITER_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    started = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    for sql, rows in written:
        connection.executemany(sql, rows)
        if sql.startswith("INSERT INTO cursor"):
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


if __name__ == "__main__":
    main()
