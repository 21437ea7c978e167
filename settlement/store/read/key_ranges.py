"""Finds the keys of the rows of a block range by binary search, without an index on the block."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

from sqlalchemy import Column, Connection, bindparam, func, select

FETCH_ROWS: Final = 2_000
"""Rows of a streamed query in memory at a time."""


class KeyRange(NamedTuple):
    """Keys from `first` to `last`, inclusive; empty if `last` is smaller."""

    first: int
    last: int


class BlockRange(NamedTuple):
    """Block numbers from `first` to `last`, inclusive."""

    first: int
    last: int


def find_key_range(connection: Connection, key: Column[int], blocks: BlockRange) -> KeyRange:
    """The keys of the rows of these blocks, in a table whose keys grow with its column `block`.

    Reads about forty rows, however long the history is.
    """
    newest = connection.execute(select(func.max(key))).scalar() or 0
    block = key.table.c.block
    block_from = select(block).where(key >= bindparam("key")).order_by(key).limit(1)

    def block_of(number: int) -> int:
        return int(connection.execute(block_from, {"key": number}).scalar_one())

    keys = range(1, newest + 1)
    first = 1 + bisect_left(keys, blocks.first, key=block_of)
    return KeyRange(first, bisect_left(keys, blocks.last + 1, key=block_of))
