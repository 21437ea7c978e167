"""The market as the database knows it at the end of one block, at a minute's begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from api.stream.books import Open
from api.stream.candles import Latest, merged
from api.stream.market import Claim, Market
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
from settlement.store.read.position import Past
from settlement.store.read.stream import read_open_claims, read_open_orders

_MOST: Final = 60
"""Minutes of an hour, hours of a day, days of a week: no more of them are added up."""


def market_at(connection: Connection, past: Past, until: int, pairs_now: Mapping[Pair, int]) -> Market:
    """The market after that block, before any block of `until` or later, which starts a minute.

    `pairs_now` are the pairs by number: at least those that there were.
    """
    market = Market(past)
    pairs = {number: pair for pair, number in pairs_now.items()}
    for order in read_open_orders(connection, past, list(pairs)):
        pair = pairs[order.pair_id]
        market.books.add(order.id, Open(order.seq, pair, order.is_buy, order.price, order.remaining))
    market.books.take_changes()
    for is_refund in (False, True):
        for claim in read_open_claims(connection, past, is_refund):
            market.claims[claim.id] = Claim(is_refund, claim.n)
    for pair, number in pairs_now.items():
        market.candles.put(pair, _latest(connection, number, until))
    return market


def _latest(connection: Connection, pair_id: int, until: int) -> Latest:
    """The candles of the pair's last trade before `until`; none where there was no trade."""
    newest = read_candles(connection, pair_id, MINUTE, 0, until, 1).rows
    if not newest:
        return {}
    traded = newest[0].start
    return {
        seconds: _candle(connection, pair_id, start_of(traded, seconds), min(until, traded + MINUTE), seconds)
        for seconds in INTERVALS.values()
    }


def _candle(connection: Connection, pair_id: int, start: int, until: int, seconds: int) -> CandleRow:
    """What was traded from `start` to `until`: whole days of it, whole hours of the rest, then minutes."""
    parts: list[CandleRow] = []
    at = start
    for unit in (DAY, HOUR, MINUTE):
        if unit > seconds:
            continue
        end = max(at, start_of(until, unit))
        if end > at:
            parts += read_candles(connection, pair_id, unit, at, end, _MOST).rows
        at = end
    return merged(parts)._replace(start=start)
