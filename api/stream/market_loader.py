"""Loads the market from the database as of the end of a block, at the start of a minute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from api.stream.candles import CurrentCandles, merge
from api.stream.market_replay import MarketReplay, PaymentKey
from api.stream.order_books import OpenOrder
from api.stream.topics import Pair
from settlement.store.read.market.candles import (
    DAY,
    HOUR,
    INTERVALS,
    MINUTE,
    CandleRow,
    read_candles,
    start_of,
)
from settlement.store.read.position import ActiveBlock
from settlement.store.read.stream import read_open_claims, read_open_orders

_MAX_PARTS: Final = 60
"""Candles of one unit merged into one: minutes of an hour, hours of a day, days of a week."""


def load_market(
    connection: Connection, past: ActiveBlock, until: int, pairs_now: Mapping[Pair, int]
) -> MarketReplay:
    """The market after block `past`. `until` is the start of a minute that no later block precedes.

    `pairs_now`: ids of the current pairs, which include all pairs of that time.
    """
    market = MarketReplay(past)
    pairs = {number: pair for pair, number in pairs_now.items()}
    for order in read_open_orders(connection, past, list(pairs)):
        pair = pairs[order.pair_id]
        market.books.add(order.id, OpenOrder(order.seq, pair, order.is_buy, order.price, order.remaining))
    market.books.take_changes()
    for is_refund in (False, True):
        for payment in read_open_claims(connection, past, is_refund):
            market.payments[payment.id] = PaymentKey(is_refund, payment.n)
    for pair, number in pairs_now.items():
        market.candles.put(pair, _latest(connection, number, until))
    return market


def _latest(connection: Connection, pair_id: int, until: int) -> CurrentCandles:
    """The candles of the pair's last trade before `until`; empty if there was none."""
    newest = read_candles(connection, pair_id, MINUTE, 0, until, 1).rows
    if not newest:
        return {}
    traded = newest[0].start
    return {
        seconds: _candle(connection, pair_id, start_of(traded, seconds), min(until, traded + MINUTE), seconds)
        for seconds in INTERVALS.values()
    }


def _candle(connection: Connection, pair_id: int, start: int, until: int, seconds: int) -> CandleRow:
    """A candle of the trades from `start` to `until`, merged from whole days, hours and minutes."""
    parts: list[CandleRow] = []
    at = start
    for unit in (DAY, HOUR, MINUTE):
        if unit > seconds:
            continue
        end = max(at, start_of(until, unit))
        if end > at:
            parts += read_candles(connection, pair_id, unit, at, end, _MAX_PARTS).rows
        at = end
    return merge(parts)._replace(start=start)
