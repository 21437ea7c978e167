"""`peakedex export`: atomic files, bounded memory, error messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert, select

from indexer.ops.export import parquet
from indexer.ops.export.dump import Dump, Filter
from indexer.ops.export.tables import TABLES, Selection
from settlement.core.venue import parse_venue
from settlement.store import schema
from settlement.store.database import open_reader, open_writer
from settlement.store.read.key_ranges import FETCH_ROWS, BlockRange, KeyRange, find_key_range
from settlement.store.write.loader import load_or_initialise
from tests.system.api.world import START_BLOCK, VENUE, World, small_world
from tests.system.cli.command import FAILED, MISUSED, OK, clean_environment, in_process, peakedex
from tests.system.export.market import rows_of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = small_world(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


def test_standard_output_is_the_file_and_nothing_else(world: World, tmp_path: Path) -> None:
    run = in_process("export", "trades", "--db", world.url)
    assert (run.code, run.err) == (OK, "")
    path = tmp_path / "trades.csv"
    assert peakedex("export", "trades", "--db", world.url, "--out", path).code == OK
    assert path.read_text() == run.out
    assert run.lines[0].startswith("id,ts,block,base,quote,price,")
    assert len(run.lines) == 4


def test_a_reader_that_has_seen_enough_ends_it_quietly(world: World) -> None:
    command = f'"{sys.executable}" -m indexer.cli export transfers --db "{world.url}" | head -n 1'
    run = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True, env=clean_environment()
    )
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""


def test_a_file_is_told_with_its_hash(world: World, tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    run = peakedex("export", "orders", "--db", world.url, "--format", "json", "--out", path, "--json")
    digest = sha256(path.read_bytes()).hexdigest()
    said = run.json
    assert (said["file"], said["rows"], said["sha256"]) == (
        "orders.json",
        len(rows_of(path.read_bytes())),
        digest,
    )
    assert (said["table"], said["format"], said["block"]) == ("orders", "json", world.block)
    for_people = peakedex("export", "orders", "--db", world.url, "--format", "json", "--out", path)
    assert for_people.lines[-1] == f"{digest}  orders.json  {said['rows']} rows"


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_all_tables_of_one_moment_with_a_manifest(world: World, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "dumps" / "today"
    run = peakedex("export", "--all", folder, "--db", world.url, "--format", form, "--json")
    assert run.code == OK
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert run.json == manifest
    assert {path.name for path in folder.iterdir()} == {f"{name}.{form}" for name in TABLES} | {
        "manifest.json"
    }
    assert [each["table"] for each in manifest["files"]] == list(TABLES)
    for each in manifest["files"]:
        assert sha256((folder / each["file"]).read_bytes()).hexdigest() == each["sha256"]
    assert manifest["block"] == world.block
    again = peakedex("export", "--all", folder, "--db", world.url, "--format", form, "--json")
    assert again.json == manifest


def test_a_dump_that_fails_leaves_no_partial_file_and_no_manifest(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    assert peakedex("export", "--all", folder, "--db", world.url).code == OK
    (folder / "transfers.csv").unlink()
    (folder / "transfers.csv").mkdir()  # which no file can replace
    run = peakedex("export", "--all", folder, "--db", world.url)
    assert run.code == FAILED
    assert run.complaint == f"Error: {folder}/transfers.csv: Is a directory; nothing was written"
    assert {path.name for path in folder.iterdir()} == {f"{name}.csv" for name in TABLES}


def test_without_pyarrow_it_says_what_to_install(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "indexer.ops.export.parquet", None)
    run = peakedex("export", "trades", "--db", world.url, "--format", "parquet", "--out", tmp_path / "x")
    assert run.code == MISUSED
    assert "pip install 'peakedex[parquet]'" in run.complaint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "name one table"),
        (["trades", "--all", "x"], "name one table"),
        (["--all", "x", "--out", "y"], "--all DIR and --out FILE"),
        (["--all", "x", "--pair", "PEK/HBD"], "--pair applies to orders, trades and marks"),
        (["balances", "--from", "1001"], "--from does not apply to balances"),
        (["deposits", "--pair", "PEK/HBD"], "--pair applies to orders, trades and marks"),
        (["trades", "--format", "parquet"], "--format parquet needs --out FILE"),
        (["trades", "--json"], "--json requires --out FILE"),
        (["marks", "--user", "bob"], "--user does not apply to marks"),
        (["trades", "--user", "=1"], "must be a Hive account name"),
        (["trades", "--pair", "PEK/DOGE"], "--pair PEK/DOGE: unknown pair; the pairs are PEK/SWAP.HIVE, "),
        (["trades", "--to", "9999"], "--to 9999 is not recorded yet: the newest block is 1010"),
        (["trades", "--to", "5"], "--to 5 is before the first recorded block 1000"),
        (["trades", "--from", "1009", "--to", "1004"], "--from 1009 is after the last block 1004"),
    ],
)
def test_what_does_not_go_together(world: World, words: list[str], says: str) -> None:
    run = peakedex("export", *words, "--db", world.url)
    assert (run.code, run.out) == (MISUSED, "")
    assert says in run.error


def test_a_pipe_is_written_to_and_stays(world: World, tmp_path: Path) -> None:
    """As is a device: root's file would take the place of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert peakedex("export", "balances", "--db", world.url, "--out", pipe).code == OK
    assert pipe.is_fifo()
    assert os.read(reader, 1 << 16) == peakedex("export", "balances", "--db", world.url).out.encode()
    os.close(reader)


