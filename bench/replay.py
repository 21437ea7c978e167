"""Replay of an archive into SQLite and PostgreSQL, as a ratio to writing the same rows through the driver alone.

The speed is that of `peakedex replay`, with rules and projector in two processes, by the clock. The parts are measured
in one process, in processor time.
"""

from __future__ import annotations

import pickle
import resource
import shutil
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from types import NoneType
from typing import Any, NamedTuple, cast

import psycopg

from bench.chain import VENUE, write_archive
from indexer.chain.decode import decode
from indexer.follow.batch_writer import BatchWriter
from indexer.follow.loop import Follower
from indexer.follow.memory import tune_gc
from indexer.rules_build import name_of_build
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Cursor
from settlement.core.state_machine import StateMachine
from settlement.core.venue import parse_venue
from settlement.store.database import open_writer
from settlement.store.write import projector as projector_module
from settlement.store.write.loader import load_or_initialise
from tests.support.postgres import drop_database, new_database

OPERATIONS = 100_000
OPEN_ORDERS = (1_000, 10_000, 100_000)
RUNS = 3
"""Replays in two processes; the median counts."""

Written = list[tuple[Any, list[Any]]]
"""Statements of the projector, each with its rows."""
PARTS = ("reading", "decoding", "rules", "ledger", "rows", "database", "loop")
Parts = dict[str, float]
"""Seconds of processor time by part of the replay."""


class Replayed(NamedTuple):
    """A replay in two processes, in seconds."""

    clock: float
    rules_process: float  # processor time: reading, decoding, rules, and the first batch's rows
    projector_process: float  # processor time, its start included


def main() -> None:
    """Print operations a second by open orders, and the ratio to the driver alone."""
    print(
        f"replay ({name_of_build()}) of {OPERATIONS} operations into SQLite on two quiet cores (goal: compiled "
        "ratio >= 0.75, >= 35,000 operations/s; pure Python >= 0.5, >= 23,000)"
    )
    for open_orders in OPEN_ORDERS:
        with tempfile.TemporaryDirectory() as home:
            runs, parts, written, size, whole = _replay(Path(home), open_orders)
            raw, raw_plain = _write_raw(Path(home), written), _write_raw_plainly(Path(home), written)
        print(
            f"{_speeds(open_orders, runs, parts, raw)}\n"
            f"{'':10}without the adapter for None: raw rows {OPERATIONS / raw_plain:,.0f}/s, ratio "
            f"{raw_plain / _clock(runs):.2f}\n"
            f"{'':10}{size / OPERATIONS:,.0f} bytes an operation, "
            f"{whole / OPERATIONS:,.0f} with the indexes of readers (goal: <= 1,200)"
        )
    print(f"replay of {OPERATIONS} operations into PostgreSQL (goal: ratio >= 0.5 to COPY of the same rows)")
    with tempfile.TemporaryDirectory() as home:
        print(_speeds(OPEN_ORDERS[1], *_postgresql(Path(home), OPEN_ORDERS[1])))


def _clock(runs: list[Replayed]) -> float:
    return median(run.clock for run in runs)


def _speeds(open_orders: int, runs: list[Replayed], parts: Parts, raw: float) -> str:
    """`runs` are of two processes, `parts` of one."""
    seconds = _clock(runs)
    shares = ", ".join(f"{name} {part / OPERATIONS * 1e6:.1f}" for name, part in parts.items())
    first, second = (min(run[n] for run in runs) / OPERATIONS * 1e6 for n in (1, 2))
    return (
        f"{open_orders:>9} open orders: {OPERATIONS / seconds:>8,.0f} operations/s "
        f"({', '.join(f'{OPERATIONS / run.clock:,.0f}' for run in runs)}), raw rows "
        f"{OPERATIONS / raw:>8,.0f}/s, ratio {raw / seconds:.2f}\n"
        f"{'':10}µs of processor time an operation: rules' process {first:.1f}, projector's {second:.1f}\n"
        f"{'':10}in one process: {shares}; sum {sum(parts.values()) / OPERATIONS * 1e6:.1f}; "
        f"raw rows by the clock {raw / OPERATIONS * 1e6:.1f}"
    )


class _Timed:
    """Processor time of each part of a replay, excluding the parts that run inside it."""

    def __init__(self) -> None:
        self._parts: Parts = defaultdict(float)
        self._open = ["loop"]
        self._since = time.process_time()

    def _turn(self) -> None:
        now = time.process_time()
        self._parts[self._open[-1]] += now - self._since
        self._since = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._turn()
        self._open.append(name)
        yield
        self._turn()
        self._open.pop()

    def call(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*args: Any) -> Any:
            with self.part(name):
                return work(*args)

        return timed

    def end(self) -> Parts:
        self._turn()
        return {name: self._parts[name] for name in PARTS}


class _Through:
    """A proxy of a part of the replay with one method replaced."""

    def __init__(self, whole: Any, **methods: Callable[..., Any]) -> None:
        self._whole = whole
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


