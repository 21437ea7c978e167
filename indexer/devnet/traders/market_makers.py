"""Market makers: accounts that keep orders on both sides of every pair, so that the books stay deep."""

from __future__ import annotations

import logging
from random import Random
from typing import Final

from indexer.devnet.hive.errors import ChainError
from indexer.devnet.node import DevNode
from indexer.devnet.traders.payloads import Element, custom_json, decimal_text, deposit, intent
from indexer.devnet.traders.prices import DriftingPrices, lots_worth, units_worth
from indexer.devnet.venue import VenueView
from settlement.core.venue import PairRules

log = logging.getLogger(__name__)

NAMES: Final = ("norma.maker", "oscar.maker", "paula.maker", "quinn.maker", "rosa.maker", "simon.maker")
QUOTING: Final = NAMES[:2]
# In total within the 63 bits of a token's liabilities, also of PEK with its small price.
DEPOSIT_USD: Final = 400_000
# Orders of one maker on each side of a pair. With the cancel-all before them they are one transaction, of
# which the sidechain executes 20 actions.
LEVELS: Final = 9
_NEAREST_USD, _FARTHEST_USD = 15, 110
_DOLLARS_JITTER: Final = (60, 140)  # percent
# How many steps the age of a quote counts for one that is a percent away from the price.
_STEPS_PER_PERCENT: Final = 30


def fund_makers(node: DevNode, venue: VenueView) -> None:
    """Create the makers' accounts and deposit some of each token. Raises ChainError."""
    for name in NAMES:
        node.faucet(name)
        for symbol, token in venue.tokens.items():
            units = units_worth(symbol, token.precision, DEPOSIT_USD)
            node.faucet(name, symbol, decimal_text(units, token.precision))
            node.broadcast([deposit(venue, symbol, name, units)])


class MarketMakers:
    """Quotes of QUOTING around the given prices; their accounts must be funded. Call `step` once a block."""

    def __init__(self, node: DevNode, venue: VenueView, prices: DriftingPrices, *, seed: int) -> None:
        self._node = node
        self._venue = venue
        self._prices = prices
        self._rng = Random(f"market makers {seed}")
        self._steps = 0
        # The step and the price of the last quotes.
        self._quoted: dict[tuple[str, PairRules], tuple[int, int]] = {}

    def quote_all(self) -> None:
        """Quote every pair, so that a market has order books at once."""
        for name in QUOTING:
            for pair in self._venue.pairs:
                self._quote(name, pair)

    def step(self) -> None:
        """One maker replaces its quotes of the pair where they are the oldest or the farthest off."""
        self._steps += 1
        name = QUOTING[self._steps % len(QUOTING)]
        if self._venue.pairs:
            self._quote(name, max(self._venue.pairs, key=lambda pair: self._staleness(name, pair)))

    def _staleness(self, name: str, pair: PairRules) -> int:
        step, middle = self._quoted.get((name, pair), (-self._steps, 0))
        now = self._prices.ticks(pair)
        return self._steps - step + abs(now - middle) * 100 * _STEPS_PER_PERCENT // now

    def _quote(self, name: str, pair: PairRules) -> None:
        middle = self._prices.ticks(pair)
        self._quoted[name, pair] = self._steps, middle
        cancel: Element = {"symbol": pair.base, "quote": pair.quote}
        elements = [intent(self._venue, "cancelAll", cancel)]
        for side, sign in (("buy", -1), ("sell", 1)):
            distance = 0
            for level in range(LEVELS):
                distance += self._rng.randint(1, max(1, middle // 140)) if level else max(1, middle // 500)
                if middle + sign * distance >= 1:
                    elements.append(self._order(side, pair, middle + sign * distance, level))
        try:
            self._node.broadcast([custom_json(self._venue, name, *elements)])
        except ChainError as error:
            log.info("quotes rejected by the node: %s", error)

    def _order(self, side: str, pair: PairRules, ticks: int, level: int) -> Element:
        dollars = _NEAREST_USD + (_FARTHEST_USD - _NEAREST_USD) * level // (LEVELS - 1)
        lots = lots_worth(pair, dollars * self._rng.randint(*_DOLLARS_JITTER) // 100)
        order: Element = {
            "symbol": pair.base,
            "quote": pair.quote,
            "quantity": decimal_text(lots, pair.quantity_decimals),
            "price": decimal_text(ticks, pair.price_decimals),
            "postOnly": True,
        }
        return intent(self._venue, side, order)
