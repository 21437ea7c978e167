"""What SQL itself leaves to each database: the little in which our statements differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql as _postgresql
from sqlalchemy.dialects import sqlite as _sqlite

from settlement.store import postgresql

Upsert: TypeAlias = _postgresql.Insert | _sqlite.Insert
_SORTED_AT_ONCE: Final = -4096
"""KiB. SQLite sorts in pieces of the size of its cache; with the writer's 64 MB it takes twice as long."""


def upsert_into(table: Table, dialect: Dialect) -> Upsert:
    """An INSERT that can say what becomes of a row that is there: `on_conflict_do_update`."""
    return _postgresql.insert(table) if dialect.name == postgresql.NAME else _sqlite.insert(table)


def lock_table(connection: Connection, table: Table) -> None:
    """Until the end of this writer's transaction others only read the table.

    SQLite has one writer at a time anyhow: its transactions begin with the lock (`database`).
    """
    if connection.dialect.name == postgresql.NAME:
        postgresql.lock_table(connection, table)


@contextmanager
def sorting(connection: Connection) -> Iterator[None]:
    """While indexes are made."""
    if connection.dialect.name == postgresql.NAME:
        yield
        return
    before = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size={_SORTED_AT_ONCE}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size={before}")


def gather_statistics(connection: Connection) -> None:
    """Tell the planner what the tables hold. SQLite plans without, and our queries lead it."""
    if connection.dialect.name == postgresql.NAME:
        connection.exec_driver_sql("ANALYZE")


def standby_age(connection: Connection) -> int | None:
    """How many seconds old a standby's copy may be; None where the database is no copy.

    The indexer writes every two seconds, so that a standby that gets everything is no older than those.
    """
    return postgresql.standby_age(connection) if connection.dialect.name == postgresql.NAME else None
