"""Partitions of the history: made as rows need them, in nobody's way, and never missed in silence."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, inspect, select

from indexer.ops.backup.restoring import Wanted, restore
from indexer.ops.backup.snapshots import write_snapshot
from settlement.core.journal.state_text import state_text
from settlement.store import partitions, schema
from settlement.store.database import StoreError, open_reader, open_writer
from settlement.store.partitions import BY_BLOCK, PARTITIONED, Range, Room, fit, read_ranges
from settlement.store.write.loader import open_engine
from settlement.store.write.projector import make_read_indexes
from tests.support.postgres import drop_database, execute, new_database, with_partitions
from tests.system.store.chains import demo, dump, lively, read_on, replay

ROWS, BLOCKS = 100, 16
NAMES = [table.name for table in PARTITIONED]
CHILDREN = """SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
JOIN pg_class p ON p.oid = inhparent WHERE p.relkind = 'p'"""
INDEXES_WITHOUT_A_PARTITION = """SELECT relname FROM pg_class p JOIN pg_index ON indexrelid = p.oid WHERE relkind = 'I'
AND (SELECT count(*) FROM pg_inherits WHERE inhparent = p.oid)
<> (SELECT count(*) FROM pg_inherits WHERE inhparent = indrelid)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lively().write(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def whole(folder: Path) -> tuple[str, dict[str, Any]]:
    """The chain's last state, and all rows, as SQLite has them."""
    rules, database = replay(folder, "sqlite://")
    return state_text(rules.state), dump(database)


@pytest.fixture
def narrow(postgresql: str) -> str:
    """A database whose writer waits for no lock longer than five seconds."""
    return with_partitions(postgresql, ROWS, BLOCKS, lock_timeout="5s")


@pytest.fixture(scope="module")
def partitioned(folder: Path) -> Iterator[str]:
    """A database of the whole chain; what tests do to it they undo."""
    url = new_database()
    narrow = with_partitions(url, ROWS, BLOCKS)
    replay(folder, narrow)[1].dispose()
    yield narrow
    drop_database(url)


def ranges_of(database: Engine) -> dict[str, list[Range]]:
    with database.connect() as connection:
        return read_ranges(connection)


# ---------------------------------------------------------------- they are made


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40)), max_size=20))
def test_ranges_fit_beside_each_other_whatever_comes_when(keys: list[tuple[int, int]]) -> None:
    """In any order, and with widths that change."""
    ranges: list[Range] = []
    for key, width in keys:
        if not any(known.holds(key) for known in ranges):
            new = fit(ranges, key, width)
            assert new.holds(key)
            assert new.end - new.start <= width
            insort(ranges, new)
    assert all(left.end <= right.start for left, right in pairwise(ranges))


