"""Seeded price paths of the past, which end at the reference prices. All arithmetic is in integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from math import isqrt
from random import Random
from typing import Final

from indexer.devnet.traders.prices import USD, reference_price
from settlement.core.venue import PairRules

DAY_SECONDS: Final = 86_400
# Standard deviation of a day's change in basis points.
DAILY_BPS: Final[Mapping[str, int]] = {
    "PEK": 420,
    "HBD": 12,
    "SWAP.BTC": 190,
    "SWAP.LTC": 260,
    "SWAP.ETH": 260,
    "SWAP.DOGE": 330,
    "SWAP.MATIC": 330,
    "PIMP": 450,
}
DEFAULT_DAILY_BPS: Final = 280
_ONE: Final = 10**9  # a price equal to the reference price
_MICRO: Final = 10**6
# Volatility clusters: now and then it jumps, and then it calms down again. In percent of the usual one.
_CALM, _BURSTS, _BURST_CHANCE = 78, (170, 320), 4


class PriceHistory:
    """The price of each token at each of the given times, as a random walk with bursts of volatility.

    `times` are in seconds since 1970, ascending. At the last one, all prices are the reference prices.
    """

    def __init__(self, symbols: Sequence[str], times: Sequence[int], rng: Random) -> None:
        self._paths: dict[str, list[int]] = {}
        self._heat: dict[str, list[int]] = {}
        for symbol in symbols:
            self._walk(symbol, times, rng)

    def _walk(self, symbol: str, times: Sequence[int], rng: Random) -> None:
        daily = DAILY_BPS.get(symbol, DEFAULT_DAILY_BPS)
        price, heat = _ONE * _MICRO, _CALM
        prices, heats = [price], [heat]
        for before, now in pairwise(times):
            heat += (_CALM - heat) // 10
            if rng.randrange(100) < _BURST_CHANCE:
                heat = rng.randint(*_BURSTS)
            # Standard deviation of this step in millionths: of a day's, as the square root of the time.
            deviation = daily * heat * isqrt((now - before) * _MICRO // DAY_SECONDS) // 1000
            price += price * deviation * _normal(rng) // (1000 * _MICRO)
            price = max(price, _MICRO)
            prices.append(price)
            heats.append(heat)
        self._paths[symbol] = [each * _ONE // price for each in prices]
        self._heat[symbol] = heats

    def ticks(self, pair: PairRules, at: int) -> int:
        """The pair's price in ticks at the time of this index, at least 1."""
        exact = USD.get(pair.base, Decimal(1)) / USD.get(pair.quote, Decimal(1))
        reference = max(int(exact.scaleb(pair.price_decimals + 6)), reference_price(pair) * _MICRO)
        base, quote = self._paths[pair.base][at], self._paths[pair.quote][at]
        return max(1, reference * base // (quote * _MICRO))

    def heat(self, symbol: str, at: int) -> int:
        """The token's volatility at the time of this index, in percent of the usual one."""
        return self._heat[symbol][at]


def _normal(rng: Random) -> int:
    """About normally distributed, in thousandths of the standard deviation."""
    # Four uniform numbers of 10 bits: mean 2046, standard deviation 591.
    return (sum(rng.getrandbits(10) for _ in range(4)) - 2046) * 1000 // 591
