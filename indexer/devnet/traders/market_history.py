"""The past of a demo's market: a year of trades, in blocks that the chain produces before its clock starts.

The blocks are far apart in time, as if the slots between them had been missed: one a day at first, one a
minute in the last hours. In each block pairs trade along a seeded random walk that ends at the prices at
which the bots begin. The same arguments give the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from indexer.devnet.hive.chain import MAX_EXPIRATION_SECONDS
from indexer.devnet.node import DevNode
from indexer.devnet.traders.market_makers import NAMES
from indexer.devnet.traders.payloads import Element, custom_json, decimal_text, intent
from indexer.devnet.traders.price_history import DAY_SECONDS, PriceHistory
from indexer.devnet.traders.prices import lots_worth
from indexer.devnet.venue import VenueView
from settlement.core.venue import PairRules

HOUR_SECONDS: Final = 3_600
MAX_DAYS: Final = 365
LEAD_SECONDS: Final = 600
"""How long before the first trades the chain begins: time for the deposits."""


class _Period(NamedTuple):
    """A part of the history in which the blocks are equally far apart."""

    until: int  # its oldest age in seconds
    step: int  # seconds between blocks
    others: int  # every how many blocks a pair after the first one trades
    reach: (
        int  # how far a candle's extremes lie beyond its body, in millionths for each percent of volatility
    )


_PERIODS: Final = (
    _Period(4 * HOUR_SECONDS, 60, 3, 5),
    _Period(DAY_SECONDS, 300, 3, 8),
    _Period(3 * DAY_SECONDS, 900, 3, 12),
    _Period(7 * DAY_SECONDS, 1_800, 3, 16),
    _Period(30 * DAY_SECONDS, HOUR_SECONDS, 2, 20),
    _Period(MAX_DAYS * DAY_SECONDS, DAY_SECONDS, 1, 90),
)
_WICKS_CHANCE: Final = 0.2  # of a candle of less than an hour
# Volume of each hour of the day (UTC), in percent of the average.
_VOLUME_BY_HOUR: Final = (
    *(70, 62, 58, 55, 56, 62, 72, 86, 98, 106, 110, 112),
    *(116, 128, 142, 150, 148, 140, 130, 122, 114, 104, 92, 80),
)
USD_PER_HOUR: Final = 7_000  # of each pair at the end; a year before a seventh
_HALVING_DAYS: Final = 60
_MARGIN_SECONDS: Final = 60  # of a transaction's expiration


class Moment(NamedTuple):
    """A block with trades."""

    timestamp: int
    period: _Period


class _Leg(NamedTuple):
    """Two trades of one taker in a row, or one where both prices are the same."""

    pair: PairRules
    prices: tuple[int, ...]  # in ticks, as they trade
    quantities: tuple[int, ...]  # in lots
    is_buy: bool  # the taker's side


def moments(end: int, days: int) -> list[Moment]:
    """The times of the blocks, ascending, for a history of so many days that ends at `end`."""
    found: list[Moment] = []
    age = 0
    for period in _PERIODS:
        while age + period.step <= min(period.until, days * DAY_SECONDS):
            found.append(Moment(end - age, period))
            age += period.step
    return found[::-1]


def first_second(end: int, days: int) -> int:
    """When a chain with this history must begin."""
    return end - days * DAY_SECONDS - LEAD_SECONDS


class MarketHistory:
    """Produces the blocks of a history on a node whose venue is prepared. Call `write` once."""

    def __init__(self, node: DevNode, venue: VenueView, *, days: int, end: int, seed: int = 0) -> None:
        """A history of 1 to MAX_DAYS days that ends at `end`, in seconds since 1970. Raises ValueError."""
        if not 1 <= days <= MAX_DAYS:
            raise ValueError(f"a history has 1 to {MAX_DAYS} days")
        self._node = node
        self._venue = venue
        self._rng = Random(f"market history {seed}")
        self._moments = moments(end, days)
        times = [moment.timestamp for moment in self._moments]
        self._prices = PriceHistory(tuple(venue.tokens), times, self._rng)
        self._last = {pair: self._prices.ticks(pair, 0) for pair in venue.pairs}
        self._waited: dict[PairRules, int] = {}  # blocks since the pair traded
        # What each trader has bought of a pair's base, less what it has sold, in lots.
        self._bought: dict[tuple[str, PairRules], int] = {}

    def write(self) -> None:
        """Trade, block after block; the makers must be funded. Raises ChainError."""
        self._node.tick()  # the deposits
        for at, moment in enumerate(self._moments):
            with self._node.lock:
                self._trade(at, moment)

    def _trade(self, at: int, moment: Moment) -> None:
        chain = self._node.chain
        if moment.timestamp - chain.head_time + _MARGIN_SECONDS > MAX_EXPIRATION_SECONDS:
            # No transaction lives that long: the traders wait for a block.
            self._node.tick(moment.timestamp - chain.block_time)
        expires_in = moment.timestamp - chain.head_time + _MARGIN_SECONDS
        pairs = [pair for pair in self._venue.pairs if self._is_due(pair, at, moment.period)]
        couple = self._rng.randrange(0, len(NAMES), 2)
        legs = [list(self._legs(pair, at, moment)) for pair in pairs]
        for turn in range(max(map(len, legs))):
            round_ = [of_pair[turn] for of_pair in legs if turn < len(of_pair)]
            makers, takers = self._elements(round_, NAMES[couple : couple + 2])
            for name, elements in (*makers.items(), *takers.items()):
                if elements:
                    self._node.broadcast([custom_json(self._venue, name, *elements)], expires_in)
            couple = (couple + 2) % len(NAMES)
        self._node.tick(moment.timestamp)

    def _is_due(self, pair: PairRules, at: int, period: _Period) -> bool:
        """Whether the pair trades in this block: the first one in each, all of them in the last."""
        self._waited[pair] = self._waited.get(pair, 0) + 1
        is_due = (
            pair is self._venue.pairs[0]
            or at == len(self._moments) - 1
            or self._waited[pair] >= period.others
        )
        if is_due:
            self._waited[pair] = 0
        return is_due

    # -- prices and quantities -------------------------------------------------------------------

    def _legs(self, pair: PairRules, at: int, moment: Moment) -> Iterator[_Leg]:
        """A candle: from the last price to an extreme, and from the other extreme to the new price."""
        rng = self._rng
        opening, closing = self._last[pair], self._prices.ticks(pair, at)
        if at < len(self._moments) - 1:
            closing = max(1, closing + rng.randint(-1, 1))  # bid or ask
        self._last[pair] = closing
        has_wicks = moment.period.step >= HOUR_SECONDS or rng.random() < _WICKS_CHANCE
        lots = self._lots(pair, at, moment, trades=4 if has_wicks else 2)
        if not has_wicks:
            yield self._leg(pair, (opening, closing), lots)
            return
        top, bottom = max(opening, closing), min(opening, closing)
        reach = 2 + (top - bottom) // 2 + top * self._heat(pair, at) * moment.period.reach // 1_000_000
        high, low = top + rng.randint(0, reach), max(1, bottom - rng.randint(0, reach))
        first, second = (low, high) if rng.random() < 0.5 else (high, low)
        yield self._leg(pair, (opening, first), lots)
        yield self._leg(pair, (second, closing), lots)

    def _heat(self, pair: PairRules, at: int) -> int:
        return self._prices.heat(pair.base, at) + self._prices.heat(pair.quote, at)

    def _lots(self, pair: PairRules, at: int, moment: Moment, trades: int) -> int:
        """The average quantity of a trade in lots, by age, hour of the day and volatility."""
        age_days = (self._moments[-1].timestamp - moment.timestamp) // DAY_SECONDS
        hour = moment.timestamp % DAY_SECONDS // HOUR_SECONDS
        percent = 100 if moment.period.step >= DAY_SECONDS else _VOLUME_BY_HOUR[hour]
        percent = percent * (60 + self._heat(pair, at) // 4) // 100
        blocks = 1 if pair is self._venue.pairs[0] else moment.period.others
        usd = (
            USD_PER_HOUR
            * moment.period.step
            * blocks
            * percent
            * _HALVING_DAYS
            // (HOUR_SECONDS * 100 * (_HALVING_DAYS + age_days) * trades)
        )
        return lots_worth(pair, max(1, usd))

    def _leg(self, pair: PairRules, path: tuple[int, int], lots: int) -> _Leg:
        rng = self._rng
        prices = path if path[0] != path[1] else path[:1]
        quantities = tuple(max(1, lots * rng.randint(35, 165) // 100) for _ in prices)
        is_buy = path[1] > path[0] or (path[1] == path[0] and rng.random() < 0.5)
        return _Leg(pair, prices, quantities, is_buy)

    # -- orders ----------------------------------------------------------------------------------

    def _elements(
        self, legs: Sequence[_Leg], couple: Sequence[str]
    ) -> tuple[dict[str, list[Element]], dict[str, list[Element]]]:
        """The orders of a couple of traders, by name: those that rest first, and those that take them."""
        makers: dict[str, list[Element]] = {name: [] for name in couple}
        takers: dict[str, list[Element]] = {name: [] for name in couple}
        for leg in legs:
            buyer, seller = sorted(couple, key=lambda name: self._bought.get((name, leg.pair), 0))
            total = sum(leg.quantities)
            for name, change in ((buyer, total), (seller, -total)):
                self._bought[name, leg.pair] = self._bought.get((name, leg.pair), 0) + change
            taker, maker = (buyer, seller) if leg.is_buy else (seller, buyer)
            for price, quantity in zip(leg.prices, leg.quantities, strict=True):
                makers[maker].append(self._order(leg, price, quantity, is_buy=not leg.is_buy))
            order = self._order(leg, leg.prices[-1], total, is_buy=leg.is_buy)
            takers[taker].append(order)
        return makers, takers

    def _order(self, leg: _Leg, price: int, quantity: int, *, is_buy: bool) -> Element:
        pair = leg.pair
        payload: Element = {
            "symbol": pair.base,
            "quote": pair.quote,
            "quantity": decimal_text(quantity, pair.quantity_decimals),
            "price": decimal_text(price, pair.price_decimals),
        }
        return intent(self._venue, "buy" if is_buy else "sell", payload)
