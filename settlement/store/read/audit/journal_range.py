"""The journal's text over a range of blocks, and the hash before it."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.store import schema
from settlement.store.read.position import read_past


class LinesRow(NamedTuple):
    """A block's part of the journal, each line with its LF, and the journal hash after it."""

    number: int
    journal_hash: str
    lines: str


_b, _j = schema.blocks.c, schema.journal.c
_RANGE = (
    select(_b.number, _b.journal_hash, _j.lines)
    .join_from(schema.blocks, schema.journal, _j.block == _b.number)
    .where(_b.number >= bindparam("first"), _b.number <= bindparam("last"))
    .order_by(_b.number)
    .limit(bindparam("rows"))
)
_START = select(schema.cursor.c.venue_hash)


def hash_before(connection: Connection, number: int) -> str:
    """The journal hash in force before a block: the venue's own hash before anything happened."""
    past = read_past(connection, number - 1)
    return str(connection.execute(_START).scalar_one()) if past is None else past.journal_hash


def read_range(
    connection: Connection, first: int, last: int, max_blocks: int, max_chars: int
) -> list[LinesRow]:
    """The blocks with lines from `first` to `last`, in order: at most `max_blocks`, and none after the one
    with which the lines reach `max_chars`."""
    rows, chars = [], 0
    values = {"first": first, "last": last, "rows": max_blocks}
    with connection.execution_options(yield_per=100).execute(_RANGE, values) as found:
        for row in found:
            rows.append(LinesRow(*row))
            chars += len(row.lines)
            if chars >= max_chars:
                break
    return rows
