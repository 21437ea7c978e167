"""Simulation of the market maker over the recorded trades of a pair: what a week of it would have been.

Each recorded trade is a taker who would have met our quote first, if that was the better price. The reference
is the recorded price of ten seconds before, so that the quotes are as late as in life.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from peakedex.client.models import PairRules, Trade
from peakedex.mirror.strategy import Quote, Reference, Settings, quotes

DELAY_SECONDS: Final = 10
_BPS: Final = Decimal(10_000)


@dataclass(slots=True)
class Result:
    """What it came to. Amounts of quote, unless they are of base."""

    trades: int = 0  # recorded ones
    fills: int = 0
    volume: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    base: Decimal = Decimal(0)  # held at the end
    quote: Decimal = Decimal(0)
    least_base: Decimal = Decimal(0)
    most_base: Decimal = Decimal(0)
    profit: Decimal = Decimal(0)  # at the last price, against holding what it began with
    worst: Decimal = Decimal(0)  # the lowest that the profit was
    value: Decimal = Decimal(0)  # of everything at the end, at the last price


@dataclass(slots=True)
class _Book:
    """Our quotes, and when they are replaced."""

    every: float
    quotes: dict[str, Quote] = field(default_factory=dict)
    due: float = 0.0


def simulate(
    trades: Sequence[Trade],
    rules: PairRules,
    settings: Settings,
    *,
    quote: Decimal,
    every: float = 15.0,
) -> Result:
    """Over trades, oldest first, beginning with the target of base and this much quote."""
    result = Result(base=settings.target, quote=quote, least_base=settings.target, most_base=settings.target)
    began = (settings.target, quote)
    book, at = _Book(every), 0
    for trade in trades:
        now = trade.ts.timestamp()
        while at + 1 < len(trades) and trades[at + 1].ts.timestamp() <= now - DELAY_SECONDS:
            at += 1
        if now >= book.due and trades[at].ts.timestamp() <= now - DELAY_SECONDS:
            _requote(book, trades[at].price, rules, settings, result)
            book.due = now + every
        _meet(book, trade, rules, result)
        result.trades += 1
        held = result.base * trade.price + result.quote
        result.value, result.profit = held, held - began[0] * trade.price - began[1]
        result.worst = min(result.worst, result.profit)
        result.least_base = min(result.least_base, result.base)
        result.most_base = max(result.most_base, result.base)
    return result


def _requote(book: _Book, price: Decimal, rules: PairRules, settings: Settings, result: Result) -> None:
    made = quotes(Reference(price, price), result.base, result.quote, rules, settings)
    book.quotes = {each.side: each for each in made}


def _meet(book: _Book, trade: Trade, rules: PairRules, result: Result) -> None:
    """Fill our quote with a taker that reached its price."""
    side = "buy" if trade.taker_side == "sell" else "sell"
    ours = book.quotes.get(side)
    if (
        ours is None
        or ours.size <= 0
        or (ours.price < trade.price if side == "buy" else ours.price > trade.price)
    ):
        return
    amount = min(ours.size, trade.amount)
    fee = rules.maker_fee_bps / _BPS
    if side == "buy":
        result.base += amount * (1 - fee)
        result.quote -= amount * ours.price
        result.fees += amount * fee * ours.price
    else:
        result.base -= amount
        result.quote += amount * ours.price * (1 - fee)
        result.fees += amount * fee * ours.price
    result.fills += 1
    result.volume += amount * ours.price
    book.quotes[side] = ours._replace(size=ours.size - amount)
