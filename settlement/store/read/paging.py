"""Pages of a list that is read newest first, by a growing key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

MAX_SCANNED_ROWS: Final = 10_000
"""Rows scanned at most for one page of a filter without an index."""
Item = TypeVar("Item")


class Page(NamedTuple, Generic[Item]):
    """A page of rows."""

    rows: Sequence[Item]
    next_key: int | None  # the next page starts below it; None on the last page


def make_page(rows: Sequence[Item], limit: int, key: Callable[[Item], int]) -> Page[Item]:
    """A page of at most `limit` rows out of up to `limit + 1` queried ones."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], key(rows[limit - 1]))
