"""Seeded random stops and orders with a protective stop."""

from __future__ import annotations

from random import Random

from indexer.devnet.traders.payloads import Element, decimal_text
from indexer.devnet.traders.prices import DriftingPrices
from settlement.core.venue import PairRules


class ConditionalOrders:
    """Adds triggers and protective stops to the payloads of orders, near the current prices."""

    def __init__(self, prices: DriftingPrices, rng: Random) -> None:
        self._prices = prices
        self._rng = rng

    def trigger(self, pair: PairRules, payload: Element, *, is_buy: bool) -> Element:
        """The payload with a trigger that the price reaches soon, and a limit or worst price beyond it."""
        middle = self._prices.ticks(pair)
        above = self._rng.random() < 0.5
        trigger = max(1, middle + (1 if above else -1) * self._rng.randint(1, max(2, middle // 60)))
        reach = max(2, middle // 30)
        stop: Element = {
            "price": decimal_text(max(1, trigger + (reach if is_buy else -reach)), pair.price_decimals),
            "triggerPrice": decimal_text(trigger, pair.price_decimals),
            "triggerWhen": "above" if above else "below",
        }
        if self._rng.random() < 0.5:
            stop["expiration"] = self._rng.choice((60, 600, 3600))
        return payload | stop

    def protect(self, pair: PairRules, payload: Element, *, is_buy: bool) -> Element:
        """The payload of a GTC limit order with a protective stop on the other side of the price."""
        middle, sign = self._prices.ticks(pair), 1 if is_buy else -1
        stop = max(1, middle + sign * self._rng.randint(1, max(2, middle // 60)))
        limit = max(1, stop + sign * max(2, middle // 20))
        plain = {key: value for key, value in payload.items() if key not in ("settle", "timeInForce")}
        return plain | {
            "stopPrice": decimal_text(stop, pair.price_decimals),
            "stopLimit": decimal_text(limit, pair.price_decimals),
        }
