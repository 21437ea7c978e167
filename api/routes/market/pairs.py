"""/api/pairs: rules, prices and 24-hour statistics (block time) of every pair."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import not_found
from api.http.formatting import PairFormat, percent
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Count, Part, Price
from api.routes.market.marks import MarkPrice, show_mark
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store.read.market import ticker as market
from settlement.store.read.market.marks import MarkRow, read_window
from settlement.store.read.venue import PairRow, find_pair, read_pairs


def pair_of(snapshot: Snapshot, base: str, quote: str) -> PairFormat:
    """The requested pair. Raises ApiError (404) if it does not exist."""
    row = find_pair(snapshot.connection, base, quote)
    if row is None:
        raise not_found(f"There is no pair {base}/{quote}. /api/pairs lists them.", "E_PAIR")
    return PairFormat(row)


class PairRules(Part, kw_only=True):
    """Trading rules of a pair."""

    base: str
    quote: str
    status: str
    price_decimals: int
    quantity_decimals: int
    maker_fee_bps: Count
    taker_fee_bps: Count
    price_policy: str
    self_trade: str


class PairFigures(PairRules, kw_only=True):
    """A pair with its prices, and its statistics of the 24 hours before `ts`."""

    mark: MarkPrice
    last_price: Price | None
    best_bid: Price | None
    best_ask: Price | None
    change_24h_percent: Annotated[str, Meta(pattern=r"^-?[0-9]+\.[0-9]{2}$")] | None
    high_24h: Price | None
    low_24h: Price | None
    base_volume_24h: Amount
    quote_volume_24h: Amount
    trades_24h: Count


class Pairs(Answer, kw_only=True):
    pairs: list[PairFigures]


def rules(row: PairRow) -> PairRules:
    """Trading rules of a pair."""
    return PairRules(**_rules(row))


def _rules(row: PairRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in PairRules.__struct_fields__}


def _view(snapshot: Snapshot, _: NoParameters) -> Pairs:
    return Pairs(*snapshot.stamp, pairs=read_figures(snapshot))


def read_figures(snapshot: Snapshot) -> list[PairFigures]:
    """All pairs with their figures, in order of listing."""
    connection = snapshot.connection
    prices, days = (
        market.read_prices(connection),
        market.read_day_stats(connection, snapshot.at.timestamp or 0),
    )
    return [
        _figures(row, prices[number], days[number], read_window(connection, number, MAX_UNITS))
        for number, row in read_pairs(connection).items()
    ]


def _figures(
    row: PairRow, prices: market.PriceRow, day: market.DayStatsRow, window: list[MarkRow]
) -> PairFigures:
    # The change is relative to the price 24 hours ago, or to the first trade of a younger market.
    fmt = PairFormat(row)
    since = day.first if day.before is None else day.before
    change = None if since is None or prices.last is None else percent(prices.last - since, since)
    return PairFigures(
        **_rules(row),
        mark=show_mark(fmt, window),
        last_price=fmt.price_or_none(prices.last),
        best_bid=fmt.price_or_none(prices.bid),
        best_ask=fmt.price_or_none(prices.ask),
        change_24h_percent=change,
        high_24h=fmt.price_or_none(day.high),
        low_24h=fmt.price_or_none(day.low),
        base_volume_24h=fmt.base(day.base_volume),
        quote_volume_24h=fmt.quote(day.quote_volume),
        trades_24h=day.trades,
    )


resource = Resource("/api/pairs", NoParameters, Pairs, "All pairs: rules, prices, 24-hour statistics.", _view)
