"""Queries of single active blocks."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from settlement.store import schema


class BlockRow(NamedTuple):
    """An active block."""

    number: int
    block_id: str
    timestamp: int
    journal_hash: str
    n: int  # counts the active blocks: 1, 2, 3 … without gaps
    lines: str  # its journal lines, each with LF; empty if its intents were accepted without effect


_b, _j = schema.blocks.c, schema.journal.c
_BLOCK = (
    select(_b.number, _b.block_id, _b.timestamp, _b.journal_hash, _b.n, func.coalesce(_j.lines, ""))
    .select_from(schema.blocks.outerjoin(schema.journal, _j.block == _b.number))
    .where(_b.number == bindparam("number"))
)


def read_block(connection: Connection, number: int) -> BlockRow | None:
    """The active block of that number; None if the block is not active."""
    row = connection.execute(_BLOCK, {"number": number}).one_or_none()
    return None if row is None else BlockRow(*row)
