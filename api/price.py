"""/api/price: the price of a pair, for those who want nothing else."""

from __future__ import annotations

from api.database import Snapshot
from api.pairs import pair_of
from api.parameters import PairParameters
from api.resource import Body, Resource
from api.show import iso
from settlement.amounts import show_units
from settlement.store.queries.market import read_price
from settlement.store.queries.trades import find_trade


def _view(snapshot: Snapshot, ask: PairParameters) -> Body:
    show = pair_of(snapshot, ask.base, ask.quote)
    prices = read_price(snapshot.connection, show.row.id)
    last = None if prices.last_trade is None else find_trade(snapshot.connection, prices.last_trade)
    mid = spread = None
    if prices.bid is not None and prices.ask is not None:
        # Half a tick can come out: one decimal more than the pair's prices have.
        mid = show_units((prices.bid + prices.ask) * 5, show.row.price_decimals + 1)
        spread = show.price(prices.ask - prices.bid)
    return {
        "base": ask.base,
        "quote": ask.quote,
        "last": show.price(prices.last),
        "last_ts": None if last is None else iso(last.timestamp),
        "last_block": None if last is None else last.block,
        "bid": show.price(prices.bid),
        "ask": show.price(prices.ask),
        "mid": mid,
        "spread": spread,
    }


resource = Resource("/api/price", PairParameters, _view, "Last price, best prices, mid and spread of a pair.")