def test_places_that_cannot_be_written(world: World, tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "x.csv", Path("/dev/full/x.csv")):
        run = peakedex("export", "trades", "--db", world.url, "--out", path)
        assert run.code == FAILED
        assert run.complaint.endswith("; nothing was written")
    run = peakedex("export", "trades", "--db", tmp_path / "none.db")
    assert (run.code, "does not exist" in run.complaint) == (MISUSED, True)


@pytest.mark.parametrize("words", [("export", "trades"), ("statement", "alice")])
def test_standard_output_that_is_full(world: World, words: tuple[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "indexer.cli", *words, "--db", world.url],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=clean_environment(),
        )
    assert done.returncode == FAILED
    assert done.stderr == "Error: standard output: No space left on device; the output is incomplete\n"


def test_a_venue_before_its_first_block_has_empty_tables(tmp_path: Path) -> None:
    world = World(tmp_path)
    for table in TABLES:
        run = peakedex("export", table, "--db", world.url, "--format", "json")
        assert run.code == OK
        assert (rows_of(run.out.encode()), run.json["block"]) == ([], START_BLOCK - 1)
    world.close()


# ---------------------------------------------------------------- many rows

FEW, LOTS = 4_500, 11_000  # the fewer rows fill a row group, too


def add_transfers(url: str, number: int, block: int) -> None:
    """Add `number` transfers of a block."""
    with open_writer(url).begin() as connection:
        first = len(connection.execute(select(schema.transfers.c.n)).all()) + 1
        connection.execute(
            insert(schema.transfers),
            [
                {"n": n, "block": block, "token_id": 1, "debit_id": 1, "debit_bucket": 0}
                | {"credit_id": 2, "credit_bucket": 0, "amount": n}
                for n in range(first, first + number)
            ],
        )


def peak(url: str, form: str, out: Path) -> tuple[int, int]:
    """The peak additional memory of an export in bytes, and its number of rows."""
    with open_reader(url).connect() as connection, out.open("wb") as file:
        dump = Dump.open(connection, Filter())
        tracemalloc.start()
        try:
            count = dump.write(TABLES["transfers"], form, file)
            return tracemalloc.get_traced_memory()[1], count
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_rows(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 4_000)
    world = small_world(tmp_path)
    add_transfers(world.url, FEW, world.block)
    peak(world.url, form, tmp_path / "warm")
    few, rows = peak(world.url, form, tmp_path / "few")
    assert rows > FETCH_ROWS
    add_transfers(world.url, LOTS, world.block)
    many, rows = peak(world.url, form, tmp_path / "many")
    assert rows > LOTS
    assert many < 2 * few
    if form == "parquet":
        file = pq.ParquetFile(tmp_path / "many")
        groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        assert (sum(groups), max(groups) < 4_000 + FETCH_ROWS, len(groups)) == (rows, True, 4)
    world.close()


def test_postgresql_sends_the_rows_bit_by_bit(postgresql: str) -> None:
    """With a server-side cursor, or the driver would hold all rows."""
    writer = open_writer(postgresql)
    load_or_initialise(writer, parse_venue(VENUE))
    with writer.begin() as connection:
        connection.execute(insert(schema.accounts), [{"id": 1, "name": "alice"}, {"id": 2, "name": "bob"}])
        connection.execute(insert(schema.blocks), [block_row(1000)])
    add_transfers(postgresql, 3 * FETCH_ROWS, 1000)
    with open_reader(postgresql).connect() as connection:
        rows = TABLES["transfers"].rows(connection, Selection(BlockRange(1, 2000), None))
        assert next(rows)[0] == 1
        held = connection.exec_driver_sql("SELECT statement FROM pg_cursors").scalars().all()
        assert ["transfers" in statement for statement in held] == [True]
        assert sum(1 for _ in rows) == 3 * FETCH_ROWS - 1


def block_row(number: int) -> dict[str, object]:
    names = ("n", "last_seq", "last_trade", "last_withdrawal", "last_refund", "last_grant", "last_timer")
    text = {"number": number, "block_id": "a", "timestamp": 5, "journal_hash": "b"}
    return {**text, **dict.fromkeys(names, 1)}


def test_a_span_is_found_whatever_lies_at_its_ends() -> None:
    """Compared with a linear search, with gaps between blocks and between keys."""
    engine = open_writer("sqlite://")
    keys = {3: 10, 4: 10, 9: 12, 10: 12, 11: 12, 20: 40}
    row = {"id": "x", "account_id": 1, "token_id": 1, "amount": 1, "escrow": "e"}
    deposits = schema.deposits.c
    with engine.begin() as connection:
        assert find_key_range(connection, deposits.n, BlockRange(1, 50)) == KeyRange(1, 0)
        connection.execute(insert(schema.deposits), [{**row, "n": n, "block": b} for n, b in keys.items()])
        for first in range(8, 43):
            for last in range(first, 43):
                span = find_key_range(connection, deposits.n, BlockRange(first, last))
                expected = [n for n, block in keys.items() if first <= block <= last]
                assert [n for n in keys if span.first <= n <= span.last] == expected
