"""The cursor's position, and active blocks with the counters after them."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.core.venue import parse_venue
from settlement.store import schema


class Position(NamedTuple):
    """The block of a snapshot of the database."""

    block: int  # the last processed one; start_block - 1 before the first
    timestamp: int | None  # None before the first block
    venue_hash: str
    journal_hash: str
    last_trade: int
    irreversible: int | None  # the chain's newest irreversible block, as last reported by the indexer
    status_updated: int | None  # when, by the indexer's clock

    @property
    def lag(self) -> int | None:
        """Irreversible blocks that are not processed yet."""
        return None if self.irreversible is None else max(0, self.irreversible - self.block)


class ActiveBlock(NamedTuple):
    """A block with journal lines, and the last numbers assigned up to it."""

    number: int
    block_id: str
    timestamp: int
    journal_hash: str
    n: int  # counts the active blocks: 1, 2, 3 … without gaps
    last_seq: int
    last_trade: int
    last_withdrawal: int
    last_refund: int
    last_grant: int
    last_timer: int


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
_ORIGIN = select(_c.venue_text, _c.state_block)
_ACTIVE_BLOCK = (
    select(*(_b[name] for name in ActiveBlock._fields))
    .where(_b.number <= bindparam("block"))
    .order_by(_b.number.desc())
    .limit(1)
)


def read_position(connection: Connection) -> Position | None:
    """The position; None in a database that no indexer has written to yet."""
    row = connection.execute(_POSITION).one_or_none()
    if row is None:
        return None
    return Position(
        block=row.block,
        timestamp=None if row.block_id is None else row.timestamp,
        venue_hash=row.venue_hash,
        journal_hash=row.journal_hash,
        last_trade=row.last_trade,
        irreversible=row.irreversible,
        status_updated=row.updated,
    )


def read_active_block(connection: Connection, block: int) -> ActiveBlock | None:
    """The newest active block up to a processed block; None before the first one."""
    row = connection.execute(_ACTIVE_BLOCK, {"block": block}).one_or_none()
    return None if row is None else ActiveBlock(*row)


def read_first_block(connection: Connection) -> int:
    """The first block of this database's history: the venue's first one, or that of the state text from which
    the replica started.
    """
    row = connection.execute(_ORIGIN).one()
    return int(_first_block(row.venue_text) if row.state_block is None else row.state_block)


def read_earliest_block(connection: Connection) -> int:
    """The earliest block whose end can be asked for: start_block - 1, or that of the state text."""
    row = connection.execute(_ORIGIN).one()
    return int(_first_block(row.venue_text) - 1 if row.state_block is None else row.state_block)


def first_block_from(connection: Connection, at: Position, moment: int) -> int:
    """The first block of the history whose time is `moment` or later; the one after `at` if there is none.

    Found by binary search: a block's time grows with its number. A block without lines has the time of the
    active one before it.
    """
    before = read_earliest_block(connection)

    def time_at(block: int) -> int:
        past = read_active_block(connection, block)
        return 0 if past is None else past.timestamp

    return before + 1 + bisect_left(range(before + 1, at.block + 1), moment, key=time_at)


def has_complete_history(connection: Connection) -> bool:
    """Whether the history goes back to the venue's first block, not only to a state text."""
    return connection.execute(_ORIGIN).one().state_block is None


@lru_cache(maxsize=8)
def _first_block(venue_text: str) -> int:
    return parse_venue(venue_text).first_block
