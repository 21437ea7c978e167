"""Seeded random order flow, used by the bots and by the chain generator.

All amounts are integers or Decimal. The flow does not read the order book: it remembers the orders it
placed, so an intent may be rejected when its order has been filled meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Final

from indexer.devnet.traders.payloads import Element, decimal_text, intent
from indexer.devnet.venue import VenueView
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
KINDS: Final[Mapping[str, int]] = {
    "quote": 38,
    "take": 12,
    "ioc": 6,
    "fok": 4,
    "market_buy": 5,
    "market_sell": 5,
    "flat": 4,
    "cancel": 9,
    "replace": 6,
    "cancel_all": 1,
    "withdraw": 3,
    "invalid": 3,
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


class DriftingPrices:
    """A mean-reverting random walk of each pair's price, in ticks."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ticks: dict[PairRules, int] = {}

    def ticks(self, pair: PairRules) -> int:
        """The pair's current price in ticks."""
        return self._ticks.setdefault(pair, reference_price(pair))

    def drift(self, pair: PairRules) -> None:
        """Move the price by one step, one time in four."""
        if self._rng.random() < 0.25:
            ticks, anchor = self.ticks(pair), reference_price(pair)
            step = self._rng.choice((-1, 1)) * max(1, ticks // 400)
            self._ticks[pair] = max(1, ticks + step + (anchor - ticks) // 50)


@dataclass(slots=True)
class Trader:
    """A trader, and the ids and pairs of the orders it believes to be open, oldest first."""

    name: str
    orders: deque[tuple[str, PairRules]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class PlannedIntent:
    """A custom_json element to send, and its purpose."""

    kind: str  # one of KINDS, or `cancel_all`
    element: Element
    rests: PairRules | None = None  # the pair, if the order may stay in the book under the element's id
    units: int = 0  # the amount of a withdrawal, else 0
    active: bool = True  # signed with the active key, else with the posting key


class OrderFlow:
    """Draws a trader's next intent. `max_open` limits the open orders of one trader."""

    def __init__(self, venue: VenueView, rng: Random, *, max_open: int = 24) -> None:
        self.venue = venue
        self.prices = DriftingPrices(rng)
        self.max_open = max_open
        # Recent orders of all traders, for attempts to cancel another trader's order.
        self._recent_orders: deque[str] = deque(maxlen=32)
        self._rng = rng
        self._serial = 0
        self._names = list(KINDS)
        self._weights = list(KINDS.values())
        self._makers: dict[str, Callable[[Trader, PairRules], PlannedIntent]] = {
            "quote": self._quote,
            "take": lambda trader, pair: self._cross(trader, pair, "take"),
            "ioc": lambda trader, pair: self._cross(trader, pair, "ioc", timeInForce="IOC"),
            "fok": lambda trader, pair: self._cross(trader, pair, "fok", timeInForce="FOK"),
            "market_buy": self._market_buy,
            "market_sell": self._market_sell,
            "flat": self._flat,
            "cancel": self._cancel,
            "replace": self._replace,
            "cancel_all": self._cancel_all,
            "tidy": self._tidy,
            "withdraw": self._withdraw,
            "invalid": self._invalid,
        }

    def draw(self, trader: Trader, kind: str | None = None) -> PlannedIntent:
        """The trader's next intent, of the given kind or of a random one."""
        pair = self._rng.choice(self.venue.pairs)
        self.prices.drift(pair)
        if kind is None:
            full = len(trader.orders) >= self.max_open
            kind = "tidy" if full else self._rng.choices(self._names, self._weights)[0]
        return self._makers[kind](trader, pair)

    def record_sent(self, trader: Trader, planned: PlannedIntent, ident: str) -> None:
        """Remember that an intent was broadcast under this id."""
        if planned.rests is not None:
            trader.orders.append((ident, planned.rests))
            self._recent_orders.append(ident)

    # -- orders ----------------------------------------------------------------------------------

    def _lots(self, pair: PairRules) -> int:
        """A random quantity in lots, worth up to MAX_ORDER_USD."""
        value = units_worth(
            pair.base, max(pair.quantity_decimals, 0) + 2, self._rng.randint(1, MAX_ORDER_USD)
        )
        lots = value // int(10 ** (max(pair.quantity_decimals, 0) + 2 - pair.quantity_decimals))
        return max(1, lots + self._rng.randint(0, max(1, lots // 10)))

    def _amount(self, pair: PairRules, lots: int) -> object:
        """The quantity as text, or sometimes as a JSON number when it is an integer."""
        text = decimal_text(lots, pair.quantity_decimals)
        return int(text) if "." not in text and self._rng.random() < 0.2 else text

    def _order(self, pair: PairRules, ticks: int) -> Element:
        order: Element = {
            "symbol": pair.base,
            "quote": pair.quote,
            "quantity": self._amount(pair, self._lots(pair)),
            "price": decimal_text(max(1, ticks), pair.price_decimals),
        }
        if self._rng.random() < 0.05:
            order["settle"] = self._rng.choice(("wallet", "venue"))
        return order | self._reference()

    def _reference(self) -> Element:
        self._serial += 1
        return {"ref": f"bot-{self._serial}"} if self._rng.random() < 0.2 else {}

    def _quote(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        side, sign = self._rng.choice((("buy", -1), ("sell", 1)))
        middle = self.prices.ticks(pair)
        order = self._order(pair, middle + sign * self._rng.randint(1, max(3, middle // 40)))
        if self._rng.random() < 0.3:
            order["postOnly"] = True
        if self._rng.random() < 0.2:
            order["expiration"] = self._rng.choice((5, 30, 300, 3600))
        if self._rng.random() < 0.1:
            order["timeInForce"] = "GTC"
        return PlannedIntent("quote", intent(self.venue, side, order), rests=pair)

    def _cross(self, trader: Trader, pair: PairRules, kind: str, **extra: object) -> PlannedIntent:
        side, sign = self._rng.choice((("buy", 1), ("sell", -1)))
        middle = self.prices.ticks(pair)
        order = self._order(pair, middle + sign * self._rng.randint(0, max(2, middle // 40)))
        # The trader does not track this order, so a remainder must expire.
        order |= extra or {"expiration": 60}
        return PlannedIntent(kind, intent(self.venue, side, order))

    def _market_buy(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        token = self.venue.tokens[pair.quote]
        budget = units_worth(pair.quote, token.precision, self._rng.randint(1, MAX_ORDER_USD))
        middle = self.prices.ticks(pair)
        payload: Element = {
            "symbol": pair.base,
            "quote": pair.quote,
            "quantity": decimal_text(budget, token.precision),
        }
        if self._rng.random() < 0.5:
            payload["price"] = decimal_text(middle + max(1, middle // 30), pair.price_decimals)
        return PlannedIntent("market_buy", intent(self.venue, "marketBuy", payload | self._reference()))

    def _market_sell(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        middle = self.prices.ticks(pair)
        payload: Element = {
            "symbol": pair.base,
            "quote": pair.quote,
            "quantity": self._amount(pair, self._lots(pair)),
        }
        if self._rng.random() < 0.5:
            payload["price"] = decimal_text(max(1, middle - max(1, middle // 30)), pair.price_decimals)
        if self._rng.random() < 0.2:
            payload["settle"] = "wallet"
        return PlannedIntent("market_sell", intent(self.venue, "marketSell", payload | self._reference()))

    def _flat(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        side, sign = self._rng.choice((("buy", -1), ("sell", 1)))
        middle = self.prices.ticks(pair)
        element: Element = {
            "base": pair.base,
            "quote": pair.quote,
            "side": side,
            "price": decimal_text(
                max(1, middle + sign * self._rng.randint(-2, max(2, middle // 50))), pair.price_decimals
            ),
            "amount": decimal_text(self._lots(pair), pair.quantity_decimals),
        }
        if self._rng.random() < 0.5:
            element["username"] = trader.name
        if self._rng.random() < 0.5:
            element["ts"] = 1_700_000_000 + self._serial
        return PlannedIntent("flat", element, rests=pair)

    # -- cancels, replaces and withdrawals -------------------------------------------------------

    def _cancel(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        if not trader.orders:
            return self._quote(trader, pair)
        # Recent orders are more likely to be open than old ones.
        newest = self._rng.random() < 0.8
        ident, _ = trader.orders.pop() if newest else trader.orders.popleft()
        payload: Element = {"id": ident}
        if self._rng.random() < 0.3:
            payload["type"] = self._rng.choice(("buy", "sell"))
        return PlannedIntent("cancel", intent(self.venue, "cancel", payload | self._reference()))

    def _replace(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        if not trader.orders:
            return self._quote(trader, pair)
        ident, resting = trader.orders.pop()
        middle = self.prices.ticks(resting)
        payload: Element = {"id": ident}
        if self._rng.random() < 0.7:
            ticks = max(1, middle + self._rng.randint(-max(2, middle // 40), max(2, middle // 40)))
            payload["price"] = decimal_text(ticks, resting.price_decimals)
        if "price" not in payload or self._rng.random() < 0.4:
            payload["quantity"] = self._amount(resting, self._lots(resting))
        return PlannedIntent(
            "replace", intent(self.venue, "replace", payload | self._reference()), rests=resting
        )

    def _tidy(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        """Cancel the orders of one pair, or all of them, when the trader has too many open."""
        kept = [(ident, resting) for ident, resting in trader.orders if resting is not pair]
        if len(kept) == len(trader.orders):
            kept = []
        payload: Element = {"symbol": pair.base, "quote": pair.quote} if kept else {}
        trader.orders = deque(kept)
        return PlannedIntent("cancel_all", intent(self.venue, "cancelAll", payload))

    def _cancel_all(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        trader.orders.clear()
        return PlannedIntent("cancel_all", intent(self.venue, "cancelAll", {}))

    def _withdraw(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        token = self.venue.tokens[self._rng.choice((pair.base, pair.quote))]
        units = units_worth(token.symbol, token.precision, self._rng.randint(1, MAX_ORDER_USD))
        payload: Element = {"symbol": token.symbol, "quantity": decimal_text(units, token.precision)}
        if self._rng.random() < 0.1:
            payload["quantity"], units = "all", 0
        if self._rng.random() < 0.2:
            payload["memo"] = self._rng.choice(("rent", "to my other wallet", "Grüße, 東京", "100% #1"))
        return PlannedIntent(
            "withdraw", intent(self.venue, "withdraw", payload | self._reference()), units=units
        )

    def _invalid(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        """An intent for the venue that the rules must reject."""
        good = self._order(pair, self.prices.ticks(pair))
        foreign = self._rng.choice(self._recent_orders) if self._recent_orders else "f" * 40
        choices: list[tuple[str, Element]] = [
            ("buy", good | {"price": "0"}),
            ("sell", good | {"quantity": "-1"}),
            ("buy", good | {"price": "1e-3"}),
            ("sell", good | {"quantity": f"1.{'0' * 17}1"}),
            ("buy", good | {"symbol": "NOSUCH"}),
            ("sell", good | {"quantity": "9223372036854775807"}),
            ("buy", good | {"timeInForce": "GTD"}),
            ("sell", good | {"postOnly": "yes"}),
            ("buy", good | {"quantity": None}),
            ("buy", good | {"quantity": "400000000000"}),
            ("cancel", {"id": foreign}),
            ("cancel", {"id": 7}),
            ("replace", {"id": foreign, "price": "1"}),
            ("withdraw", {"symbol": "NOSUCH", "quantity": "1"}),
            ("withdraw", {"symbol": pair.base, "quantity": "90000000000"}),
            ("withdraw", {"symbol": pair.base, "quantity": "1", "to": self.venue.escrows[0]}),
            ("selfDestruct", {}),
            ("listToken", {"symbol": "MINE", "precision": 8, "chain": "hive-engine", "escrow": trader.name}),
        ]
        action, payload = self._rng.choice(choices)
        return PlannedIntent("invalid", intent(self.venue, action, payload), active=self._rng.random() > 0.1)
