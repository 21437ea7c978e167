"""Sums beyond 64 bits: each amount fits 63, what is added up over many rows need not."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, literal_column

_BITS = 32
_MASK = 2**_BITS - 1
# Literals, so that a statement that is compiled once takes nothing but its rows.
_SQL_BITS: ColumnElement[int] = literal_column(str(_BITS))
_SQL_MASK: ColumnElement[int] = literal_column(str(_MASK))


def sum_parts(column: ColumnElement[Any]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Two columns that `whole` puts together. A plain SUM would fail on what any trader can write."""
    return func.sum(column.bitwise_rshift(_SQL_BITS)), func.sum(column.bitwise_and(_SQL_MASK))


def add_parts(
    high: ColumnElement[int],
    low: ColumnElement[int],
    more_high: ColumnElement[int],
    more_low: ColumnElement[int],
) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The parts of the sum of two numbers that are kept in parts."""
    lows = low + more_low
    return high + more_high + lows.bitwise_rshift(_SQL_BITS), lows.bitwise_and(_SQL_MASK)


def parts(number: int) -> tuple[int, int]:
    """The two integers that stand for one that may need more than 64 bits."""
    return number >> _BITS, number & _MASK


def whole(high: int, low: int) -> int:
    """The sum that the two parts stand for."""
    return (int(high) << _BITS) + int(low)
