"""/api/coinmarketcap/*: the endpoints that CoinMarketCap requires ("Ideal API Endpoint Samples").

Amounts and prices are JSON numbers with all their decimals, times are milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from api.database import Snapshot
from api.feeds.common import (
    MAX_LEVELS,
    Milliseconds,
    Number,
    TickerId,
    levels_a_side,
    milliseconds,
    number,
    number_or_none,
    pair_of_ticker,
    ticker_id,
)
from api.http.formatting import PairFormat
from api.http.parameters import NoParameters, whole_number
from api.http.resource import Resource
from api.http.shapes import Part, Side
from api.routes.market.pairs import PairFigures, read_figures
from settlement.core.parsing.amounts import show_units
from settlement.store.read.market.candles import DAY
from settlement.store.read.market.listing_feeds import TapeRow, list_resting, list_tape
from settlement.store.read.market.order_book import read_levels
from settlement.store.read.market.ticker import first_trade_since
from settlement.store.read.payouts import is_paused
from settlement.store.read.venue import PairRow, TokenRow, read_pairs, read_tokens

MAX_TRADES: Final = 5_000
GROUP: Final = "CoinMarketCap"
BEST, BY_PRICE, BY_ORDER = 1, 2, 3


class CapSummary(Part, kw_only=True):
    """24-hour statistics of a pair. Prices are null if there are none."""

    trading_pairs: str
    base_currency: str
    quote_currency: str
    last_price: Number | None
    lowest_ask: Number | None
    highest_bid: Number | None
    base_volume: Number
    quote_volume: Number
    price_change_percent_24h: Number | None
    highest_price_24h: Number | None
    lowest_price_24h: Number | None


class CapAsset(Part, kw_only=True):
    """Fees are fractions: the highest of any pair of the token."""

    name: str
    can_withdraw: bool
    can_deposit: bool
    min_withdraw: Number
    maker_fee: Number
    taker_fee: Number


class CapTicker(Part, kw_only=True, rename={"is_frozen": "isFrozen"}):
    last_price: Number | None
    base_volume: Number
    quote_volume: Number
    is_frozen: Annotated[int, Meta(ge=0, le=1, description="1 if the pair does not accept orders.")]


class CapOrderBook(Part, kw_only=True):
    """Price and amount in base, best first."""

    timestamp: Milliseconds
    bids: list[tuple[Number, Number]]
    asks: list[tuple[Number, Number]]


class CapTrade(Part, kw_only=True):
    """`type` is the taker's side."""

    trade_id: int
    price: Number
    base_volume: Number
    quote_volume: Number
    timestamp: Milliseconds
    type: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class CapBookParameters:
    market_pair: TickerId
    depth: Annotated[int, whole_number(0, 2 * MAX_LEVELS)] = 0
    level: Annotated[int, whole_number(BEST, BY_ORDER)] = BY_PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class CapTradesParameters:
    market_pair: TickerId


def _summary(snapshot: Snapshot, _: NoParameters) -> list[CapSummary]:
    return [_pair_summary(pair) for pair in read_figures(snapshot)]


def _pair_summary(pair: PairFigures) -> CapSummary:
    return CapSummary(
        trading_pairs=ticker_id(pair.base, pair.quote),
        base_currency=pair.base,
        quote_currency=pair.quote,
        last_price=number_or_none(pair.last_price),
        lowest_ask=number_or_none(pair.best_ask),
        highest_bid=number_or_none(pair.best_bid),
        base_volume=number(pair.base_volume_24h),
        quote_volume=number(pair.quote_volume_24h),
        price_change_percent_24h=number_or_none(pair.change_24h_percent),
        highest_price_24h=number_or_none(pair.high_24h),
        lowest_price_24h=number_or_none(pair.low_24h),
    )


