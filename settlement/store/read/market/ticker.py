"""Tickers: best bid and ask, last price, and statistics of the last 24 hours of block time.

The 24 hours are 1,440 whole minutes: that of the last block, and the 1,439 before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
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
from settlement.store.read.wide_sums import join_parts


class PriceRow(NamedTuple):
    """Current prices of a pair, in ticks; None if there is none."""

    bid: int | None
    ask: int | None
    last: int | None
    last_trade: int | None  # its number


class DayStatsRow(NamedTuple):
    """A pair's trades within 24 hours. Prices in ticks."""

    before: int | None  # price of the last trade before
    first: int | None
    high: int | None
    low: int | None
    base_volume: int  # base units
    quote_volume: int  # quote units
    trades: int


_o, _t, _p, _k = schema.orders.c, schema.trades.c, schema.pairs.c, schema.candles.c
_since: BindParameter[int] = bindparam("since")


def _best(extreme: Any, is_buy: bool) -> ScalarSelect[Any]:
    best = select(extreme(_o.price)).where(IS_OPEN, _o.pair_id == _p.id, _o.is_buy == is_buy)
    return best.scalar_subquery()


def _newest(column: Any) -> ScalarSelect[Any]:
    """A column of the pair's newest trade.

    It is selected as the last trade of all pairs up to this one, in the order of the index `trades_by_pair`:
    otherwise PostgreSQL would scan all trades for a pair without any.
    """
    newest = select(case((_t.pair_id == _p.id, column))).where(_t.pair_id <= _p.id)
    return newest.order_by(_t.pair_id.desc(), _t.n.desc()).limit(1).scalar_subquery()


_PRICES: Select[Any] = select(
    _p.id,
    _best(func.max, True).label("bid"),
    _best(func.min, False).label("ask"),
    _newest(_t.price).label("last"),
    _newest(_t.n).label("last_trade"),
)
_PRICES_OF_PAIR = _PRICES.where(_p.id == bindparam("pair"))


def _minute(column: Any, *conditions: Any, newest: bool) -> ScalarSelect[Any]:
    chosen = select(column).where(_k.pair_id == _p.id, _k.interval == MINUTE, *conditions)
    return chosen.order_by(_k.start.desc() if newest else _k.start).limit(1).scalar_subquery()


_FIRST_PRICES = select(
    _p.id,
    _minute(_k.close, _k.start < _since, newest=True).label("before"),
    _minute(_k.open, _k.start >= _since, newest=False).label("first"),
)
_SUMS = ("base_high", "base_low", "quote_high", "quote_low", "trades")


def _within(interval: int, first: Any, end: Any) -> Select[Any]:
    return (
        select(_k.pair_id, _k.high, _k.low, *(_k[name] for name in _SUMS))
        # Always true: it makes SQLite use the key, which starts with the pair.
        .where(_k.pair_id.in_(select(_p.id)))
        .where(_k.interval == interval, _k.start >= first, _k.start < end)
    )


# Whole hours from hour candles, the rest from minutes: at most 141 rows a pair.
_d = union_all(
    _within(MINUTE, _since, bindparam("first_hour")),
    _within(HOUR, bindparam("first_hour"), bindparam("last_hour")),
    _within(MINUTE, bindparam("last_hour"), bindparam("end")),
).subquery()
_STATS = select(
    _d.c.pair_id,
    func.max(_d.c.high).label("high"),
    func.min(_d.c.low).label("low"),
    *(func.sum(_d.c[name]).label(name) for name in _SUMS),
).group_by(_d.c.pair_id)
_TRADE_TIME = (
    select(schema.blocks.c.timestamp)
    .join(schema.trades, _t.block == schema.blocks.c.number)
    .where(_t.n == bindparam("n"))
)


def read_prices(connection: Connection) -> Mapping[int, PriceRow]:
    """Prices of all pairs by pair number."""
    return {row.id: _prices(row) for row in connection.execute(_PRICES)}


def read_price(connection: Connection, pair_id: int) -> PriceRow:
    return _prices(connection.execute(_PRICES_OF_PAIR, {"pair": pair_id}).one())


def _prices(row: Row[Any]) -> PriceRow:
    return PriceRow(row.bid, row.ask, row.last, row.last_trade)


def read_day_stats(connection: Connection, timestamp: int) -> Mapping[int, DayStatsRow]:
    """Statistics of all pairs by pair number over the 24 hours that end with the minute of `timestamp`."""
    end = start_of(timestamp, MINUTE) + MINUTE
    since = end - DAY
    values = {
        "since": since,
        "first_hour": start_of(since + HOUR - 1, HOUR),
        "last_hour": start_of(end, HOUR),
        "end": end,
    }
    stats = {row.pair_id: row for row in connection.execute(_STATS, values)}
    days = {}
    for row in connection.execute(_FIRST_PRICES, values):
        day = stats.get(row.id)
        days[row.id] = DayStatsRow(
            before=row.before,
            first=row.first,
            high=day.high if day else None,
            low=day.low if day else None,
            base_volume=join_parts(day.base_high, day.base_low) if day else 0,
            quote_volume=join_parts(day.quote_high, day.quote_low) if day else 0,
            trades=int(day.trades) if day else 0,
        )
    return days


def first_trade_since(connection: Connection, timestamp: int, last_trade: int) -> int:
    """The number of the first trade in a block of that time or later; last + 1 if there is none.

    Binary search: trades are numbered without gaps in the order of blocks.
    """

    def time_of(number: int) -> int:
        return int(connection.execute(_TRADE_TIME, {"n": number}).scalar_one())

    return 1 + bisect_left(range(1, last_trade + 1), timestamp, key=time_of)
