"""Spans of keys: which rows of a table lie in a range of blocks, found without an index on the block."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Column, Connection, bindparam, func, select

MANY: Final = 2_000
"""So many rows of a stream are in memory at once."""


class Span(NamedTuple):
    """Keys from `first` to `last`, both included; none where `last` is the smaller."""

    first: int
    last: int


class Blocks(NamedTuple):
    """Blocks from `first` to `last`, both included."""

    first: int
    last: int


def find_span(connection: Connection, key: Column[int], blocks: Blocks) -> Span:
    """The keys of the rows of those blocks, in a table whose keys grow with its column `block`.

    Looked for by halving: some forty rows are read, however long the history is.
    """
    newest = connection.execute(select(func.max(key))).scalar() or 0
    block = key.table.c.block
    at = select(block).where(key >= bindparam("key")).order_by(key).limit(1)

    def first_from(number: int) -> int:
        low, high = 1, newest + 1
        while low < high:
            middle = (low + high) // 2
            if connection.execute(at, {"key": middle}).scalar_one() < number:
                low = middle + 1
            else:
                high = middle
        return low

    return Span(first_from(blocks.first), first_from(blocks.last + 1) - 1)