def _assets(snapshot: Snapshot, _: NoParameters) -> dict[str, CapAsset]:
    pairs = list(read_pairs(snapshot.connection).values())
    paying = not is_paused(snapshot.connection)
    return {token.symbol: _asset(token, pairs, paying) for token in read_tokens(snapshot.connection)}


def _asset(token: TokenRow, pairs: list[PairRow], paying: bool) -> CapAsset:
    own = [pair for pair in pairs if token.symbol in (pair.base, pair.quote)]
    return CapAsset(
        name=token.symbol,
        can_withdraw=paying,
        can_deposit=True,
        min_withdraw=number(show_units(token.min_withdrawal, token.precision)),
        maker_fee=number(show_units(max((pair.maker_fee_bps for pair in own), default=0), 4)),
        taker_fee=number(show_units(max((pair.taker_fee_bps for pair in own), default=0), 4)),
    )


def _ticker(snapshot: Snapshot, _: NoParameters) -> dict[str, CapTicker]:
    return {
        ticker_id(pair.base, pair.quote): CapTicker(
            last_price=number_or_none(pair.last_price),
            base_volume=number(pair.base_volume_24h),
            quote_volume=number(pair.quote_volume_24h),
            is_frozen=int(pair.status != "active"),
        )
        for pair in read_figures(snapshot)
    }


def _orderbook(snapshot: Snapshot, params: CapBookParameters) -> CapOrderBook:
    fmt = pair_of_ticker(snapshot, params.market_pair)
    depth = 1 if params.level == BEST else levels_a_side(params.depth)
    read = list_resting if params.level == BY_ORDER else read_levels
    bids, asks = (
        [
            (number(fmt.price(row.price)), number(fmt.base(row.remaining)))
            for row in read(snapshot.connection, fmt.row.id, is_buy, depth)
        ]
        for is_buy in (True, False)
    )
    return CapOrderBook(timestamp=milliseconds(snapshot), bids=bids, asks=asks)


def _trades(snapshot: Snapshot, params: CapTradesParameters) -> list[CapTrade]:
    fmt = pair_of_ticker(snapshot, params.market_pair)
    connection, newest = snapshot.connection, snapshot.at.last_trade
    first = first_trade_since(connection, (snapshot.timestamp or 0) - DAY, newest)
    rows = list_tape(connection, fmt.row.id, first, newest, None, MAX_TRADES)
    return [_trade(fmt, row) for row in rows]


def _trade(fmt: PairFormat, row: TapeRow) -> CapTrade:
    return CapTrade(
        trade_id=row.n,
        price=number(fmt.price(row.price)),
        base_volume=number(fmt.base(row.quantity)),
        quote_volume=number(fmt.quote(row.quote_amount)),
        timestamp=row.timestamp * 1000,
        type="buy" if row.taker_is_buy else "sell",
    )


resources = (
    Resource(
        "/api/coinmarketcap/summary",
        NoParameters,
        list[CapSummary],
        "24-hour statistics of all pairs, for CoinMarketCap.",
        _summary,
        group=GROUP,
    ),
    Resource(
        "/api/coinmarketcap/assets",
        NoParameters,
        dict[str, CapAsset],
        "All tokens, for CoinMarketCap.",
        _assets,
        group=GROUP,
    ),
    Resource(
        "/api/coinmarketcap/ticker",
        NoParameters,
        dict[str, CapTicker],
        "Last prices and volumes, for CoinMarketCap.",
        _ticker,
        group=GROUP,
    ),
    Resource(
        "/api/coinmarketcap/orderbook/<market_pair>",
        CapBookParameters,
        CapOrderBook,
        "The order book of a pair, for CoinMarketCap.",
        _orderbook,
        errors=("E_PAIR",),
        group=GROUP,
    ),
    Resource(
        "/api/coinmarketcap/trades/<market_pair>",
        CapTradesParameters,
        list[CapTrade],
        "The trades of the last 24 hours, for CoinMarketCap.",
        _trades,
        errors=("E_PAIR",),
        group=GROUP,
    ),
)
