"""Sums that exceed 64 bits, in two parts: high, in units of 2^32, and low. Single amounts fit 63 bits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, literal_column

_BITS = 32
_MASK = 2**_BITS - 1
# Literals, so that precompiled statements have no parameters besides their rows.
_SQL_BITS: ColumnElement[int] = literal_column(str(_BITS))
_SQL_MASK: ColumnElement[int] = literal_column(str(_MASK))


def sum_parts(column: ColumnElement[Any]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The sum of a column as columns `high` and `low`; a plain SUM could overflow on valid amounts."""
    high, low = column.bitwise_rshift(_SQL_BITS), column.bitwise_and(_SQL_MASK)
    return func.sum(high).label("high"), func.sum(low).label("low")


def add_parts(
    high: ColumnElement[int],
    low: ColumnElement[int],
    more_high: ColumnElement[int],
    more_low: ColumnElement[int],
) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The sum of two numbers in parts, in SQL."""
    lows = low + more_low
    return high + more_high + lows.bitwise_rshift(_SQL_BITS), lows.bitwise_and(_SQL_MASK)


def split_parts(number: int) -> tuple[int, int]:
    """A number as its high and low part."""
    return number >> _BITS, number & _MASK


def join_parts(high: int, low: int) -> int:
    """The number of a high and a low part."""
    return (int(high) << _BITS) + int(low)
