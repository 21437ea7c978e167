"""/api/price: last price, best bid and ask, mid and spread of a pair."""

from __future__ import annotations

from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import PairParameters
from api.http.resource import Resource
from api.http.shapes import Answer, Block, Price, Time
from api.routes.market.pairs import pair_of
from settlement.core.parsing.amounts import show_units
from settlement.store.read.market.ticker import read_price
from settlement.store.read.market.trades import find_trade


class PairPrice(Answer, kw_only=True):
    """Null if there is no trade yet, or no order on that side. `mid` has one decimal more than a price."""

    base: str
    quote: str
    last: Price | None
    last_ts: Time | None
    last_block: Block | None
    bid: Price | None
    ask: Price | None
    mid: Price | None
    spread: Price | None


def _view(snapshot: Snapshot, params: PairParameters) -> PairPrice:
    fmt = pair_of(snapshot, params.base, params.quote)
    prices = read_price(snapshot.connection, fmt.row.id)
    last = None if prices.last_trade is None else find_trade(snapshot.connection, prices.last_trade)
    mid = spread = None
    if prices.bid is not None and prices.ask is not None:
        # The middle can be half a tick, so it has one decimal more than prices.
        mid = show_units((prices.bid + prices.ask) * 5, fmt.row.price_decimals + 1)
        spread = fmt.price(prices.ask - prices.bid)
    return PairPrice(
        *snapshot.stamp,
        base=params.base,
        quote=params.quote,
        last=fmt.price_or_none(prices.last),
        last_ts=None if last is None else iso(last.timestamp),
        last_block=None if last is None else last.block,
        bid=fmt.price_or_none(prices.bid),
        ask=fmt.price_or_none(prices.ask),
        mid=mid,
        spread=spread,
    )


resource = Resource(
    "/api/price",
    PairParameters,
    PairPrice,
    "Last price, best prices, mid and spread of a pair.",
    _view,
    errors=("E_PAIR",),
)
