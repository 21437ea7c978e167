"""Where the database stands: the block of which everything in a snapshot speaks."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.core.venue import parse_venue
from settlement.store import schema


class Position(NamedTuple):
    """The cursor. `timestamp` is None before any block, and `block` then the one before the first.

    `irreversible` is the chain's newest irreversible block by the indexer's last word, and `heard_of` when
    that was by its own clock; None without one.
    """

    block: int
    timestamp: int | None
    venue_hash: str
    journal_hash: str
    last_trade: int
    irreversible: int | None
    heard_of: int | None

    @property
    def lag(self) -> int | None:
        """Irreversible blocks that are not recorded yet."""
        return None if self.irreversible is None else max(0, self.irreversible - self.block)


class Past(NamedTuple):
    """The newest block of ours up to some block, and the last numbers that were given up to it.

    `n` counts the blocks of ours: 1, 2, 3 … without gaps.
    """

    number: int
    block_id: str
    timestamp: int
    journal_hash: str
    n: int
    last_seq: int
    last_trade: int
    last_withdrawal: int
    last_refund: int


_c, _s, _b = schema.cursor.c, schema.indexer_status.c, schema.blocks.c
_POSITION = select(
    _c.block,
    _c.block_id,
    _c.timestamp,
    _c.venue_hash,
    _c.journal_hash,
    _c.last_trade,
    _s.irreversible,
    _s.updated,
).select_from(schema.cursor.outerjoin(schema.indexer_status, _s.id == _c.id))
_PAST = (
    select(*(_b[name] for name in Past._fields))
    .where(_b.number <= bindparam("block"))
    .order_by(_b.number.desc())
    .limit(1)
)


def read_position(connection: Connection) -> Position | None:
    """The position; None in a database that no indexer has written to yet."""
    row = connection.execute(_POSITION).one_or_none()
    if row is None:
        return None
    timestamp = None if row.block_id is None else row.timestamp
    return Position(
        row.block,
        timestamp,
        row.venue_hash,
        row.journal_hash,
        row.last_trade,
        row.irreversible,
        row.updated,
    )


def read_past(connection: Connection, block: int) -> Past | None:
    """Where the journal stood after a block that is recorded; None before the first block of ours."""
    row = connection.execute(_PAST, {"block": block}).one_or_none()
    return None if row is None else Past(*row)


def read_first_block(connection: Connection) -> int:
    """The venue's first block."""
    return _first_block(connection.execute(select(_c.venue_text)).scalar_one())


@lru_cache(maxsize=8)
def _first_block(venue_text: str) -> int:
    return parse_venue(venue_text).start_block
