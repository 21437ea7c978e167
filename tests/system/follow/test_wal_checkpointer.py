"""The checkpointer of SQLite's log: merges a large log while following, and leaves it alone otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, func, insert, select

from indexer.follow.wal_checkpointer import WalCheckpointer
from settlement.store import schema
from settlement.store.database import open_reader, open_writer
from settlement.store.sqlite import LARGE_LOG_BYTES

ROWS = 6
TEXT = "x" * (LARGE_LOG_BYTES // 4)


@pytest.fixture
def writer(tmp_path: Path) -> Engine:
    """A database whose log is larger than `LARGE_LOG_BYTES`, because its rows were never merged."""
    engine = open_writer(str(tmp_path / "dex.db"))
    with engine.begin() as connection:
        connection.execute(insert(schema.journal), [{"block": n, "lines": TEXT} for n in range(ROWS)])
    return engine


def merged_rows(folder: Path) -> int:
    """Rows in the database file alone, without its log."""
    alone = shutil.copy(folder / "dex.db", folder / "alone.db")
    with open_writer(str(alone)).connect() as connection:
        return connection.execute(select(func.count()).select_from(schema.journal)).scalar_one()


def commit(engine: Engine, block: int) -> None:
    with engine.begin() as connection:
        connection.execute(insert(schema.journal).values(block=block, lines="small"))


def test_a_large_log_is_merged_and_shrinks(writer: Engine, tmp_path: Path) -> None:
    WalCheckpointer(writer, SimpleNamespace(catching_up=False)).run_once()
    assert merged_rows(tmp_path) == ROWS
    commit(writer, ROWS)
    assert (tmp_path / "dex.db-wal").stat().st_size <= LARGE_LOG_BYTES
    WalCheckpointer(writer, SimpleNamespace(catching_up=False)).run_once()
    assert merged_rows(tmp_path) == ROWS, "a small log is not merged"


def test_while_catching_up_it_is_left_to_the_writer(writer: Engine, tmp_path: Path) -> None:
    WalCheckpointer(writer, SimpleNamespace(catching_up=True)).run_once()
    assert (tmp_path / "dex.db-wal").stat().st_size > LARGE_LOG_BYTES


def test_it_waits_for_no_reader(writer: Engine, tmp_path: Path) -> None:
    with open_reader(str(tmp_path / "dex.db")).connect() as reader:
        count = select(func.count()).select_from(schema.journal)
        assert reader.execute(count).scalar_one() == ROWS
        commit(writer, ROWS)
        WalCheckpointer(writer, SimpleNamespace(catching_up=False)).run_once()
        assert reader.execute(count).scalar_one() == ROWS
    WalCheckpointer(writer, SimpleNamespace(catching_up=False)).run_once()
    assert merged_rows(tmp_path) == ROWS + 1
