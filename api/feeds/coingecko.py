"""/api/coingecko/*: the endpoints that CoinGecko requires of a spot exchange ("Exchange API" requirements).

Numbers are decimal strings; times of trades and books are milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from api.database import Snapshot
from api.feeds.common import (
    MAX_LEVELS,
    Milliseconds,
    TickerId,
    levels_a_side,
    milliseconds,
    pair_of_ticker,
    ticker_id,
)
from api.http.formatting import PairFormat
from api.http.parameters import NoParameters, one_of, whole_number
from api.http.resource import Resource
from api.http.shapes import Amount, Part, Price, Side
from api.routes.market.candles import LAST_MOMENT
from api.routes.market.pairs import PairFigures, read_figures
from settlement.store.read.market.listing_feeds import TapeRow, list_tape
from settlement.store.read.market.order_book import read_levels
from settlement.store.read.market.ticker import first_trade_since
from settlement.store.read.venue import read_pairs

MAX_TRADES: Final = 1_000
_FIRST_MILLISECOND: Final = LAST_MOMENT + 1
GROUP: Final = "CoinGecko"


class GeckoPair(Part, kw_only=True):
    ticker_id: str
    base: str
    target: str


class GeckoTicker(Part, kw_only=True):
    """24-hour statistics of a pair. Prices are null if there are none."""

    ticker_id: str
    base_currency: str
    target_currency: str
    last_price: Price | None
    base_volume: Amount
    target_volume: Amount
    bid: Price | None
    ask: Price | None
    high: Price | None
    low: Price | None


class GeckoOrderBook(Part, kw_only=True):
    """Price and amount in base of each level, best first."""

    ticker_id: str
    timestamp: Milliseconds
    bids: list[tuple[Price, Amount]]
    asks: list[tuple[Price, Amount]]


class GeckoTrade(Part, kw_only=True):
    """`type` is the taker's side."""

    trade_id: int
    price: Price
    base_volume: Amount
    target_volume: Amount
    trade_timestamp: Milliseconds
    type: Side


class GeckoTrades(Part, kw_only=True):
    """Newest first."""

    buy: list[GeckoTrade]
    sell: list[GeckoTrade]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeckoBookParameters:
    ticker_id: TickerId
    depth: Annotated[int, whole_number(0, 2 * MAX_LEVELS)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GeckoTradesParameters:
    ticker_id: TickerId
    type: Annotated[str, one_of("buy", "sell")] | None = None
    limit: Annotated[int, whole_number(0, MAX_TRADES)] = 0
    start_time: Annotated[int, whole_number(0, LAST_MOMENT * 1000)] | None = None
    end_time: Annotated[int, whole_number(0, LAST_MOMENT * 1000)] | None = None


def _pairs(snapshot: Snapshot, _: NoParameters) -> list[GeckoPair]:
    return [
        GeckoPair(ticker_id=ticker_id(row.base, row.quote), base=row.base, target=row.quote)
        for row in read_pairs(snapshot.connection).values()
    ]


def _tickers(snapshot: Snapshot, _: NoParameters) -> list[GeckoTicker]:
    return [_ticker(pair) for pair in read_figures(snapshot)]


def _ticker(pair: PairFigures) -> GeckoTicker:
    return GeckoTicker(
        ticker_id=ticker_id(pair.base, pair.quote),
        base_currency=pair.base,
        target_currency=pair.quote,
        last_price=pair.last_price,
        base_volume=pair.base_volume_24h,
        target_volume=pair.quote_volume_24h,
        bid=pair.best_bid,
        ask=pair.best_ask,
        high=pair.high_24h,
        low=pair.low_24h,
    )


def _orderbook(snapshot: Snapshot, params: GeckoBookParameters) -> GeckoOrderBook:
    fmt = pair_of_ticker(snapshot, params.ticker_id)
    bids, asks = (
        [
            (fmt.price(row.price), fmt.base(row.remaining))
            for row in read_levels(snapshot.connection, fmt.row.id, is_buy, levels_a_side(params.depth))
        ]
        for is_buy in (True, False)
    )
    name = ticker_id(fmt.row.base, fmt.row.quote)
    return GeckoOrderBook(ticker_id=name, timestamp=milliseconds(snapshot), bids=bids, asks=asks)


def _trades(snapshot: Snapshot, params: GeckoTradesParameters) -> GeckoTrades:
    fmt = pair_of_ticker(snapshot, params.ticker_id)
    connection, newest = snapshot.connection, snapshot.at.last_trade
    first, last = 1, newest
    if params.start_time is not None:
        first = first_trade_since(connection, _seconds_up(params.start_time), newest)
    if params.end_time is not None:
        last = first_trade_since(connection, _seconds(params.end_time) + 1, newest) - 1
    is_buy = None if params.type is None else params.type == "buy"
    rows = list_tape(connection, fmt.row.id, first, last, is_buy, params.limit or MAX_TRADES)
    return GeckoTrades(
        buy=[_trade(fmt, row) for row in rows if row.taker_is_buy],
        sell=[_trade(fmt, row) for row in rows if not row.taker_is_buy],
    )


def _seconds(moment: int) -> int:
    """Seconds since 1970, from seconds or milliseconds: a number beyond the year 9999 is milliseconds."""
    return moment // 1000 if moment >= _FIRST_MILLISECOND else moment


def _seconds_up(moment: int) -> int:
    """The same, rounded up."""
    return -(-moment // 1000) if moment >= _FIRST_MILLISECOND else moment


def _trade(fmt: PairFormat, row: TapeRow) -> GeckoTrade:
    return GeckoTrade(
        trade_id=row.n,
        price=fmt.price(row.price),
        base_volume=fmt.base(row.quantity),
        target_volume=fmt.quote(row.quote_amount),
        trade_timestamp=row.timestamp * 1000,
        type="buy" if row.taker_is_buy else "sell",
    )


resources = (
    Resource(
        "/api/coingecko/pairs",
        NoParameters,
        list[GeckoPair],
        "All pairs, for CoinGecko.",
        _pairs,
        group=GROUP,
    ),
    Resource(
        "/api/coingecko/tickers",
        NoParameters,
        list[GeckoTicker],
        "24-hour prices and volumes, for CoinGecko.",
        _tickers,
        group=GROUP,
    ),
    Resource(
        "/api/coingecko/orderbook",
        GeckoBookParameters,
        GeckoOrderBook,
        "The order book of a pair, for CoinGecko.",
        _orderbook,
        errors=("E_PAIR",),
        group=GROUP,
    ),
    Resource(
        "/api/coingecko/historical_trades",
        GeckoTradesParameters,
        GeckoTrades,
        "The trades of a pair, for CoinGecko.",
        _trades,
        errors=("E_PAIR",),
        group=GROUP,
    ),
)
