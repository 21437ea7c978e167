"""Figures of pairs: best prices, the last one, and the last 24 hours of block time, out of candles.

A day is 1,440 whole minutes: the one in which the last block falls, and the 1,439 before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    ScalarSelect,
    Select,
    bindparam,
    case,
    func,
    select,
    union_all,
)

from settlement.store import schema
from settlement.store.read.market.candles import DAY, HOUR, MINUTE, start_of
from settlement.store.read.open_at_block import IS_OPEN
from settlement.store.read.wide_sums import whole


class PriceRow(NamedTuple):
    """Prices of a pair now, in ticks; None where there is none."""

    bid: int | None
    ask: int | None
    last: int | None
    last_trade: int | None


class DayRow(NamedTuple):
    """A pair's trades within a day. `before` is the price when it began: of the last trade before it."""

    before: int | None
    first: int | None
    high: int | None
    low: int | None
    base_volume: int
    quote_volume: int
    trades: int


_o, _t, _p, _k = schema.orders.c, schema.trades.c, schema.pairs.c, schema.candles.c
_since: BindParameter[int] = bindparam("since")


def _best(extreme: Any, is_buy: bool) -> ScalarSelect[Any]:
    best = select(extreme(_o.price)).where(IS_OPEN, _o.pair_id == _p.id, _o.is_buy == is_buy)
    return best.scalar_subquery()


def _newest(column: Any) -> ScalarSelect[Any]:
    """Of a pair's newest trade. Sought as the last one up to that pair, because only the index of pairs has
    that order: of a pair without trades PostgreSQL would otherwise read all trades of the others."""
    newest = select(case((_t.pair_id == _p.id, column))).where(_t.pair_id <= _p.id)
    return newest.order_by(_t.pair_id.desc(), _t.n.desc()).limit(1).scalar_subquery()


_PRICES = select(_p.id, _best(func.max, True), _best(func.min, False), _newest(_t.price), _newest(_t.n))
_PRICES_OF_PAIR = _PRICES.where(_p.id == bindparam("pair"))


def _minute(column: Any, *conditions: Any, newest: bool) -> ScalarSelect[Any]:
    chosen = select(column).where(_k.pair_id == _p.id, _k.interval == MINUTE, *conditions)
    return chosen.order_by(_k.start.desc() if newest else _k.start).limit(1).scalar_subquery()


_MARKS = select(
    _p.id,
    _minute(_k.close, _k.start < _since, newest=True),
    _minute(_k.open, _k.start >= _since, newest=False),
)
_FIGURES = (
    _k.high.label("high"),
    _k.low.label("low"),
    *(_k[name] for name in ("base_high", "base_low", "quote_high", "quote_low", "trades")),
)


def _within(interval: int, first: Any, end: Any) -> Select[Any]:
    return (
        select(_k.pair_id.label("pair"), *_FIGURES)
        # True of all: it leads SQLite to the key, which begins with the pair.
        .where(_k.pair_id.in_(select(_p.id)))
        .where(_k.interval == interval, _k.start >= first, _k.start < end)
    )


# Whole hours by their own candles, the rest by minutes: at most 141 rows a pair.
_d = union_all(
    _within(MINUTE, _since, bindparam("first_hour")),
    _within(HOUR, bindparam("first_hour"), bindparam("last_hour")),
    _within(MINUTE, bindparam("last_hour"), bindparam("end")),
).subquery()
_VOLUMES = select(
    _d.c.pair,
    func.max(_d.c.high),
    func.min(_d.c.low),
    *(func.sum(_d.c[name]) for name in ("base_high", "base_low", "quote_high", "quote_low", "trades")),
).group_by(_d.c.pair)
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


def read_day(connection: Connection, timestamp: int) -> Mapping[int, DayRow]:
    """Figures of all pairs by pair number over the day that ends with the minute of `timestamp`."""
    end = start_of(timestamp, MINUTE) + MINUTE
    since = end - DAY
    values = {
        "since": since,
        "first_hour": start_of(since + HOUR - 1, HOUR),
        "last_hour": start_of(end, HOUR),
        "end": end,
    }
    volumes = {pair: row for pair, *row in connection.execute(_VOLUMES, values)}
    days = {}
    for pair, before, first in connection.execute(_MARKS, values):
        high, low, *parts, count = volumes.get(pair, (None, None, 0, 0, 0, 0, 0))
        days[pair] = DayRow(before, first, high, low, whole(*parts[:2]), whole(*parts[2:]), int(count))
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
