"""/api/udf/*: TradingView's Universal Data Feed.

Times are seconds since 1970, prices and volumes JSON numbers with all their decimals. Errors have the
additional fields `s` and `errmsg` (`api.http.errors`).
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
from api.http.resource import PLAIN, DirectEndpoint, Resource
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
"""TradingView's names of our intervals. It also uses D and W."""
_SHORT: Final = {"D": "1D", "W": "1W"}
_INTRADAY: Final = [name for name in RESOLUTIONS if name.isdigit()]


def _read_symbol(text: str) -> object:
    """A pair, with or without the prefix `PEAKEDEX:`."""
    return TICKER_RULE.read(text.removeprefix(f"{EXCHANGE}:"))


def _read_second(text: str) -> int | None:
    """Seconds since 1970. The charting library may request a range that starts before 1970."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        return None
    return min(max(sign * int(digits), 0), LAST_MOMENT)


def _any_text(text: str) -> str:
    return text


Symbol = Annotated[Ticker, Rule(TICKER_RULE.expected, _read_symbol, {"type": "string"})]
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
    """Capabilities of this data feed."""

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
    """A pair. The exchange is given under old and new field names of the format."""

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
    """A search result."""

    symbol: str
    full_name: str
    description: str
    exchange: str
    ticker: str
    type: str


class UdfBars(Part, kw_only=True):
    """Bars by column, oldest first: start time, prices, volume in base."""

    s: Annotated[str, choice("ok")]
    t: list[int]
    o: list[Number]
    h: list[Number]
    l: list[Number]  # noqa: E741 (field name of the format)
    c: list[Number]
    v: list[Number]


class UdfNoData(Part, kw_only=True, rename={"next_time": "nextTime"}):
    """There is no bar in the requested range."""

    s: Annotated[str, choice("no_data")]
    next_time: Annotated[int | UnsetType, Meta(description="Start of the newest bar before the range.")] = (
        UNSET
    )


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


def _symbol(snapshot: Snapshot, params: SymbolParameters) -> UdfSymbol:
    row = pair_of_ticker(snapshot, params.symbol).row
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


def _search(snapshot: Snapshot, params: SearchParameters) -> list[UdfFound]:
    if params.type not in ("", TYPE) or params.exchange not in ("", EXCHANGE):
        return []
    query = params.query.strip().upper().removeprefix(f"{EXCHANGE}:")
    found = []
    for row in read_pairs(snapshot.connection).values():
        name = ticker_id(row.base, row.quote)
        if query in name or query in _description(row):
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
    return found[: params.limit]


def _history(snapshot: Snapshot, params: HistoryParameters) -> UdfBars | UdfNoData:
    """Bars that start from `from` to before `to`; with `countback` that many bars before `to` instead."""
    fmt = pair_of_ticker(snapshot, params.symbol)
    seconds = INTERVALS[RESOLUTIONS[_SHORT.get(params.resolution, params.resolution)]]
    since = params.from_ if params.countback is None else 0
    limit = min(params.countback or MAX_BARS, MAX_BARS)
    rows = read_candles(snapshot.connection, fmt.row.id, seconds, since, params.to, limit).rows
    if not rows:
        older = read_candles(snapshot.connection, fmt.row.id, seconds, 0, min(since, params.to), 1).rows
        return UdfNoData(s="no_data", next_time=older[0].start if older else UNSET)
    return UdfBars(
        s="ok",
        t=[row.start for row in rows],
        o=[number(fmt.price(row.open)) for row in rows],
        h=[number(fmt.price(row.high)) for row in rows],
        l=[number(fmt.price(row.low)) for row in rows],
        c=[number(fmt.price(row.close)) for row in rows],
        v=[number(fmt.base(row.base_volume)) for row in rows],
    )


resources: Final[tuple[Resource[Any], ...]] = (
    Resource(
        "/api/udf/config", NoParameters, UdfConfig, "Capabilities of the data feed.", _config, group=GROUP
    ),
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
        "Search for pairs by part of their name, for TradingView's charts.",
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


def time_endpoint(clock: Callable[[], float]) -> DirectEndpoint[NoParameters]:
    """The server's time, from which charts count down."""

    def view(_: NoParameters) -> Response:
        response = Response(str(int(clock())), content_type=PLAIN)
        response.headers["Cache-Control"] = "no-store"
        return response

    return DirectEndpoint(
        "/api/udf/time", NoParameters, Text, "The server's time in seconds.", view, group=GROUP, media=PLAIN
    )
