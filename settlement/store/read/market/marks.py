"""Marks: each pair's last ten blocks with trades between different accounts (protocol, section 7)."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.core.trading.mark import MARK_BLOCKS
from settlement.store import schema


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
