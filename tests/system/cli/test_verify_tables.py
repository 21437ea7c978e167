"""`verify --against DATABASE` names a forged or missing row of every table that the API shows."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from settlement.store import schema
from tests.system.cli.command import FAILED, MISUSED, OK, peakedex
from tests.system.store.chains import lively, replay

UNCOMPARED: Final = {
    "lease": "who writes now",
    "indexer_status": "what the indexer waits for now",
    "escrow_balances": "a node's answer, which decides nothing",
    "state_check": "what a restart is checked with",
    "change_sets": "the newest changes only, for the stream",
}
EMPTY: Final = {"escrow_operations", "ignored", "left_over"}
"""Of this chain; tests/system/cli/test_verify.py forges rows into the first."""
TABLES: Final = sorted(
    table.name
    for table in schema.metadata.sorted_tables
    if table.name not in {*UNCOMPARED, *EMPTY} and not table.name.startswith("payout_")  # the operator's own
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive and the database that it makes."""
    folder = tmp_path_factory.mktemp("made")
    _, database = replay(lively(blocks=40).write(folder / "chain"), f"sqlite:///{folder / 'dex.db'}")
    database.dispose()
    return folder


def forged(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case None:
            return 1
        case 0 | 1:  # perhaps a boolean
            return 1 - value
        case str():
            return value[:-1] + ("a" if value[-1:] != "a" else "b")
        case bytes():
            return value[:-1] + bytes([(value[-1] + 1) % 256])
        case _:
            return value + 1


def forgery(path: Path, table: str) -> tuple[str, tuple[Any, ...]]:
    """A statement that deletes a row or changes a column of it, chosen by the table's name."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
        names = [column[1] for column in connection.execute(f"PRAGMA table_info({table})")]
    assert rows, f"{table} is empty in this chain: it belongs to EMPTY"
    row = rows[len(rows) // 2]
    this = " AND ".join(f'"{name}" IS ?' for name in names)
    choice = Random(table).randrange(len(names))
    if choice == 0:
        return f"DELETE FROM {table} WHERE {this}", row
    return f'UPDATE {table} SET "{names[choice]}" = ? WHERE {this}', (forged(row[choice]), *row)


@pytest.mark.parametrize("table", TABLES)
def test_a_forged_or_missing_row_is_found(table: str, made: Path, here: Path, venue: Path) -> None:
    statement, values = forgery(made / "dex.db", table)
    theirs = Path(shutil.copy(made / "dex.db", here / "theirs.db"))
    with closing(sqlite3.connect(theirs)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1
    run = peakedex("verify", "--venue", venue, "--against", theirs, "--archive", made / "chain")
    assert run.code in (FAILED, MISUSED), (statement, run.out)
    assert "same" not in run.out


def test_the_same_rows_are_the_same(made: Path, here: Path, venue: Path) -> None:
    run = peakedex("verify", "--venue", venue, "--against", made / "dex.db", "--archive", made / "chain")
    assert run.code == OK, run.err
