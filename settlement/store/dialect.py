"""Statements that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql as _postgresql
from sqlalchemy.dialects import sqlite as _sqlite

from settlement.store import postgresql

Upsert: TypeAlias = _postgresql.Insert | _sqlite.Insert
_INDEXING_CACHE_SIZE: Final = -4096
"""KiB. SQLite sorts in runs of its cache size; with the writer's 64 MB sorting takes twice as long."""


def upsert_into(table: Table, dialect: Dialect) -> Upsert:
    """An INSERT statement that supports `on_conflict_do_update`."""
    return _postgresql.insert(table) if dialect.name == postgresql.NAME else _sqlite.insert(table)


def lock_table(connection: Connection, table: Table) -> None:
    """Block other writers of the table until the end of the transaction.

    SQLite needs no statement: its write transactions begin with the lock (`BEGIN IMMEDIATE`).
    """
    if connection.dialect.name == postgresql.NAME:
        postgresql.lock_table(connection, table)


def lock_migrations(connection: Connection) -> None:
    """Block other changes of the schema until the end of the transaction (in SQLite: as `lock_table`)."""
    if connection.dialect.name == postgresql.NAME:
        postgresql.lock_migrations(connection)


@contextmanager
def tuned_for_indexing(connection: Connection) -> Iterator[None]:
    """Connection settings that make creating indexes faster."""
    if connection.dialect.name == postgresql.NAME:
        yield
        return
    before = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size={_INDEXING_CACHE_SIZE}")
    try:
        yield
    finally:
        if not connection.invalidated:  # as by KeyboardInterrupt
            connection.exec_driver_sql(f"PRAGMA cache_size={before}")


def gather_statistics(connection: Connection) -> None:
    """Update PostgreSQL's planner statistics. SQLite needs none: the queries are written for its planner."""
    if connection.dialect.name == postgresql.NAME:
        connection.exec_driver_sql("ANALYZE")


def standby_age(connection: Connection) -> int | None:
    """Replication lag of a PostgreSQL standby in seconds, at most; None if the database is no standby.

    It includes the time since the last write: the indexer writes every two seconds.
    """
    return postgresql.standby_age(connection) if connection.dialect.name == postgresql.NAME else None
