"""/api/udf/*: the Universal Data Feed of TradingView's charts, field for field.

As its charting library reads it: times are seconds since 1970, prices and volumes JSON numbers (here with
all their decimals, never floats). Errors carry `s` and `errmsg` besides what ours carry (`api.http.errors`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from flask import Response
from msgspec import UNSET, Meta, UnsetType

from api.database import Snapshot
from api.feeds.common import TICKER_RULE, Number, Ticker, number, pair_of_ticker, ticker_id
from api.http.parameters import NoParameters, Rule, one_of, whole_number
from api.http.resource import PLAIN, Direct, Resource
from api.http.shapes import Part, Text, choice
from api.routes.market.candles import LAST_MOMENT
from settlement.store.read.market.candles import INTERVALS, read_candles
from settlement.store.read.venue import PairRow, read_pairs

EXCHANGE: Final = "PEAKEDEX"
TYPE: Final = "crypto"
GROUP: Final = "TradingView"
MAX_BARS: Final = 5_000
RESOLUTIONS: Final = {
    "1": "1m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "240": "4h",
    "1D": "1d",
    "1W": "1w",
}
"""The library's names of our intervals. It also says D and W."""
_SHORT: Final = {"D": "1D", "W": "1W"}
_INTRADAY: Final = [name for name in RESOLUTIONS if name.isdigit()]


def _read_symbol(text: str) -> object:
    """A pair, with or without the exchange before it."""
    return TICKER_RULE.read(text.removeprefix(f"{EXCHANGE}:"))