def test_history_over_many_partitions_is_the_same_history(
    narrow: str, folder: Path, whole: tuple[str, dict[str, Any]]
) -> None:
    """Recorded in two lives, with the readers' indexes made between; later partitions have them too."""
    _, database = replay(folder, narrow, until=60, batch=7)
    make_read_indexes(database)
    database.dispose()
    database = open_writer(narrow)
    rules, recorder = open_engine(database, demo())
    read_on(rules, recorder, folder, batch_blocks=23)
    assert (state_text(rules.state), dump(database)) == whole
    ranges = ranges_of(database)
    for name, table_ranges in ranges.items():
        assert len(table_ranges) > 3, name
    for table in BY_BLOCK:
        assert ranges[table.name] == [Range(n, n + BLOCKS) for n in range(0, rules.next_block(), BLOCKS)]
    assert execute(narrow, INDEXES_WITHOUT_A_PARTITION) == []
    children = {name for (name,) in execute(narrow, CHILDREN)}
    assert {f"trades_{n}" for n in range(0, rules.state.last_trade + 1, ROWS)} <= children

    with database.connect() as connection:
        options = {
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "table" or name not in children,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []
        tables = set(inspect(connection).get_table_names()) - children
    assert tables == {*schema.metadata.tables, "alembic_version"}
    database.dispose()


def test_blocks_far_off_need_no_partitions_before_them(narrow: str) -> None:
    """Nor any between; and a block without journal has its partitions, too, for it is not missing."""
    database = open_writer(narrow)
    with database.begin() as connection:
        room = Room(connection)
        for name, first in (("journal", 90_000_000), ("blocks", 90_000_010), ("blocks", 200_000_001)):
            room.make(connection, {name: [(first, ""), (first + 9, "")], "trades": []})
    expected = [Range(90_000_000, 90_000_016), Range(90_000_016, 90_000_032), Range(200_000_000, 200_000_016)]
    assert ranges_of(database) == {
        **{name: [] for name in NAMES},
        **{table.name: expected for table in BY_BLOCK},
    }
    database.dispose()


def test_one_batch_over_many_partitions(narrow: str, folder: Path, whole: tuple[str, dict[str, Any]]) -> None:
    rules, database = replay(folder, narrow, batch=10_000)
    assert (state_text(rules.state), dump(database)) == whole
    database.dispose()


def test_widths_may_change(postgresql: str, folder: Path) -> None:
    for until, (rows, blocks) in zip((40, 80, None), ((1 << 24, 1 << 21), (30, 3), (200, 32)), strict=True):
        rules, database = replay(folder, with_partitions(postgresql, rows, blocks), until=until)
        last = ranges_of(database)
        database.dispose()
    # What was there first has room for all of it.
    assert {name: len(found) for name, found in last.items()} == dict.fromkeys(NAMES, 1)
    assert rules.next_block() > 80


def test_what_was_made_goes_with_its_transaction(
    narrow: str, folder: Path, whole: tuple[str, dict[str, Any]]
) -> None:
    """A batch that fails leaves nothing, and the next recorder makes it all again."""
    rules, database = replay(folder, narrow, until=30)
    before = ranges_of(database)
    with database.connect() as connection:
        Room(connection).make(connection, {"transfers": [(n,) for n in range(1, 5000, 50)]})
        assert len(read_ranges(connection)["transfers"]) == 50
        connection.rollback()
    assert ranges_of(database) == before
    rules, recorder = open_engine(database, demo())
    read_on(rules, recorder, folder)
    assert (state_text(rules.state), dump(database)) == whole
    database.dispose()


def test_a_snapshot_is_restored_into_partitions(
    partitioned: str, postgresql: str, tmp_path: Path, whole: tuple[str, dict[str, Any]]
) -> None:
    """Of other widths than those that it was taken from."""
    path = tmp_path / "it.snapshot"
    source = open_reader(partitioned)
    with source.connect() as connection, path.open("wb") as file:
        write_snapshot(connection, file, network="test")
    narrower = with_partitions(postgresql, ROWS // 3, BLOCKS // 2)
    restore(path, narrower, Wanted(ignore_claim=True))  # the chain's operator makes them up
    database = open_writer(narrower)
    assert dump(database) == whole[1]
    before, after = ranges_of(source), ranges_of(database)
    assert all(len(after[name]) > len(before[name]) > 3 for name in NAMES)
    for engine in (source, database):
        engine.dispose()


@pytest.mark.parametrize("width", ["many", "0", "-5", "1.5", "9" * 19])
@pytest.mark.parametrize("setting", partitions.WIDTHS)
def test_a_width_that_is_none(postgresql: str, setting: str, width: str) -> None:
    with pytest.raises(StoreError, match=rf"setting {setting} is '{width}': give it a whole number above 0"):
        open_writer(f"{postgresql}&options=-c%20{setting}%3D{width}")


# ---------------------------------------------------------------- nobody waits


def test_a_long_look_is_in_nobody_s_way_nor_disturbed(narrow: str, folder: Path) -> None:
    """The writer would give up after five seconds, if a lock were held against it."""
    _, database = replay(folder, narrow, until=40)
    reader = open_reader(narrow)
    counts = [select(func.count()).select_from(table) for table in PARTITIONED]
    with reader.connect() as connection:
        seen = [connection.scalar(count) for count in counts]
        before = ranges_of(database)
        rules, recorder = open_engine(database, demo())
        read_on(rules, recorder, folder, batch_blocks=10)
        after = ranges_of(database)
        assert all(len(after[name]) > len(before[name]) for name in NAMES)
        assert [connection.scalar(count) for count in counts] == seen
    with reader.connect() as connection:
        assert all(connection.scalar(count) > old for count, old in zip(counts, seen, strict=True))
    reader.dispose()
    database.dispose()


def test_readers_go_on_while_a_batch_with_new_partitions_is_written(narrow: str, folder: Path) -> None:
    _, database = replay(folder, narrow, until=40)
    reader = open_reader(narrow)
    with database.connect() as writing:
        Room(writing).make(writing, {name: [(100_000,)] for name in NAMES})
        with reader.connect() as connection:
            for table in PARTITIONED:
                assert connection.scalar(select(func.count()).select_from(table))
        writing.rollback()
    reader.dispose()
    database.dispose()


def test_the_newest_rows_are_read_out_of_the_newest_partitions_alone(narrow: str, folder: Path) -> None:
    """By the index of a pair or an account, in order, as far as it takes: old partitions are not looked at."""
    _, database = replay(folder, narrow)
    make_read_indexes(database)
    database.dispose()
    for question in (
        "SELECT n FROM trades WHERE pair_id = 1 AND n < 1000000 ORDER BY n DESC LIMIT 3",
        "SELECT n FROM transfers WHERE debit_id = 1 AND n < 1000000 ORDER BY n DESC LIMIT 3",
        "SELECT max(block) FROM balance_changes WHERE account_id = 1 AND token_id = 1 AND block <= 1000000",
        "SELECT lines FROM journal WHERE block = 17",
    ):
        settings = ("SET enable_seqscan = off", "SET enable_bitmapscan = off", "SET enable_sort = off")
        plan = execute(narrow, *settings, f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {question}")
        scans = [step for (step,) in plan if " Scan " in step]
        looked_at = [step for step in scans if "never executed" not in step]
        assert 1 <= len(looked_at) <= 3, plan
        assert not [step for (step,) in plan if "Sort" in step], plan
        assert "WHERE block = 17" not in question or len(scans) == 1


# ---------------------------------------------------------------- they are missed


@contextmanager
def detached(url: str, name: str, which: int) -> Iterator[int]:
    """Without one of a table's partitions; the key that it begins with."""
    reader = open_reader(url)
    start, end = ranges_of(reader)[name][which]
    reader.dispose()
    execute(url, f"ALTER TABLE {name} DETACH PARTITION {name}_{start}")
    yield start
    execute(url, f"ALTER TABLE {name} ATTACH PARTITION {name}_{start} FOR VALUES FROM ({start}) TO ({end})")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", [0, 1, -1])
def test_detached_history_is_told_and_may_come_back(partitioned: str, name: str, which: int) -> None:
    """Readers and writers refuse the database: they would give answers that are wrong."""
    if (name, which) == ("transfers", -1):
        return  # nothing else tells how many there were
    with detached(partitioned, name, which) as start:
        told = f"history is missing, {name} has no partition from {start} on: attach it again, or restore"
        for open_it in (open_reader, open_writer):
            with pytest.raises(StoreError, match=told):
                open_it(partitioned)
    for open_it in (open_reader, open_writer):
        open_it(partitioned).dispose()


def test_what_was_detached_while_it_was_read(partitioned: str) -> None:
    """`ALTER TABLE … DETACH … CONCURRENTLY` that waits: it counts as gone."""
    detach = "ALTER TABLE trades DETACH PARTITION trades_0 CONCURRENTLY"
    with psycopg.connect(partitioned) as reader:
        reader.execute("SELECT count(*) FROM trades")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            execute(partitioned, "SET lock_timeout = '50ms'", detach)
    with pytest.raises(StoreError, match="trades has no partition from 0 on"):
        open_reader(partitioned)
    execute(
        partitioned,
        "ALTER TABLE trades DETACH PARTITION trades_0 FINALIZE",
        f"ALTER TABLE trades ATTACH PARTITION trades_0 FOR VALUES FROM (0) TO ({ROWS})",
    )
    open_reader(partitioned).dispose()


def test_a_partition_of_somebody_else_is_named(partitioned: str) -> None:
    execute(partitioned, "CREATE TABLE rest PARTITION OF transfers DEFAULT")
    with pytest.raises(StoreError, match="a partition of transfers is none of ours, DEFAULT: detach it"):
        open_writer(partitioned)
    execute(partitioned, "DROP TABLE rest")
