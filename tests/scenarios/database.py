"""One migrated in-memory database shared by many short tests, because migrating takes longer than most tests."""

from __future__ import annotations

from sqlalchemy import Engine

from settlement.store import schema
from settlement.store.database import open_writer


def memory_database() -> Engine:
    return open_writer("sqlite://")


def emptied(engine: Engine) -> Engine:
    """The same database with all rows deleted."""
    with engine.begin() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            connection.execute(table.delete())
    return engine
