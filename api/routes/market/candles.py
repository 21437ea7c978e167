"""/api/candles: OHLCV candles of a pair by block time, oldest first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import bad_input
from api.http.formatting import PairFormat, iso
from api.http.paging import Cursors
from api.http.parameters import PageParameters, Rule, Symbol, one_of
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Count, NextCursor, Part, Price, Time, choice
from api.routes.market.pairs import pair_of
from settlement.store.read.market.candles import INTERVALS, CandleRow, read_candles

LAST_MOMENT: Final = 253_402_300_799
"""The last second of the year 9999, the end of Python's calendar."""

_SECONDS: Final = re.compile(r"0|[1-9][0-9]{0,11}")
_ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z?)?")


def _read_moment(text: str) -> int | None:
    """Seconds since 1970; None for invalid text."""
    if _SECONDS.fullmatch(text):
        return int(text) if int(text) <= LAST_MOMENT else None
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    seconds = (moment - datetime.fromtimestamp(0, UTC)).total_seconds()
    return int(seconds) if seconds >= 0 else None


Moment = Annotated[
    int,
    Rule(
        "a time: seconds since 1970, or ISO 8601 in UTC like 2026-09-21T14:00:00Z",
        _read_moment,
        {"type": "string", "pattern": rf"^({_SECONDS.pattern}|{_ISO.pattern})$"},
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleParameters(PageParameters):
    base: Symbol
    quote: Symbol
    interval: Annotated[str, one_of(*INTERVALS)] = "1h"
    from_: Moment | None = None
    to: Moment | None = None


class Candle(Part, kw_only=True):
    """The trades of one interval, which begins at `ts`. `volume` is in base, `quote_volume` in quote."""

    ts: Time
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    quote_volume: Amount
    trades: Annotated[Count, Meta(description="How many: never 0.")]


class Candles(Answer, kw_only=True):
    """Oldest first. Intervals without a trade are left out. The cursor leads to older ones."""

    base: str
    quote: str
    interval: Annotated[str, choice(*INTERVALS)]
    candles: list[Candle]
    next_cursor: NextCursor


def _view(snapshot: Snapshot, params: CandleParameters) -> Candles:
    cursors = Cursors("candles", params.base, params.quote, params.interval, params.from_, params.to)
    since = 0 if params.from_ is None else params.from_
    before = cursors.read(params.cursor) or (LAST_MOMENT if params.to is None else params.to)
    if params.to is not None and since > params.to:
        raise bad_input("from must not be later than to.")
    fmt = pair_of(snapshot, params.base, params.quote)
    seconds = INTERVALS[params.interval]
    page = read_candles(snapshot.connection, fmt.row.id, seconds, since, before, params.limit)
    return Candles(
        *snapshot.stamp,
        base=params.base,
        quote=params.quote,
        interval=params.interval,
        candles=[show_candle(fmt, row) for row in page.rows],
        next_cursor=cursors.write(page.next_key),
    )


def show_candle(fmt: PairFormat, row: CandleRow) -> Candle:
    return Candle(
        ts=iso(row.start),
        open=fmt.price(row.open),
        high=fmt.price(row.high),
        low=fmt.price(row.low),
        close=fmt.price(row.close),
        volume=fmt.base(row.base_volume),
        quote_volume=fmt.quote(row.quote_volume),
        trades=row.trades,
    )


resource = Resource(
    "/api/candles",
    CandleParameters,
    Candles,
    "OHLCV candles of a pair, oldest first.",
    _view,
    errors=("E_PAIR",),
)
