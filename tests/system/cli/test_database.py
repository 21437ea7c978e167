"""`peakedex db`: migration of the schema, and rebuild of derived rows."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from settlement.store.database import newest_revision, open_writer
from settlement.store.lease import Lease
from tests.support import postgres
from tests.system.cli.command import FAILED, MISUSED, OK, in_process, peakedex
from tests.system.store.chains import dump

TABLES = ["balance_changes", "order_changes", "holding_changes", "candles", "totals"]


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


def test_rebuild_makes_lost_rows_again(database: Path) -> None:
    kept = dump(open_writer(str(database)))
    state = peakedex("state", "--db", database, "--block", 60).out
    for table in TABLES:
        execute(database, f"DELETE FROM {table}")
    assert peakedex("state", "--db", database, "--block", 60).out != state
    run = peakedex("db", "rebuild", "--db", database, "--json")
    assert run.code == OK
    assert run.json == {table: len(kept[table]) for table in TABLES}
    assert run.err.splitlines()[-1] == "holding_changes …"
    assert dump(open_writer(str(database))) == kept
    assert peakedex("state", "--db", database, "--block", 60).out == state
    assert [line.split()[0] for line in peakedex("db", "rebuild", "--db", database).lines] == TABLES


def test_rebuild_says_what_does_not_add_up(database: Path) -> None:
    execute(database, "UPDATE holdings SET units = '1' WHERE symbol = 'PEK'")
    run = peakedex("db", "rebuild", "--db", database)
    assert run.code == FAILED
    assert run.error.startswith("Error: holdings of PEK in peakedex.")
    assert ": the history says " in run.error
    assert run.error.endswith(", the database 1; replay the chain into a new database")


def test_rebuild_leaves_a_database_to_the_indexer_that_works_on_it(database: Path) -> None:
    with Lease(open_writer(str(database))):
        run = in_process("db", "rebuild", "--db", database)
    assert run.code == MISUSED
    assert run.error.startswith("Error: another indexer is running on this database (process ")


def test_rebuild_of_an_empty_database_makes_nothing(here: Path) -> None:
    assert peakedex("db", "upgrade", "--db", "new.db").code == OK
    assert peakedex("db", "rebuild", "--db", "new.db", "--json").json == dict.fromkeys(TABLES, 0)
