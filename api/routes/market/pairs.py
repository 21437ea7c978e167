"""/api/pairs: every pair with its rules and its figures of the last 24 hours of block time."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from api.database import Snapshot
from api.http.errors import not_found
from api.http.formatting import PairShow, percent
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Count, Part, Price
from settlement.store.read.market import pair_figures as market
from settlement.store.read.venue import PairRow, find_pair, read_pairs


def pair_of(snapshot: Snapshot, base: str, quote: str) -> PairShow:
    """The pair that a request names. Raises ApiError (404) where there is none."""
    row = find_pair(snapshot.connection, base, quote)
    if row is None:
        raise not_found(f"There is no pair {base}/{quote}. /api/pairs lists them.", "E_PAIR")
    return PairShow(row)


class PairRules(Part, kw_only=True):
    """What the venue says about a pair."""

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
    """A pair with its prices, and its figures of the 24 hours before `ts`."""

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
    """What the venue says about a pair."""
    return PairRules(**_rules(row))


def _rules(row: PairRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in PairRules.__struct_fields__}


def _view(snapshot: Snapshot, _: NoParameters) -> Pairs:
    return Pairs(*snapshot.stamp, pairs=read_figures(snapshot))


def read_figures(snapshot: Snapshot) -> list[PairFigures]:
    """All pairs with their figures, in the order of their listing."""
    connection = snapshot.connection
    prices, days = market.read_prices(connection), market.read_day(connection, snapshot.at.timestamp or 0)
    return [_figures(row, prices[number], days[number]) for number, row in read_pairs(connection).items()]


def _figures(row: PairRow, prices: market.PriceRow, day: market.DayRow) -> PairFigures:
    # The change is from the price 24 hours ago; in a younger market, from its first trade.
    show = PairShow(row)
    since = day.first if day.before is None else day.before
    change = None if since is None or prices.last is None else percent(prices.last - since, since)
    return PairFigures(
        **_rules(row),
        last_price=show.price_or_none(prices.last),
        best_bid=show.price_or_none(prices.bid),
        best_ask=show.price_or_none(prices.ask),
        change_24h_percent=change,
        high_24h=show.price_or_none(day.high),
        low_24h=show.price_or_none(day.low),
        base_volume_24h=show.base(day.base_volume),
        quote_volume_24h=show.quote(day.quote_volume),
        trades_24h=day.trades,
    )


resource = Resource("/api/pairs", NoParameters, Pairs, "All pairs: rules, prices, 24 hours.", _view)