def _replay(home: Path, open_orders: int) -> tuple[list[Replayed], Parts, Written, int, int]:
    """Runs in two processes, the parts in one, the rows written, and the growth of the file in bytes, without and with
    the read indexes."""
    opened = write_archive(home, open_orders, OPERATIONS)
    engine = open_writer(f"sqlite:///{home / 'bench.db'}")
    rules, projector = load_or_initialise(engine, parse_venue(VENUE))
    Follower(rules, projector, ArchiveSource(home, rules.venue_filter)).run(opened)
    before, indexed_before = _size(home), _size_with_indexes(home)
    runs = [
        _in_two_processes(str(shutil.copy(home / "bench.db", home / "two.db")), home) for _ in range(RUNS)
    ]
    parts, written = _timed(engine, rules, projector, home)
    engine.dispose()
    return runs, parts, written, _size(home) - before, _size_with_indexes(home) - indexed_before


def _in_two_processes(url: str, home: Path) -> Replayed:
    """The rest of the archive as `peakedex replay` does it, the start of the other process included."""
    engine = open_writer(url)
    rules, projector = load_or_initialise(engine, parse_venue(VENUE))
    tune_gc()
    others, own, started = _of_children(), time.process_time(), time.perf_counter()
    with BatchWriter(engine, url, projector) as writer:
        del projector
        progress = Follower(rules, writer, ArchiveSource(home, rules.venue_filter)).run()
    done = Replayed(time.perf_counter() - started, time.process_time() - own, _of_children() - others)
    engine.dispose()
    assert progress.intents == OPERATIONS, progress
    return done


def _of_children() -> float:
    """Processor seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _timed(
    engine: Any, rules: StateMachine, projector: projector_module.Projector, home: Path
) -> tuple[Parts, Written]:
    """Seconds for the operations by part, and the rows written."""
    tune_gc()
    written: list[
        tuple[Any, bytes]
    ] = []  # packed: millions of live rows would slow the garbage collector down
    module: Any = projector_module
    run, apply, commit, timed = module.run, module.apply_entry, engine.dialect.do_commit, _Timed()
    source = ArchiveSource(home, rules.venue_filter)

    def blocks(after: Cursor) -> Iterator[Any]:
        yield from iter(timed.call("reading", partial(next, source.blocks(after), None)), None)

    def noting(connection: Any, statement: Any, rows: Any) -> None:
        with timed.part("noting"):
            written.append((statement, pickle.dumps(rows)))
        timed.call("database", run)(connection, statement, rows)

    module.run, engine.dialect.do_commit = noting, timed.call("database", commit)
    module.apply_entry = timed.call("ledger", apply)
    try:
        progress = Follower(
            cast(Any, _Through(rules, apply=timed.call("rules", rules.apply))),
            cast(Any, _Through(projector, project=timed.call("rows", projector.project))),
            cast(Any, _Through(source, blocks=blocks)),
            read=timed.call("decoding", lambda *block: list(decode(*block))),
        ).run()
        parts = timed.end()
    finally:
        module.run, module.apply_entry, engine.dialect.do_commit = run, apply, commit
    assert progress.intents == OPERATIONS, progress
    return parts, [(statement, pickle.loads(rows)) for statement, rows in written]


def _postgresql(home: Path, open_orders: int) -> tuple[list[Replayed], Parts, float]:
    """Runs in two processes, the parts in one, and seconds of COPY with the same rows prepared as text; upserts go
    through the same merge."""
    opened = write_archive(home, open_orders, OPERATIONS)
    url, *both, other = (new_database() for _ in range(RUNS + 2))
    for each in (*both, url):
        engine = open_writer(each)
        rules, projector = load_or_initialise(engine, parse_venue(VENUE))
        Follower(rules, projector, ArchiveSource(home, rules.venue_filter)).run(opened)
        if each != url:
            engine.dispose()
    two = [_in_two_processes(each, home) for each in both]
    parts, written = _timed(engine, rules, projector, home)
    open_writer(other).dispose()
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
    for each in (url, *both, other):
        drop_database(each)
    return two, parts, raw


def _copied(rows: list[Any]) -> bytes:
    """Rows in the text format of COPY."""
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
    """The size of a copy of the database with the read indexes, in bytes."""
    copy = Path(shutil.copy(home / "bench.db", home / "indexed.db"))
    engine = open_writer(f"sqlite:///{copy}")
    projector_module.make_read_indexes(engine)
    engine.dispose()
    size = copy.stat().st_size
    copy.unlink()
    return size


def _write_raw_plainly(home: Path, written: Written) -> float:
    """`_write_raw` as any program would do it: without the adapter for None of `settlement.store.sqlite`."""
    key = (NoneType, sqlite3.PrepareProtocol)
    adapter = sqlite3.adapters.pop(key)
    try:
        return _write_raw(home, written)
    finally:
        sqlite3.adapters[key] = adapter


def _write_raw(home: Path, written: Written) -> float:
    """Seconds for the same statements and rows through the driver alone, one transaction a batch."""
    path = home / "raw.db"
    path.unlink(missing_ok=True)
    engine = open_writer(f"sqlite:///{path}")
    pooled = engine.raw_connection()  # with the writer's settings
    connection = cast(sqlite3.Connection, pooled.driver_connection)
    started = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    for statement, rows in written:
        connection.executemany(statement.sql, rows)
        if statement.sql.startswith("INSERT INTO cursor"):
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    pooled.close()
    engine.dispose()
    return seconds


if __name__ == "__main__":
    main()
