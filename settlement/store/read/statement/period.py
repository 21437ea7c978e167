"""Periods of statements: days or moments in UTC, and the blocks between them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from settlement.store.read.key_ranges import BlockRange
from settlement.store.read.position import Position, first_block_from, read_earliest_block

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
    """The blocks with a time from `start` to before `end`, within the history; empty if there are none."""
    last = at.block if end is None else first_block_from(connection, at, end) - 1
    if start is None:
        first = read_earliest_block(connection) + 1
    else:
        first = first_block_from(connection, at, start)
    return BlockRange(min(first, last + 1), last)
