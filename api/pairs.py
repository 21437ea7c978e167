"""/api/pairs: every pair with its rules and its figures of the last 24 hours of block time."""

from __future__ import annotations

from typing import Final

from api.database import Snapshot
from api.errors import not_found
from api.parameters import NoParameters
from api.resource import Body, Resource
from api.show import PairShow, percent
from settlement.store.queries import market
from settlement.store.queries.venue import PairRow, find_pair, read_pairs

DAY_SECONDS: Final = 86_400


def pair_of(snapshot: Snapshot, base: str, quote: str) -> PairShow:
    """The pair that a request names. Raises ApiError (404) where there is none."""
    row = find_pair(snapshot.connection, base, quote)
    if row is None:
        raise not_found(f"There is no pair {base}/{quote}. /api/pairs lists them.", "E_PAIR")
    return PairShow(row)


def rules(row: PairRow) -> Body:
    """What the venue says about a pair."""
    return {
        "base": row.base,
        "quote": row.quote,
        "status": row.status,
        "price_decimals": row.price_decimals,
        "quantity_decimals": row.quantity_decimals,
        "maker_fee_bps": row.maker_fee_bps,
        "taker_fee_bps": row.taker_fee_bps,
        "price_policy": row.price_policy,
        "self_trade": row.self_trade,
    }


def _view(snapshot: Snapshot, _: NoParameters) -> Body:
    connection, at = snapshot.connection, snapshot.at
    first = market.first_trade_since(connection, (at.timestamp or 0) - DAY_SECONDS, at.last_trade)
    prices, days = market.read_prices(connection), market.read_day(connection, first)
    return {
        "pairs": [
            rules(row) | _figures(PairShow(row), prices[number], days[number])
            for number, row in read_pairs(connection).items()
        ]
    }


def _figures(show: PairShow, prices: market.PriceRow, day: market.DayRow) -> Body:
    # The change is from the price 24 hours ago; in a younger market, from its first trade.
    since = day.first if day.before is None else day.before
    change = None if since is None or prices.last is None else percent(prices.last - since, since)
    return {
        "last_price": show.price(prices.last),
        "best_bid": show.price(prices.bid),
        "best_ask": show.price(prices.ask),
        "change_24h_percent": change,
        "high_24h": show.price(day.high),
        "low_24h": show.price(day.low),
        "base_volume_24h": show.base(day.base_volume),
        "quote_volume_24h": show.quote(day.quote_volume),
        "trades_24h": day.trades,
    }


resource = Resource("/api/pairs", NoParameters, _view, "All pairs: rules, prices, 24 hours.")
