"""Pages of a list that is read newest first, by a key that only grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

WINDOW: Final = 10_000
"""At most so many rows are looked at for one page of a filter that no index serves."""
Item = TypeVar("Item")


class Page(NamedTuple, Generic[Item]):
    """Some rows, and the key below which the next page begins (None where there is none)."""

    rows: Sequence[Item]
    next_key: int | None


def cut(rows: Sequence[Item], limit: int, key: Callable[[Item], int]) -> Page[Item]:
    """The page of at most `limit` out of rows that were asked for with one more than that."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], key(rows[limit - 1]))
