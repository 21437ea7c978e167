"""Replay end to end into SQLite and PostgreSQL, as a ratio to the raw writing of the same rows in the same run."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from indexer.archive import ArchiveSource
from indexer.cli.common import settle_memory
from indexer.follow import Follower
from settlement.engine import Engine
from settlement.store import database, recorder
from settlement.store.database import open_writer
from settlement.store.loader import open_engine
from settlement.venue import parse_venue
from tests.bench.chain import VENUE, write_archive
from tests.postgres import drop_database, new_database

OPERATIONS = 20_000
OPEN_ORDERS = (1_000, 10_000, 100_000)

Written = list[tuple[Any, list[Any]]]
"""Statements of the recorder, each with its rows."""


def main() -> None:
    """Print operations a second with so many orders open, and the ratio to the driver alone."""
    print(f"replay of {OPERATIONS} operations into SQLite (goal: ratio >= 0.7, >= 25,000 operations/s)")
    for open_orders in OPEN_ORDERS:
        with tempfile.TemporaryDirectory() as home:
            seconds, written, size, whole = _replay(Path(home), open_orders)
            raw = _write_raw(Path(home), written)
        print(
            f"  {_speeds(open_orders, seconds, raw)}, {size / OPERATIONS:,.0f} bytes an operation, "
            f"{whole / OPERATIONS:,.0f} with the indexes of readers (goal: <= 1,200)"
        )
    print(f"replay of {OPERATIONS} operations into PostgreSQL (goal: ratio >= 0.7 to COPY of the same rows)")
    for open_orders in OPEN_ORDERS:
        with tempfile.TemporaryDirectory() as home:
            print(f"  {_speeds(open_orders, *_postgresql(Path(home), open_orders))}")


def _speeds(open_orders: int, seconds: float, raw: float) -> str:
    return (
        f"{open_orders:>7} open orders: {OPERATIONS / seconds:>8,.0f} operations/s, raw rows "
        f"{OPERATIONS / raw:>8,.0f}/s, ratio {raw / seconds:.2f}"
    )


def _replay(home: Path, open_orders: int) -> tuple[float, Written, int, int]:
    """Seconds, the rows, and by how many bytes the file grew: as it is, and with the indexes of readers."""
    opened = write_archive(home, open_orders, OPERATIONS)
    engine = open_writer(f"sqlite:///{home / 'bench.db'}")
    rules, writer = open_engine(engine, parse_venue(VENUE))
    Follower(rules, writer, ArchiveSource(home, rules.watch)).run(opened)
    before, indexed_before = _size(home), _size_with_indexes(home)
    seconds, written = _timed(rules, writer, home)
    engine.dispose()
    return seconds, written, _size(home) - before, _size_with_indexes(home) - indexed_before


def _timed(rules: Engine, writer: recorder.Recorder, home: Path) -> tuple[float, Written]:
    """Seconds for the operations themselves, and what was written meanwhile."""
    settle_memory()
    written: Written = []
    run = recorder.run

    def noting(connection: Any, statement: Any, rows: Any) -> None:
        written.append((statement, list(rows)))
        run(connection, statement, rows)

    recorder.run = noting
    try:
        started = time.perf_counter()
        progress = Follower(rules, writer, ArchiveSource(home, rules.watch)).run()
        seconds = time.perf_counter() - started
    finally:
        recorder.run = run
    assert progress.intents == OPERATIONS, progress
    return seconds, written


def _postgresql(home: Path, open_orders: int) -> tuple[float, float]:
    """Seconds of the replay, and of COPY with the same rows as text made beforehand; what is merged, merged."""
    opened = write_archive(home, open_orders, OPERATIONS)
    url, other = new_database(), new_database()
    engine = open_writer(url)
    rules, writer = open_engine(engine, parse_venue(VENUE))
    Follower(rules, writer, ArchiveSource(home, rules.watch)).run(opened)
    seconds, written = _timed(rules, writer, home)
    engine.dispose()
    ready = [
        (
            each.sql,
            _copied(rows)
            if each.sql.startswith("COPY")
            else dict(zip(each.names, zip(*rows, strict=True), strict=True)),
        )
        for each, rows in written
        if rows
    ]
    with psycopg.connect(other) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        for sql, data in ready:
            if isinstance(data, bytes):
                with cursor.copy(sql) as copy:
                    copy.write(data)
            else:
                cursor.execute(sql, {name: list(values) for name, values in data.items()})
            if sql.startswith("INSERT INTO cursor"):
                connection.commit()
        raw = time.perf_counter() - started
    for each in (url, other):
        drop_database(each)
    return seconds, raw


def _copied(rows: list[Any]) -> bytes:
    """Rows in the text form of COPY."""
    return "".join("\t".join(map(_field, row)) + "\n" for row in rows).encode()


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


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
    for statement, rows in written:
        connection.executemany(statement.sql, rows)
        if statement.sql.startswith("INSERT INTO cursor"):
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


if __name__ == "__main__":
    main()
