"""Candles of a pair by block time. Intervals without trades are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, select

from settlement.store import schema
from settlement.store.read.paging import Page
from settlement.store.read.wide_sums import join_parts

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
INTERVALS: Final[Mapping[str, int]] = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "4h": 4 * HOUR,
    "1d": DAY,
    "1w": WEEK,
}
"""Seconds by name. Intervals start at multiples of their length since 1970 (UTC); weeks on Mondays."""
_MONDAY: Final = 4 * DAY  # 5 January 1970


class CandleRow(NamedTuple):
    """Prices in ticks, volumes in base and quote units."""

    start: int  # seconds since 1970
    open: int
    high: int
    low: int
    close: int
    base_volume: int
    quote_volume: int
    trades: int


_k = schema.candles.c
_CANDLES: Select[Any] = (
    select(
        *(_k.start, _k.open, _k.high, _k.low, _k.close),
        *(_k.base_high, _k.base_low, _k.quote_high, _k.quote_low, _k.trades),
    )
    .where(
        _k.pair_id == bindparam("pair"),
        _k.interval == bindparam("interval"),
        _k.start >= bindparam("since"),
        _k.start < bindparam("before"),
    )
    .order_by(_k.start.desc())
    .limit(bindparam("rows"))
)


def start_of(timestamp: int, interval: int) -> int:
    """The start of the interval that contains `timestamp`. `interval` is one of INTERVALS."""
    offset = _MONDAY if interval == WEEK else 0
    return timestamp - (timestamp - offset) % interval


def read_candles(
    connection: Connection, pair_id: int, interval: int, since: int, before: int, limit: int
) -> Page[CandleRow]:
    """The newest `limit` candles that start in `since <= start < before`, oldest first.

    `interval` is one of INTERVALS. The key of the page is the `before` of the next one, with older candles.
    """
    stored = _stored_as(interval)
    first = start_of(since + interval - 1, interval)
    last = start_of(before + interval - 1, interval)
    values = {"pair": pair_id, "interval": stored, "since": first, "before": last}
    # So many stored candles cover at least limit + 1 of the requested ones, if there are as many.
    rows = connection.execute(_CANDLES, {**values, "rows": (limit + 1) * (interval // stored)})
    candles = _aggregate(map(_candle, rows), interval)
    if len(candles) <= limit:
        return Page(candles[::-1], None)
    return Page(candles[limit - 1 :: -1], candles[limit - 1].start)


def read_current_candles(connection: Connection, pair_id: int, timestamp: int) -> dict[int, CandleRow]:
    """The candle that contains `timestamp`, for each of INTERVALS; the pair must have traded by then."""
    candles: dict[int, CandleRow] = {}
    for stored in schema.CANDLES:
        intervals = [each for each in INTERVALS.values() if _stored_as(each) == stored]
        values = {"pair": pair_id, "interval": stored, "before": timestamp + 1}
        since, rows = start_of(timestamp, intervals[-1]), intervals[-1] // stored
        found = connection.execute(_CANDLES, {**values, "since": since, "rows": rows})
        newest_first = [_candle(row) for row in found]
        for interval in intervals:
            start = start_of(timestamp, interval)
            (candles[interval],) = _aggregate((row for row in newest_first if row.start >= start), interval)
    return candles


def _stored_as(interval: int) -> int:
    """The longest stored interval that divides it."""
    return max(each for each in schema.CANDLES if interval % each == 0)


def _candle(row: Row[Any]) -> CandleRow:
    return CandleRow(
        start=row.start,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        base_volume=join_parts(row.base_high, row.base_low),
        quote_volume=join_parts(row.quote_high, row.quote_low),
        trades=row.trades,
    )


def _aggregate(newest_first: Iterable[CandleRow], interval: int) -> list[CandleRow]:
    """Candles of a longer interval, newest first."""
    candles: list[CandleRow] = []
    for candle in newest_first:
        start = start_of(candle.start, interval)
        if not candles or candles[-1].start != start:
            candles.append(candle._replace(start=start))
            continue
        later = candles[-1]
        candles[-1] = CandleRow(
            start=start,
            open=candle.open,
            high=max(later.high, candle.high),
            low=min(later.low, candle.low),
            close=later.close,
            base_volume=later.base_volume + candle.base_volume,
            quote_volume=later.quote_volume + candle.quote_volume,
            trades=later.trades + candle.trades,
        )
    return candles
