"""Periods of statements: days or moments in UTC, and the blocks between them."""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from settlement.store.read.key_ranges import BlockRange
from settlement.store.read.position import Position, read_active_block, read_earliest_block

DAY_SECONDS: Final = 86_400
EXPECTED: Final = "a day like 2026-01-31, or a time like 2026-01-31T14:00:00Z, both in UTC"
PATTERN: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?"
_MOMENT: Final = re.compile(PATTERN)


def read_start(text: str) -> int | None:
    """The first second of a period that begins with this day or at this time; None for invalid text."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0, int(moment.timestamp()))


def read_end(text: str) -> int | None:
    """The first second after a period that ends with this day, or before this time; None for invalid text."""
    start = read_start(text)
    return start if start is None or "T" in text else start + DAY_SECONDS


def blocks_between(connection: Connection, at: Position, start: int | None, end: int | None) -> BlockRange:
    """The blocks with a time from `start` to before `end`, within the history; empty if there are none.

    Found by binary search: a block's time grows with its number.
    """
    before = read_earliest_block(connection)

    def time_at(block: int) -> int:
        past = read_active_block(connection, block)
        return 0 if past is None else past.timestamp

    def first_from(moment: int) -> int:
        return before + 1 + bisect_left(range(before + 1, at.block + 1), moment, key=time_at)

    last = at.block if end is None else first_from(end) - 1
    first = before + 1 if start is None else first_from(start)
    return BlockRange(min(first, last + 1), last)
