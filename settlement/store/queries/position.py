"""Where the database stands: the block of which everything in a snapshot speaks."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from settlement.store import schema


class Position(NamedTuple):
    """The cursor. `timestamp` is None before any block, and `block` then the one before the first."""

    block: int
    timestamp: int | None
    venue_hash: str
    journal_hash: str
    last_trade: int


_c = schema.cursor.c
_POSITION = select(_c.block, _c.block_id, _c.timestamp, _c.venue_hash, _c.journal_hash, _c.last_trade)


def read_position(connection: Connection) -> Position | None:
    """The position; None in a database that no indexer has written to yet."""
    row = connection.execute(_POSITION).one_or_none()
    if row is None:
        return None
    timestamp = None if row.block_id is None else row.timestamp
    return Position(row.block, timestamp, row.venue_hash, row.journal_hash, row.last_trade)
