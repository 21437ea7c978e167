"""Figures of pairs: best prices, the last one, and the last 24 hours of block time.

The figures of 24 hours are added up from the trades of that time at each request: their cost grows with
those trades, not with history. An issue of its own will keep them as rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, ScalarSelect, bindparam, func, select

from settlement.store import schema
from settlement.store.queries.book import IS_OPEN
from settlement.store.queries.sums import sum_parts, whole


class PriceRow(NamedTuple):
    """Prices of a pair now, in ticks; None where there is none."""

    bid: int | None
    ask: int | None
    last: int | None
    last_trade: int | None


class DayRow(NamedTuple):
    """A pair's trades since a moment. `before` is the price at that moment: of the last trade before it."""

    before: int | None
    first: int | None
    high: int | None
    low: int | None
    base_volume: int
    quote_volume: int
    trades: int


_o, _t, _p = schema.orders.c, schema.trades.c, schema.pairs.c
_first: BindParameter[int] = bindparam("first")


def _best(extreme: Any, is_buy: bool) -> ScalarSelect[Any]:
    best = select(extreme(_o.price)).where(IS_OPEN, _o.pair_id == _p.id, _o.is_buy == is_buy)
    return best.scalar_subquery()


def _trade(column: Any, *conditions: Any, newest: bool = True) -> ScalarSelect[Any]:
    chosen = select(column).where(_t.pair_id == _p.id, *conditions)
    return chosen.order_by(_t.n.desc() if newest else _t.n).limit(1).scalar_subquery()


_PRICES = select(_p.id, _best(func.max, True), _best(func.min, False), _trade(_t.price), _trade(_t.n))
_PRICES_OF_PAIR = _PRICES.where(_p.id == bindparam("pair"))
_MARKS = select(_p.id, _trade(_t.price, _t.n < _first), _trade(_t.price, _t.n >= _first, newest=False))
# `+ 0` keeps SQLite from grouping by way of an index, and so reading all trades there ever were.
_VOLUMES = (
    select(
        _t.pair_id,
        func.max(_t.price),
        func.min(_t.price),
        *sum_parts(_t.quantity),
        *sum_parts(_t.quote_amount),
        func.count(),
    )
    .where(_t.n >= _first)
    .group_by(_t.pair_id + 0)
)
_TRADE_TIME = (
    select(schema.blocks.c.timestamp)
    .join(schema.trades, _t.block == schema.blocks.c.number)
    .where(_t.n == bindparam("n"))
)


def read_prices(connection: Connection) -> Mapping[int, PriceRow]:
    """Prices of all pairs by pair number, each from the ends of an index."""
    return {pair: PriceRow(*row) for pair, *row in connection.execute(_PRICES)}


def read_price(connection: Connection, pair_id: int) -> PriceRow:
    return PriceRow(*connection.execute(_PRICES_OF_PAIR, {"pair": pair_id}).one()[1:])


def read_day(connection: Connection, first_trade: int) -> Mapping[int, DayRow]:
    """Figures of all pairs by pair number over the trades from `first_trade` on."""
    volumes = {pair: row for pair, *row in connection.execute(_VOLUMES, {"first": first_trade})}
    days = {}
    for pair, before, first in connection.execute(_MARKS, {"first": first_trade}):
        high, low, *parts, count = volumes.get(pair, (None, None, 0, 0, 0, 0, 0))
        days[pair] = DayRow(before, first, high, low, whole(*parts[:2]), whole(*parts[2:]), count)
    return days


def first_trade_since(connection: Connection, timestamp: int, last_trade: int) -> int:
    """The number of the first trade in a block of that time or later; last + 1 where there is none.

    Trades are numbered without gaps in the order of blocks, so this halves the range at each step.
    """
    low, high = 1, last_trade + 1
    while low < high:
        middle = (low + high) // 2
        if connection.execute(_TRADE_TIME, {"n": middle}).scalar_one() < timestamp:
            low = middle + 1
        else:
            high = middle
    return low
