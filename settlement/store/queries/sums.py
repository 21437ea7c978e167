"""Sums beyond 64 bits: each amount fits 63, what is added up over many rows need not."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, func

_LOW_BITS = 32


def sum_parts(column: Column[Any]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Two columns that `whole` puts together. A plain SUM would fail on what any trader can write."""
    low = 2**_LOW_BITS - 1
    return func.sum(column.bitwise_rshift(_LOW_BITS)), func.sum(column.bitwise_and(low))


def whole(high: int, low: int) -> int:
    """The sum that the two parts stand for."""
    return (int(high) << _LOW_BITS) + int(low)
