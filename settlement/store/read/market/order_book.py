"""The order book, added up by price inside the database: now, or at the end of a past block."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, select

from settlement.store import schema
from settlement.store.read.open_at_block import IS_OPEN, OPEN_OF_PAIRS, past_values, with_progress
from settlement.store.read.position import read_past
from settlement.store.read.rows_as_json import AtOnce
from settlement.store.read.wide_sums import sum_parts, whole


class LevelRow(NamedTuple):
    """All open orders of one price: ticks, base units, how many."""

    price: int
    remaining: int
    orders: int


_o, _c = schema.orders.c, schema.order_changes.c


def _levels(is_buy: bool) -> Select[Any]:
    open_now = select(_o.price, *sum_parts(_o.remaining), func.count())
    return _by_price(open_now.where(IS_OPEN, _o.pair_id == bindparam("pair"), _o.is_buy == is_buy), is_buy)


def _past_levels(is_buy: bool) -> Select[Any]:
    was_open = OPEN_OF_PAIRS.subquery("was_open")
    remaining = func.coalesce(_c.remaining, _o.quantity)
    levels = select(_o.price, *sum_parts(remaining), func.count()).select_from(
        was_open.join(schema.orders, _o.seq == was_open.c.seq)
    )
    return _by_price(with_progress(levels).where(_o.is_buy == is_buy), is_buy)


def _by_price(orders: Select[Any], is_buy: bool) -> Select[Any]:
    best_first = _o.price.desc() if is_buy else _o.price
    return orders.group_by(_o.price).order_by(best_first).limit(bindparam("depth"))


_NOW = {is_buy: AtOnce(_levels(is_buy)) for is_buy in (True, False)}
_PAST = {is_buy: AtOnce(_past_levels(is_buy)) for is_buy in (True, False)}


def read_levels(
    connection: Connection, pair_id: int, is_buy: bool, depth: int, block: int | None = None
) -> list[LevelRow]:
    """The best `depth` levels of one side, best price first. With a block, as of its end."""
    if block is None:
        rows = _NOW[is_buy].rows(connection, {"pair": pair_id, "depth": depth})
    else:
        past = read_past(connection, block)
        if past is None:
            return []
        values = {**past_values(past), "pairs": [pair_id], "depth": depth}
        rows = _PAST[is_buy].rows(connection, values)
    return [LevelRow(price, whole(high, low), orders) for price, high, low, orders in rows]
