"""The change detector reports every commit and nothing else."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from settlement.store.change_detector import ChangeDetector, open_change_detector
from settlement.store.database import StoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a b#c.db"  # SQLite takes the path as part of an address
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (n)")
    database.close()
    return path


def called_once(path: Path) -> ChangeDetector:
    """A detector that has been called once."""
    watched = open_change_detector(f"sqlite:///{path}")
    assert watched.changed()
    assert not watched.changed()
    return watched


def test_commits_of_other_connections(path: Path) -> None:
    watched = called_once(path)
    database = sqlite3.connect(path, isolation_level=None)
    for n in range(3):
        database.execute("INSERT INTO t VALUES (?)", (n,))
        assert watched.changed()
        assert not watched.changed()
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO t VALUES (9)")
    assert not watched.changed()
    database.execute("ROLLBACK")
    assert not watched.changed()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.execute("INSERT INTO t VALUES (10)")
    assert watched.changed()
    watched.close()


def test_commits_of_other_processes(path: Path) -> None:
    watched = called_once(path)
    program = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('INSERT INTO t VALUES (1)'); d.commit()"
    subprocess.run([sys.executable, "-c", program, path], check=True)
    assert watched.changed()
    assert not watched.changed()


def test_while_another_writes(path: Path) -> None:
    """It neither waits for a writer nor blocks it."""
    database = sqlite3.connect(path, isolation_level=None, timeout=0)
    watched = called_once(path)
    database.execute("BEGIN EXCLUSIVE")
    assert not watched.changed()
    database.execute("INSERT INTO t VALUES (1)")
    database.execute("COMMIT")
    assert watched.changed()


def test_creating_removing_and_replacing_the_file_are_changes(path: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    os.rename(path, away)
    watched = open_change_detector(f"sqlite:///{path}")
    assert watched.changed()
    assert not watched.changed()
    os.rename(away, path)
    assert watched.changed()
    assert not watched.changed()
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes())
    os.replace(other, path)
    assert watched.changed()
    assert not watched.changed()
    path.unlink()
    assert watched.changed()
    assert not watched.changed()
    path.write_text("no database at all, but long enough to be read as one" * 20)
    watched.changed()
    assert not watched.changed()


def test_an_invalid_url_is_refused() -> None:
    with pytest.raises(StoreError):
        open_change_detector("mysql://localhost/x")
