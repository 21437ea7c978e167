"""The migrations create the tables of the schema; other databases are refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, event, inspect

from settlement.store import schema
from settlement.store.database import (
    StoreError,
    check_revision,
    newest_revision,
    open_reader,
    open_writer,
    upgrade,
)
from settlement.store.indexes import READ_INDEXES
from settlement.store.write.projector import make_read_indexes


def definitions(database: Engine) -> list[str]:
    with database.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        )
        return [sql for (sql,) in found]


@pytest.fixture
def database() -> Engine:
    return open_writer("sqlite://")


def test_the_migrated_database_is_the_schema_of_the_code(database: Engine) -> None:
    """Tables, columns, types and nullability; `make_read_indexes` creates the indexes."""
    make_read_indexes(database)
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert set(inspect(connection).get_table_names()) == {*schema.metadata.tables, "alembic_version"}


def test_migrated_tables_are_those_that_the_metadata_would_create(database: Engine) -> None:
    """Including what compare_metadata ignores: keys, references, WITHOUT ROWID, unique names."""
    created = open_writer("sqlite://")
    with created.begin() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            table.drop(connection)
        for table in schema.metadata.sorted_tables:
            indexes = set(table.indexes)
            table.indexes.clear()  # made when catching up is done
            table.create(connection)
            table.indexes |= indexes

    def described(engine: Engine) -> dict[str, object]:
        with engine.connect() as connection:
            look = inspect(connection)
            return {
                name: (
                    look.get_pk_constraint(name)["constrained_columns"],
                    sorted(
                        (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                        for key in look.get_foreign_keys(name)
                    ),
                    sorted(unique["column_names"] for unique in look.get_unique_constraints(name)),
                    [
                        (column["name"], str(column["type"]), column["nullable"])
                        for column in look.get_columns(name)
                    ],
                    connection.exec_driver_sql(f"PRAGMA table_list({name})").one()[4:],
                )
                for name in schema.metadata.tables
            }

    assert described(database) == described(created)


def test_keys_are_row_ids(database: Engine) -> None:
    """SQLite stores a table in the order of its key only if it is the row id: then inserts append."""
    with database.connect() as connection:
        for table in schema.metadata.sorted_tables:
            keys = [column.name for column in table.primary_key]
            per_token = (schema.holdings, schema.escrow_balances)  # a row per token, by its symbol
            if len(keys) != 1 or table in per_token:
                continue
            query = f"SELECT count(*) FROM pragma_index_list('{table.name}') WHERE origin = 'pk'"
            assert connection.exec_driver_sql(query).scalar() == 0, table.name


def test_secondary_indexes_are_created_on_request_and_once(database: Engine) -> None:
    def names() -> set[str]:
        with database.connect() as connection:
            look = inspect(connection)
            return {
                str(index["name"]) for table in schema.metadata.tables for index in look.get_indexes(table)
            }

    assert names() == set()
    make_read_indexes(database)
    made = definitions(database)
    assert names() == {index.name for index in READ_INDEXES}
    make_read_indexes(database)
    assert definitions(database) == made


def test_the_first_revision_is_frozen_once_there_is_a_second() -> None:
    """As long as it is alone it creates the tables of the schema as they stand; later that would be wrong."""
    folder = Path(__file__).parents[3] / "alembic" / "versions"
    revisions = [path.read_text("utf-8") for path in folder.glob("*.py")]
    assert len(revisions) == 1 or not any("\nfrom settlement" in text for text in revisions)


def test_upgrading_twice_changes_nothing(database: Engine) -> None:
    before = definitions(database)
    upgrade(database)
    upgrade(database)
    assert definitions(database) == before
    with database.connect() as connection:
        assert check_revision(connection) == newest_revision()
        assert connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar() == 1


# ---------------------------------------------------------------- other databases


def stamp(path: Path, revision: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


@pytest.mark.parametrize("open_it", [open_writer, open_reader])
def test_a_database_of_a_newer_program_is_refused(tmp_path: Path, open_it: object) -> None:
    path = tmp_path / "dex.db"
    open_writer(str(path)).dispose()
    stamp(path, "9999")
    assert callable(open_it)
    with pytest.raises(StoreError, match=r"\(revision 9999\) is newer than this program: upgrade peakedex"):
        open_it(str(path))


@pytest.mark.parametrize("open_it", [open_writer, open_reader])
def test_a_database_of_protocol_1_is_refused(tmp_path: Path, open_it: object) -> None:
    path = tmp_path / "dex.db"
    open_writer(str(path)).dispose()
    stamp(path, "0001")
    assert callable(open_it)
    with pytest.raises(
        StoreError,
        match=r"\(revision 0001\) is of an older protocol and cannot be migrated: choose a new one",
    ):
        open_it(str(path))


@pytest.mark.parametrize("open_it", [open_writer, open_reader])
def test_the_database_of_another_program_is_refused_unchanged(tmp_path: Path, open_it: object) -> None:
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY)")
    connection.close()
    assert callable(open_it)
    with pytest.raises(StoreError, match="has tables, but not those of Peake DEX: choose another with --db"):
        open_it(str(path))
    with sqlite3.connect(path) as connection:
        assert [name for (name,) in connection.execute("SELECT name FROM sqlite_master")] == ["photos"]
    connection.close()


@pytest.mark.parametrize("open_it", [open_writer, open_reader])
def test_a_file_that_is_not_a_database_is_refused_unchanged(tmp_path: Path, open_it: object) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 500)
    assert callable(open_it)
    with pytest.raises(
        StoreError, match=r"cannot (open|read) database .*letter\.txt: file is not a database"
    ):
        open_it(str(path))
    assert path.read_text() == "Dear reader, " * 500


def test_a_reader_does_not_take_an_empty_file_for_a_database(tmp_path: Path) -> None:
    path = tmp_path / "dex.db"
    path.touch()
    with pytest.raises(StoreError, match="not those of Peake DEX"):
        open_reader(str(path))
    open_writer(str(path)).dispose()
    open_reader(str(path)).dispose()


def test_a_failed_migration_leaves_no_tables(tmp_path: Path) -> None:
    """The schema is created in one transaction."""
    path = tmp_path / "dex.db"

    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE TABLE lease" in statement:
            raise RuntimeError("power failure")

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(RuntimeError, match="power failure"):
            open_writer(str(path))
    finally:
        event.remove(Engine, "before_cursor_execute", fail)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    open_writer(str(path)).dispose()
    open_reader(str(path)).dispose()
