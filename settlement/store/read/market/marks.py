"""Marks: each pair's last ten blocks with trades between different accounts (protocol, section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, select

from settlement.core.trading.mark import MARK_BLOCKS
from settlement.store import schema
from settlement.store.read.key_ranges import FETCH_ROWS, BlockRange


class MarkRow(NamedTuple):
    """One block of a mark's window."""

    block: int
    base: int  # base units
    quote: int  # quote units, at the resting orders' prices


_m = schema.marks.c
_WINDOW = (
    select(_m.block, _m.base, _m.quote)
    .where(_m.pair_id == bindparam("pair"), _m.block <= bindparam("block"))
    .order_by(_m.block.desc())
    .limit(MARK_BLOCKS)
)


def read_window(connection: Connection, pair_id: int, block: int) -> list[MarkRow]:
    """The window of a pair's mark at the end of a block, oldest first; empty if it has no mark."""
    rows = connection.execute(_WINDOW, {"pair": pair_id, "block": block}).all()
    return [MarkRow(block, int(base), int(quote)) for block, base, quote in reversed(rows)]


class PastMarkRow(NamedTuple):
    """Trades of a pair between different accounts in one block, in units."""

    pair_id: int
    block: int
    timestamp: int
    base: int
    quote: int  # at the prices of the resting orders


_HISTORY: Select[Any] = (
    select(_m.pair_id, _m.block, schema.blocks.c.timestamp, _m.base, _m.quote)
    .join(schema.blocks, schema.blocks.c.number == _m.block)
    .where(_m.block.between(bindparam("first"), bindparam("last")))
    .order_by(_m.block, _m.pair_id)
)


def stream_marks(connection: Connection, pair_id: int | None, blocks: BlockRange) -> Iterator[PastMarkRow]:
    """Stream what the blocks of a range add to the marks, oldest first; with a pair, only its own."""
    statement = _HISTORY if pair_id is None else _HISTORY.where(_m.pair_id == pair_id)
    values = {"first": blocks.first, "last": blocks.last}
    for pair, block, timestamp, base, quote in connection.execute(
        statement.execution_options(yield_per=FETCH_ROWS), values
    ):
        yield PastMarkRow(pair, block, timestamp, int(base), int(quote))
