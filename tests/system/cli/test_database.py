"""`peakedex db`: migration of the schema, check against the journal, and rebuild from it."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from settlement.store.database import newest_revision, open_writer
from settlement.store.lease import Lease
from settlement.store.write.rebuild import PROJECTED
from tests.support import postgres
from tests.system.cli.command import FAILED, MISUSED, OK, in_process, peakedex
from tests.system.store.chains import dump

LOST = ["balance_changes", "order_changes", "trades", "candles", "transfers"]


@pytest.fixture
def database(venue: Path, archive: Path) -> Path:
    assert peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db").code == OK
    return Path("dex.db")


def execute(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_two_upgrades_at_once_both_succeed(isolation: str) -> None:
    url = postgres.new_database(migrated=False, isolation=isolation)
    with ThreadPoolExecutor(2) as threads:
        runs = list(threads.map(lambda _: in_process("db", "upgrade", "--db", url), range(2)))
    assert [(run.code, run.lines, run.err) for run in runs] == 2 * [
        (OK, [f"schema revision {newest_revision()}"], "")
    ]
    postgres.drop_database(url)


def test_a_damaged_file_is_named_with_a_cure_by_every_command_that_reads_it(
    database: Path, venue: Path, archive: Path
) -> None:
    """A page that a disk lost reads as zeros."""
    with database.open("r+b") as file:
        for start in range(8192, database.stat().st_size, 3 * 4096):
            file.seek(start)
            file.write(bytes(2000))
    Path("backups").mkdir()
    for words in (
        ("state",),
        ("export", "trades"),
        ("db", "check"),
        ("db", "rebuild"),
        ("payouts", "status"),
        ("backup", "--to", "backups"),
        ("replay", "--venue", venue, "--archive", archive),
    ):
        run = peakedex(*words, "--db", database)
        assert run.code in (FAILED, MISUSED), words
        assert run.error.endswith(
            "malformed: keep the damaged file; restore a backup, or replay into a new one"
        ), words
    assert list(Path("backups").iterdir()) == []


def test_rebuild_makes_lost_rows_again(database: Path) -> None:
    kept = dump(open_writer(str(database)))
    assert peakedex("db", "check", "--db", database).code == OK
    for table in LOST:
        execute(database, f"DELETE FROM {table}")
    run = peakedex("db", "check", "--db", database)
    assert run.code == FAILED
    assert run.error.endswith(": run `peakedex db rebuild`")
    run = peakedex("db", "rebuild", "--db", database, "--json")
    assert run.code == OK
    assert run.json == {table.name: len(kept[table.name]) for table in PROJECTED}
    assert dump(open_writer(str(database))) == kept
    run = peakedex("db", "check", "--db", database)
    assert (run.code, run.lines) == (
        OK,
        ["the journal's hash chain is complete, and all rows follow from it"],
    )


def test_a_damaged_journal_is_reported_and_nothing_changed(database: Path) -> None:
    execute(database, "UPDATE journal SET lines = replace(lines, ' buy ', ' sell ')")
    before = dump(open_writer(str(database)))
    for command in ("check", "rebuild"):
        run = peakedex("db", command, "--db", database)
        assert run.code == FAILED
        assert run.error.endswith("restore a backup, or replay the chain into a new database")
    assert dump(open_writer(str(database))) == before


def test_rebuild_leaves_a_database_to_the_indexer_that_works_on_it(database: Path) -> None:
    with Lease(open_writer(str(database))):
        run = in_process("db", "rebuild", "--db", database)
    assert run.code == MISUSED
    assert run.error.startswith("Error: another indexer is running on this database (process ")


def test_an_empty_database_is_reported(here: Path) -> None:
    assert peakedex("db", "upgrade", "--db", "new.db").code == OK
    for command in ("check", "rebuild"):
        run = peakedex("db", command, "--db", "new.db")
        assert run.code == MISUSED
        assert run.error.startswith("Error: the database is empty")
