"""Prices that the bots trade around: a reference for each token, and a random walk for each pair.

All amounts are integers or Decimal.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Final

from settlement.core.venue import PairRules

# Reference prices in USD. A token that is not listed here counts as one dollar.
USD: Final[Mapping[str, Decimal]] = {
    "PEK": Decimal("0.00008"),
    "HIVE": Decimal("0.2"),
    "SWAP.HIVE": Decimal("0.2"),
    "HBD": Decimal(1),
    "SWAP.BTC": Decimal(100_000),
    "SWAP.LTC": Decimal(100),
    "SWAP.ETH": Decimal(3500),
    "SWAP.DOGE": Decimal("0.2"),
    "SWAP.MATIC": Decimal("0.25"),
    "PIMP": Decimal("0.002"),
    "BEE": Decimal("0.05"),
}
MAX_ORDER_USD: Final = 40
DEPOSIT_USD: Final = 2000


@lru_cache(maxsize=1024)
def reference_price(pair: PairRules) -> int:
    """The pair's reference price in ticks, at least 1."""
    price = USD.get(pair.base, Decimal(1)) / USD.get(pair.quote, Decimal(1))
    return max(1, int(price.scaleb(pair.price_decimals)))


def units_worth(symbol: str, precision: int, dollars: int) -> int:
    """The amount of a token worth `dollars` USD, in the token's units, at least 1."""
    return max(1, int((Decimal(dollars) / USD.get(symbol, Decimal(1))).scaleb(precision)))


def lots_worth(pair: PairRules, dollars: int) -> int:
    """The quantity of a pair's base worth `dollars` USD, in lots, at least 1."""
    decimals = max(pair.quantity_decimals, 0) + 2
    units_a_lot: int = 10 ** (decimals - pair.quantity_decimals)
    return max(1, units_worth(pair.base, decimals, dollars) // units_a_lot)


class DriftingPrices:
    """A mean-reverting random walk of each pair's price, in ticks. `chance` is that of a step."""

    def __init__(self, rng: Random, chance: float = 0.25) -> None:
        self._rng = rng
        self._chance = chance
        self._ticks: dict[PairRules, int] = {}

    def ticks(self, pair: PairRules) -> int:
        """The pair's current price in ticks."""
        return self._ticks.setdefault(pair, reference_price(pair))

    def drift(self, pair: PairRules) -> None:
        """Move the price by one step, sometimes."""
        if self._rng.random() < self._chance:
            ticks = self.ticks(pair)
            step = self._rng.choice((-1, 1)) * max(1, ticks // 400)
            self._ticks[pair] = max(1, ticks + step + self.pull(reference_price(pair) - ticks))

    def pull(self, distance: int) -> int:
        """How far a step leads back to a reference price at that distance; on average slightly below it."""
        return distance // 50


class CalmPrices(DriftingPrices):
    """Prices of a demo's market: steps are rare, and on average they are at the reference prices.

    With the demo's bots a price moves by some 0.3 % a minute, and stays within a tenth of its reference.
    """

    def __init__(self, rng: Random) -> None:
        super().__init__(rng, 1 / 40)

    def pull(self, distance: int) -> int:
        return distance // 16 if distance > 0 else -(-distance // 16)
