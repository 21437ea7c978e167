"""The order book, added up by price inside the database."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, literal_column, select

from settlement.store import schema
from settlement.store.queries.sums import sum_parts, whole


class LevelRow(NamedTuple):
    """All open orders of one price: ticks, base units, how many."""

    price: int
    remaining: int
    orders: int


_o = schema.orders.c
# The number itself, not a parameter: only then does SQLite use the partial index of open orders.
IS_OPEN = _o.status == literal_column(str(schema.OPEN))


def _levels(is_buy: bool) -> Select[Any]:
    return (
        select(_o.price, *sum_parts(_o.remaining), func.count())
        .where(IS_OPEN, _o.pair_id == bindparam("pair"), _o.is_buy == is_buy)
        .group_by(_o.price)
        .order_by(_o.price.desc() if is_buy else _o.price)
        .limit(bindparam("depth"))
    )


_BIDS, _ASKS = _levels(True), _levels(False)


def read_levels(connection: Connection, pair_id: int, is_buy: bool, depth: int) -> list[LevelRow]:
    """The best `depth` levels of one side, best price first."""
    rows = connection.execute(_BIDS if is_buy else _ASKS, {"pair": pair_id, "depth": depth})
    return [LevelRow(price, whole(high, low), orders) for price, high, low, orders in rows]
