"""One block in which anything of ours happened."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from settlement.store import schema


class BlockRow(NamedTuple):
    """`n` counts such blocks: 1, 2, 3 … without gaps. `lines` is its part of the journal, each line with its
    LF: empty where intents were accepted that changed nothing."""

    number: int
    block_id: str
    timestamp: int
    journal_hash: str
    n: int
    lines: str


_b, _j = schema.blocks.c, schema.journal.c
_BLOCK = (
    select(_b.number, _b.block_id, _b.timestamp, _b.journal_hash, _b.n, func.coalesce(_j.lines, ""))
    .select_from(schema.blocks.outerjoin(schema.journal, _j.block == _b.number))
    .where(_b.number == bindparam("number"))
)


def read_block(connection: Connection, number: int) -> BlockRow | None:
    """The block of that number; None where nothing of ours happened in it."""
    row = connection.execute(_BLOCK, {"number": number}).one_or_none()
    return None if row is None else BlockRow(*row)
