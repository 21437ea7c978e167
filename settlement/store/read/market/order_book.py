"""The order book, aggregated by price in the database: now, or at the end of a past block."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, select

from settlement.store import schema
from settlement.store.read.bulk_query import BulkQuery
from settlement.store.read.open_at_block import IS_OPEN, OPEN_OF_PAIRS, join_progress, parameters_at
from settlement.store.read.position import read_active_block
from settlement.store.read.wide_sums import join_parts, sum_parts


class LevelRow(NamedTuple):
    """The open orders at one price."""

    price: int  # ticks
    remaining: int  # base units
    orders: int


_o, _c = schema.orders.c, schema.order_changes.c


def _levels(is_buy: bool) -> Select[Any]:
    orders = select(_o.price, *sum_parts(_o.remaining), func.count())
    return _by_price(orders.where(IS_OPEN, _o.pair_id == bindparam("pair"), _o.is_buy == is_buy), is_buy)


def _past_levels(is_buy: bool) -> Select[Any]:
    was_open = OPEN_OF_PAIRS.subquery("was_open")
    remaining = func.coalesce(_c.remaining, _o.quantity)
    levels = select(_o.price, *sum_parts(remaining), func.count()).select_from(
        was_open.join(schema.orders, _o.seq == was_open.c.seq)
    )
    return _by_price(join_progress(levels).where(_o.is_buy == is_buy), is_buy)


def _by_price(orders: Select[Any], is_buy: bool) -> Select[Any]:
    best_first = _o.price.desc() if is_buy else _o.price
    return orders.group_by(_o.price).order_by(best_first).limit(bindparam("depth"))


_NOW = {is_buy: BulkQuery(_levels(is_buy)) for is_buy in (True, False)}
_PAST = {is_buy: BulkQuery(_past_levels(is_buy)) for is_buy in (True, False)}


def read_levels(
    connection: Connection, pair_id: int, is_buy: bool, depth: int, block: int | None = None
) -> list[LevelRow]:
    """The best `depth` levels of one side, best price first: now, or at the end of `block`."""
    if block is None:
        rows = _NOW[is_buy].rows(connection, {"pair": pair_id, "depth": depth})
    else:
        past = read_active_block(connection, block)
        if past is None:
            return []
        values = {**parameters_at(past), "pairs": [pair_id], "depth": depth}
        rows = _PAST[is_buy].rows(connection, values)
    return [LevelRow(price, join_parts(high, low), orders) for price, high, low, orders in rows]
