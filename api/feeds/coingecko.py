"""/api/coingecko/*: the endpoints that CoinGecko asks of a spot exchange, field for field.

As its "Exchange API" requirements have them: numbers are decimal strings, times of trades and books are
milliseconds since 1970.
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
from api.http.formatting import PairShow
from api.http.parameters import NoParameters, one_of, whole_number
from api.http.resource import Resource
from api.http.shapes import Amount, Part, Price, Side
from api.routes.market.candles import LAST_MOMENT
from api.routes.market.pairs import PairFigures, read_figures
from settlement.store.read.market.listing_feeds import TapeRow, list_tape
from settlement.store.read.market.order_book import read_levels
from settlement.store.read.market.pair_figures import first_trade_since
from settlement.store.read.venue import read_pairs

MAX_TRADES: Final = 1_000
_FIRST_MILLISECOND: Final = LAST_MOMENT + 1
GROUP: Final = "CoinGecko"


class GeckoPair(Part, kw_only=True):
    ticker_id: str
    base: str
    target: str


class GeckoTicker(Part, kw_only=True):
    """A pair's last 24 hours. Prices are null where there is none."""

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
    """`type` is the taker's side: a buy took an ask from the book."""

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


def _orderbook(snapshot: Snapshot, ask: GeckoBookParameters) -> GeckoOrderBook:
    show = pair_of_ticker(snapshot, ask.ticker_id)
    bids, asks = (
        [
            (show.price(row.price), show.base(row.remaining))
            for row in read_levels(snapshot.connection, show.row.id, is_buy, levels_a_side(ask.depth))
        ]
        for is_buy in (True, False)
    )
    name = ticker_id(show.row.base, show.row.quote)
    return GeckoOrderBook(ticker_id=name, timestamp=milliseconds(snapshot), bids=bids, asks=asks)


def _trades(snapshot: Snapshot, ask: GeckoTradesParameters) -> GeckoTrades:
    show = pair_of_ticker(snapshot, ask.ticker_id)
    connection, newest = snapshot.connection, snapshot.at.last_trade
    first, last = 1, newest
    if ask.start_time is not None:
        first = first_trade_since(connection, _seconds_up(ask.start_time), newest)
    if ask.end_time is not None:
        last = first_trade_since(connection, _seconds(ask.end_time) + 1, newest) - 1
    is_buy = None if ask.type is None else ask.type == "buy"
    rows = list_tape(connection, show.row.id, first, last, is_buy, ask.limit or MAX_TRADES)
    return GeckoTrades(
        buy=[_trade(show, row) for row in rows if row.taker_is_buy],
        sell=[_trade(show, row) for row in rows if not row.taker_is_buy],
    )


def _seconds(moment: int) -> int:
    """A time in seconds, out of seconds or milliseconds: their ranges do not meet before the year 9999."""
    return moment // 1000 if moment >= _FIRST_MILLISECOND else moment


def _seconds_up(moment: int) -> int:
    """The same, to the next whole second."""
    return -(-moment // 1000) if moment >= _FIRST_MILLISECOND else moment


def _trade(show: PairShow, row: TapeRow) -> GeckoTrade:
    return GeckoTrade(
        trade_id=row.n,
        price=show.price(row.price),
        base_volume=show.base(row.quantity),
        target_volume=show.quote(row.quote_amount),
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
        "Prices and volumes of 24 hours, for CoinGecko.",
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