def _read_second(text: str) -> int | None:
    """Seconds since 1970. The library counts back from now, and may well arrive before."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        return None
    return min(max(sign * int(digits), 0), LAST_MOMENT)


def _any_text(text: str) -> str:
    return text


Symbol = Annotated[Ticker, Rule(TICKER_RULE.wanted, _read_symbol, {"type": "string"})]
Second = Annotated[
    int, Rule("a time in seconds since 1970", _read_second, {"type": "integer", "minimum": -(10**12) + 1})
]
AnyText = Annotated[str, Rule("a short text", _any_text, {"type": "string", "maxLength": 128})]


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolParameters:
    symbol: Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameters:
    query: AnyText = ""
    type: AnyText = ""
    exchange: AnyText = ""
    limit: Annotated[int, whole_number(1, 1000)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryParameters:
    symbol: Symbol
    resolution: Annotated[str, one_of(*RESOLUTIONS, *_SHORT)]
    from_: Second = 0
    to: Second = LAST_MOMENT
    countback: Annotated[int, whole_number(1, 100_000)] | None = None


class UdfExchange(Part, kw_only=True):
    value: str
    name: str
    desc: str


class UdfType(Part, kw_only=True):
    name: str
    value: str


class UdfConfig(Part, kw_only=True):
    """What this data feed can do."""

    supports_search: bool
    supports_group_request: bool
    supports_marks: bool
    supports_timescale_marks: bool
    supports_time: bool
    supported_resolutions: list[str]
    exchanges: list[UdfExchange]
    symbols_types: list[UdfType]


class UdfSymbol(
    Part,
    kw_only=True,
    rename={"exchange_listed": "exchange-listed", "exchange_traded": "exchange-traded"},
):
    """A pair, as the chart wants to know it. The exchange stands in it by its old and its new names."""

    name: str
    ticker: str
    description: str
    type: str
    session: str
    timezone: str
    exchange: str
    listed_exchange: str
    exchange_listed: str
    exchange_traded: str
    minmov: int
    minmov2: int
    pointvalue: int
    pricescale: int
    format: str
    has_intraday: bool
    has_daily: bool
    has_weekly_and_monthly: bool
    intraday_multipliers: list[str]
    daily_multipliers: list[str]
    weekly_multipliers: list[str]
    monthly_multipliers: list[str]
    supported_resolutions: list[str]
    volume_precision: int
    visible_plots_set: str
    data_status: str


class UdfFound(Part, kw_only=True):
    """A pair that a search found."""

    symbol: str
    full_name: str
    description: str
    exchange: str
    ticker: str
    type: str


class UdfBars(Part, kw_only=True):
    """Bars by columns, oldest first: when each begins, its prices, its volume in base."""

    s: Annotated[str, choice("ok")]
    t: list[int]
    o: list[Number]
    h: list[Number]
    l: list[Number]  # noqa: E741 (the format's own name)
    c: list[Number]
    v: list[Number]


class UdfNoData(Part, kw_only=True, rename={"next_time": "nextTime"}):
    """There is no bar in that time."""

    s: Annotated[str, choice("no_data")]
    next_time: Annotated[int | UnsetType, Meta(description="When the newest bar before it begins.")] = UNSET


def _config(_: Snapshot, __: NoParameters) -> UdfConfig:
    return UdfConfig(
        supports_search=True,
        supports_group_request=False,
        supports_marks=False,
        supports_timescale_marks=False,
        supports_time=True,
        supported_resolutions=list(RESOLUTIONS),
        exchanges=[UdfExchange(value=EXCHANGE, name="Peake DEX", desc="Peake DEX")],
        symbols_types=[UdfType(name="Crypto", value=TYPE)],
    )


def _symbol(snapshot: Snapshot, ask: SymbolParameters) -> UdfSymbol:
    row = pair_of_ticker(snapshot, ask.symbol).row
    name = ticker_id(row.base, row.quote)
    return UdfSymbol(
        name=name,
        ticker=name,
        description=_description(row),
        type=TYPE,
        session="24x7",
        timezone="Etc/UTC",
        exchange=EXCHANGE,
        listed_exchange=EXCHANGE,
        exchange_listed=EXCHANGE,
        exchange_traded=EXCHANGE,
        minmov=1,
        minmov2=0,
        pointvalue=1,
        pricescale=10**row.price_decimals,
        format="price",
        has_intraday=True,
        has_daily=True,
        has_weekly_and_monthly=True,
        intraday_multipliers=_INTRADAY,
        daily_multipliers=["1"],
        weekly_multipliers=["1"],
        monthly_multipliers=[],
        supported_resolutions=list(RESOLUTIONS),
        volume_precision=max(0, row.quantity_decimals),
        visible_plots_set="ohlcv",
        data_status="streaming",
    )


def _description(row: PairRow) -> str:
    return f"{row.base} / {row.quote}"


def _search(snapshot: Snapshot, ask: SearchParameters) -> list[UdfFound]:
    if ask.type not in ("", TYPE) or ask.exchange not in ("", EXCHANGE):
        return []
    wanted = ask.query.strip().upper().removeprefix(f"{EXCHANGE}:")
    found = []
    for row in read_pairs(snapshot.connection).values():
        name = ticker_id(row.base, row.quote)
        if wanted in name or wanted in _description(row):
            found.append(
                UdfFound(
                    symbol=name,
                    full_name=f"{EXCHANGE}:{name}",
                    description=_description(row),
                    exchange=EXCHANGE,
                    ticker=name,
                    type=TYPE,
                )
            )
    return found[: ask.limit]


def _history(snapshot: Snapshot, ask: HistoryParameters) -> UdfBars | UdfNoData:
    """Bars that begin at `from` or later and before `to`; with `countback` so many before `to` instead."""
    show = pair_of_ticker(snapshot, ask.symbol)
    seconds = INTERVALS[RESOLUTIONS[_SHORT.get(ask.resolution, ask.resolution)]]
    since = ask.from_ if ask.countback is None else 0
    limit = min(ask.countback or MAX_BARS, MAX_BARS)
    rows = read_candles(snapshot.connection, show.row.id, seconds, since, ask.to, limit).rows
    if not rows:
        older = read_candles(snapshot.connection, show.row.id, seconds, 0, min(since, ask.to), 1).rows
        return UdfNoData(s="no_data", next_time=older[0].start if older else UNSET)
    return UdfBars(
        s="ok",
        t=[row.start for row in rows],
        o=[number(show.price(row.open)) for row in rows],
        h=[number(show.price(row.high)) for row in rows],
        l=[number(show.price(row.low)) for row in rows],
        c=[number(show.price(row.close)) for row in rows],
        v=[number(show.base(row.base_volume)) for row in rows],
    )


resources: Final[tuple[Resource[Any], ...]] = (
    Resource("/api/udf/config", NoParameters, UdfConfig, "What the data feed can do.", _config, group=GROUP),
    Resource(
        "/api/udf/symbols",
        SymbolParameters,
        UdfSymbol,
        "A pair, for TradingView's charts.",
        _symbol,
        errors=("E_PAIR",),
        group=GROUP,
    ),
    Resource(
        "/api/udf/search",
        SearchParameters,
        list[UdfFound],
        "Pairs by part of their name, for TradingView's charts.",
        _search,
        group=GROUP,
    ),
    Resource(
        "/api/udf/history",
        HistoryParameters,
        UdfBars | UdfNoData,
        "Candles, for TradingView's charts.",
        _history,
        errors=("E_PAIR",),
        group=GROUP,
    ),
)


def time_resource(clock: Callable[[], float]) -> Direct[NoParameters]:
    """The server's time, which charts count down by."""

    def view(_: NoParameters) -> Response:
        response = Response(str(int(clock())), content_type=PLAIN)
        response.headers["Cache-Control"] = "no-store"
        return response

    return Direct(
        "/api/udf/time", NoParameters, Text, "The server's time in seconds.", view, group=GROUP, media=PLAIN
    )
