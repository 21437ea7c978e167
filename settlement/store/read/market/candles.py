"""Candles: the trades of a pair by intervals of block time. Intervals without a trade are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.store import schema
from settlement.store.read.paging import Page
from settlement.store.read.wide_sums import whole

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
"""Seconds by name. All begin at multiples of themselves since 1970, UTC, but weeks: on Mondays."""
_MONDAY: Final = 4 * DAY  # 5 January 1970


class CandleRow(NamedTuple):
    """Prices in ticks, volumes in base and quote units; `start` in seconds since 1970."""

    start: int
    open: int
    high: int
    low: int
    close: int
    base_volume: int
    quote_volume: int
    trades: int


_k = schema.candles.c
_CANDLES = (
    select(
        _k.start,
        _k.open,
        _k.high,
        _k.low,
        _k.close,
        _k.base_high,
        _k.base_low,
        _k.quote_high,
        _k.quote_low,
        _k.trades,
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
    """The start of the interval that holds a moment. `interval` is one of INTERVALS."""
    offset = _MONDAY if interval == WEEK else 0
    return timestamp - (timestamp - offset) % interval


def read_candles(
    connection: Connection, pair_id: int, interval: int, since: int, before: int, limit: int
) -> Page[CandleRow]:
    """The newest `limit` candles that start at `since` or later and before `before`, oldest first.

    `interval` is one of INTERVALS. Where there are older ones, the page's key is the `before` of the next.
    """
    kept = max(each for each in schema.CANDLES if interval % each == 0)
    first = start_of(since + interval - 1, interval)
    last = start_of(before + interval - 1, interval)
    chosen = {"pair": pair_id, "interval": kept, "since": first, "before": last}
    # So many kept candles are at least limit + 1 of the wanted ones, if there are as many.
    rows = connection.execute(_CANDLES, {**chosen, "rows": (limit + 1) * (interval // kept)})
    found = _added_up(map(_candle, rows), interval)
    if len(found) <= limit:
        return Page(found[::-1], None)
    return Page(found[limit - 1 :: -1], found[limit - 1].start)


def _candle(row: Any) -> CandleRow:
    start, open_, high, low, close, *base, quote_high, quote_low, trades = row
    return CandleRow(start, open_, high, low, close, whole(*base), whole(quote_high, quote_low), trades)


def _added_up(newest_first: Iterable[CandleRow], interval: int) -> list[CandleRow]:
    """Candles of a longer interval, out of shorter ones."""
    found: list[CandleRow] = []
    for candle in newest_first:
        start = start_of(candle.start, interval)
        if not found or found[-1].start != start:
            found.append(candle._replace(start=start))
            continue
        later = found[-1]
        found[-1] = CandleRow(
            start,
            candle.open,
            max(later.high, candle.high),
            min(later.low, candle.low),
            later.close,
            later.base_volume + candle.base_volume,
            later.quote_volume + candle.quote_volume,
            later.trades + candle.trades,
        )
    return found
