"""Opening a database as writer or reader, and the errors of both."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from settlement.store import schema
from settlement.store.database import StoreError, open_reader, open_writer, parse_url
from settlement.store.write.loader import load, load_or_initialise
from tests.system.store.chains import demo, dump


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a venue and no blocks."""
    path = tmp_path / "dex.db"
    engine = open_writer(str(path))
    load_or_initialise(engine, demo())
    engine.dispose()
    return path


# ---------------------------------------------------------------- URLs


def test_a_bare_path_is_an_sqlite_file() -> None:
    for text in ("dex.db", "/var/lib/dex.db", "with space.db", "what?.db", "50%25.db", "a#b.db"):
        url = parse_url(text)
        assert (url.drivername, url.database, dict(url.query)) == ("sqlite", text, {})
    assert parse_url("sqlite:////var/lib/dex.db").database == "/var/lib/dex.db"


@pytest.mark.parametrize("url", ["oracle://me@host/dex", "mysql+pymysql://me@host/dex"])
def test_an_unsupported_kind_of_database_is_refused(url: str) -> None:
    backend = url.split(":", maxsplit=1)[0].split("+", maxsplit=1)[0]
    with pytest.raises(StoreError, match=f"unsupported database '{backend}': use sqlite:///peakedex.db"):
        open_writer(url)


@pytest.mark.parametrize("url", ["://", "sqlite:dex.db://", "http//x://y z"])
def test_an_invalid_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(
        StoreError, match=r"invalid database URL: use sqlite:///peakedex\.db|unsupported database"
    ):
        parse_url(url)


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"database folder .*nowhere does not exist: create it or fix --db"):
        open_writer(str(tmp_path / "nowhere" / "dex.db"))
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        open_writer(str(tmp_path))
    with pytest.raises(StoreError, match="does not exist"):
        open_reader(str(tmp_path))


def test_a_reader_creates_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"dex\.db does not exist: run `peakedex follow` or fix --db"):
        open_reader(str(tmp_path / "dex.db"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["with space.db", "what?.db", "a#b.db", "50%.db", "50%25.db", "é☃.db"])
def test_reader_and_writer_open_the_same_file_whatever_its_name(tmp_path: Path, name: str) -> None:
    engine = open_writer(str(tmp_path / name))
    load_or_initialise(engine, demo())
    engine.dispose()
    assert (tmp_path / name).is_file()
    assert load(open_reader(str(tmp_path / name))).state.venue_hash == demo().hash


# ---------------------------------------------------------------- readers


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO accounts (id, name) VALUES (99, 'mallory')",
        "UPDATE cursor SET block = 0",
        "DELETE FROM cursor",
        "CREATE TABLE loot (id INTEGER)",
        "DROP TABLE cursor",
        "VACUUM",
    ],
)
def test_a_reader_cannot_write(path: Path, sql: str) -> None:
    before = path.read_bytes()
    with open_reader(str(path)).connect() as connection, pytest.raises(DBAPIError):
        connection.exec_driver_sql(sql)
    assert path.read_bytes() == before


def test_a_reader_cannot_make_itself_writable(path: Path) -> None:
    """The file is opened read-only, whatever `query_only` and the journal mode say."""
    before = dump(open_reader(str(path)))
    connection = open_reader(str(path)).raw_connection()
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=OFF")
    for sql in ("UPDATE cursor SET block = 0", "CREATE TABLE loot (id INTEGER)"):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            cursor.execute(sql)
    with contextlib.suppress(sqlite3.OperationalError):
        cursor.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    assert dump(open_reader(str(path))) == before
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    plain.close()


def test_a_reader_cannot_create_other_files(path: Path, tmp_path: Path) -> None:
    """ATTACH would create a missing file, even on a read-only connection."""
    elsewhere = tmp_path / "elsewhere.db"
    with open_reader(str(path)).connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA query_only=OFF")
        with pytest.raises(DBAPIError, match="too many attached databases"):
            connection.exec_driver_sql(f"ATTACH '{elsewhere}' AS loot")
    assert not elsewhere.exists()


def test_a_reader_s_transaction_is_a_snapshot(path: Path) -> None:
    """Later commits are visible in the next transaction."""
    writer = open_writer(str(path))
    reader = open_reader(str(path))
    query = select(schema.cursor.c.last_seq)
    with reader.connect() as connection:
        assert connection.scalar(query) == 0
        with writer.begin() as change:
            change.exec_driver_sql("UPDATE cursor SET last_seq = 7")
        assert connection.scalar(query) == 0
    with reader.connect() as connection:
        assert connection.scalar(query) == 7


# ---------------------------------------------------------------- the writer


def test_the_writer_uses_a_write_ahead_log(path: Path) -> None:
    with open_writer(str(path)).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def test_a_write_transaction_begins_with_the_lock(path: Path) -> None:
    """Two writers queue; neither reads rows that the other is about to change."""
    writer = open_writer(str(path))
    with writer.begin():
        other = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_an_error_rolls_back_the_whole_transaction(path: Path) -> None:
    writer: Engine = open_writer(str(path))
    before = dump(writer)

    def half() -> None:
        with writer.begin() as connection:
            connection.exec_driver_sql("UPDATE cursor SET block = 5")
            connection.exec_driver_sql("UPDATE cursor SET block = NULL")

    with pytest.raises(DBAPIError, match="NOT NULL"):
        half()
    assert dump(writer) == before
