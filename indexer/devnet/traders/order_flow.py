"""A market's order flow: what seeded traders would do next. Bots and the generator both draw from it.

All amounts are integers or Decimal. The flow does not know the book: it remembers the orders that it
placed, as far as they may still rest, and lives with a rejection now and then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Final

from indexer.devnet.traders.intents import Element, decimal_text, intent
from indexer.devnet.venue import PairView, VenueView

# What tokens are usually worth, in USD. A token that is not here counts as one dollar.
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
MOST_USD: Final = 40
DEPOSIT_USD: Final = 2000


@lru_cache(maxsize=1024)
def usual_price(pair: PairView) -> int:
    """The pair's usual price in ticks, at least 1."""
    price = USD.get(pair.base, Decimal(1)) / USD.get(pair.quote, Decimal(1))
    return max(1, int(price.scaleb(pair.price_decimals)))


def usual_units(symbol: str, precision: int, dollars: int) -> int:
    """How many units of a token some dollars are worth, at least 1."""
    return max(1, int((Decimal(dollars) / USD.get(symbol, Decimal(1))).scaleb(precision)))


class Prices:
    """A reference price per pair that drifts, and is drawn back to where it began."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ticks: dict[str, int] = {}

    def ticks(self, pair: PairView) -> int:
        """The pair's reference price now, in ticks."""
        return self._ticks.setdefault(pair.name, usual_price(pair))

    def drift(self, pair: PairView) -> None:
        """Move the price a little, now and then."""
        if self._rng.random() < 0.25:
            ticks, anchor = self.ticks(pair), usual_price(pair)
            step = self._rng.choice((-1, 1)) * max(1, ticks // 400)
            self._ticks[pair.name] = max(1, ticks + step + (anchor - ticks) // 50)


@dataclass(slots=True)
class Trader:
    """A trader and the orders that it believes to rest: their ids and pairs, oldest first."""

    name: str
    orders: deque[tuple[str, PairView]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Draft:
    """An element to put into a custom_json, and what it is meant to do.

    `rests` is the pair of an order that may stay in the book under the element's id. `units` is the
    amount of a withdrawal, 0 for anything else. `active` tells which key signs it.
    """

    kind: str
    element: Element
    rests: PairView | None = None
    units: int = 0
    active: bool = True


class Flow:
    """Draws what a trader does next. `max_open` bounds what one trader leaves in the books."""

    def __init__(self, venue: VenueView, rng: Random, *, max_open: int = 24) -> None:
        self.venue = venue
        self.prices = Prices(rng)
        self.max_open = max_open
        # Some orders of anybody, for those who try to cancel what is not theirs.
        self._strangers: deque[str] = deque(maxlen=32)
        self._rng = rng
        self._serial = 0
        self._names = list(KINDS)
        self._weights = list(KINDS.values())
        self._makers: dict[str, Callable[[Trader, PairView], Draft]] = {
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

    def draw(self, trader: Trader, kind: str | None = None) -> Draft:
        """The trader's next element, of a kind if one is named."""
        pair = self._rng.choice(self.venue.pairs)
        self.prices.drift(pair)
        if kind is None:
            full = len(trader.orders) >= self.max_open
            kind = "tidy" if full else self._rng.choices(self._names, self._weights)[0]
        return self._makers[kind](trader, pair)

    def placed(self, trader: Trader, draft: Draft, ident: str) -> None:
        """Tell that a draft went out under this id."""
        if draft.rests is not None:
            trader.orders.append((ident, draft.rests))
            self._strangers.append(ident)

    # -- orders ----------------------------------------------------------------------------------

    def _lots(self, pair: PairView) -> int:
        """A quantity in lots, worth up to MOST_USD."""
        value = usual_units(pair.base, max(pair.quantity_decimals, 0) + 2, self._rng.randint(1, MOST_USD))
        lots = value // int(10 ** (max(pair.quantity_decimals, 0) + 2 - pair.quantity_decimals))
        return max(1, lots + self._rng.randint(0, max(1, lots // 10)))

    def _amount(self, pair: PairView, lots: int) -> object:
        """A quantity: mostly text; where it is a whole number, sometimes a JSON number."""
        text = decimal_text(lots, pair.quantity_decimals)
        return int(text) if "." not in text and self._rng.random() < 0.2 else text

    def _order(self, pair: PairView, ticks: int) -> Element:
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

    def _quote(self, trader: Trader, pair: PairView) -> Draft:
        side, sign = self._rng.choice((("buy", -1), ("sell", 1)))
        middle = self.prices.ticks(pair)
        order = self._order(pair, middle + sign * self._rng.randint(1, max(3, middle // 40)))
        if self._rng.random() < 0.3:
            order["postOnly"] = True
        if self._rng.random() < 0.2:
            order["expiration"] = self._rng.choice((5, 30, 300, 3600))
        if self._rng.random() < 0.1:
            order["timeInForce"] = "GTC"
        return Draft("quote", intent(self.venue, side, order), rests=pair)

    def _cross(self, trader: Trader, pair: PairView, kind: str, **extra: object) -> Draft:
        side, sign = self._rng.choice((("buy", 1), ("sell", -1)))
        middle = self.prices.ticks(pair)
        order = self._order(pair, middle + sign * self._rng.randint(0, max(2, middle // 40)))
        # A taker forgets its order: what is left of it must go by itself.
        order |= extra or {"expiration": 60}
        return Draft(kind, intent(self.venue, side, order))

    def _market_buy(self, trader: Trader, pair: PairView) -> Draft:
        token = self.venue.tokens[pair.quote]
        budget = usual_units(pair.quote, token.precision, self._rng.randint(1, MOST_USD))
        middle = self.prices.ticks(pair)
        payload: Element = {
            "symbol": pair.base,
            "quote": pair.quote,
            "quantity": decimal_text(budget, token.precision),
        }
        if self._rng.random() < 0.5:
            payload["price"] = decimal_text(middle + max(1, middle // 30), pair.price_decimals)
        return Draft("market_buy", intent(self.venue, "marketBuy", payload | self._reference()))

    def _market_sell(self, trader: Trader, pair: PairView) -> Draft:
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
        return Draft("market_sell", intent(self.venue, "marketSell", payload | self._reference()))

    def _flat(self, trader: Trader, pair: PairView) -> Draft:
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
        return Draft("flat", element, rests=pair)

    # -- what follows an order -------------------------------------------------------------------

    def _cancel(self, trader: Trader, pair: PairView) -> Draft:
        if not trader.orders:
            return self._quote(trader, pair)
        # Young orders are more likely to rest still than old ones.
        newest = self._rng.random() < 0.8
        ident, _ = trader.orders.pop() if newest else trader.orders.popleft()
        payload: Element = {"id": ident}
        if self._rng.random() < 0.3:
            payload["type"] = self._rng.choice(("buy", "sell"))
        return Draft("cancel", intent(self.venue, "cancel", payload | self._reference()))

    def _replace(self, trader: Trader, pair: PairView) -> Draft:
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
        return Draft("replace", intent(self.venue, "replace", payload | self._reference()), rests=resting)

    def _tidy(self, trader: Trader, pair: PairView) -> Draft:
        """Too many orders to remember: one intent clears those of a pair, or all of them."""
        kept = [(ident, resting) for ident, resting in trader.orders if resting is not pair]
        if len(kept) == len(trader.orders):
            kept = []
        payload: Element = {"symbol": pair.base, "quote": pair.quote} if kept else {}
        trader.orders = deque(kept)
        return Draft("cancel_all", intent(self.venue, "cancelAll", payload))

    def _cancel_all(self, trader: Trader, pair: PairView) -> Draft:
        trader.orders.clear()
        return Draft("cancel_all", intent(self.venue, "cancelAll", {}))

    def _withdraw(self, trader: Trader, pair: PairView) -> Draft:
        token = self.venue.tokens[self._rng.choice((pair.base, pair.quote))]
        units = usual_units(token.symbol, token.precision, self._rng.randint(1, MOST_USD))
        payload: Element = {"symbol": token.symbol, "quantity": decimal_text(units, token.precision)}
        if self._rng.random() < 0.1:
            payload["quantity"], units = "all", 0
        if self._rng.random() < 0.2:
            payload["memo"] = self._rng.choice(("rent", "to my other wallet", "Grüße, 東京", "100% #1"))
        return Draft("withdraw", intent(self.venue, "withdraw", payload | self._reference()), units=units)

    def _invalid(self, trader: Trader, pair: PairView) -> Draft:
        """Something that is ours and must be rejected, one way or another."""
        good = self._order(pair, self.prices.ticks(pair))
        stranger = self._rng.choice(self._strangers) if self._strangers else "f" * 40
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
            ("cancel", {"id": stranger}),
            ("cancel", {"id": 7}),
            ("replace", {"id": stranger, "price": "1"}),
            ("withdraw", {"symbol": "NOSUCH", "quantity": "1"}),
            ("withdraw", {"symbol": pair.base, "quantity": "90000000000"}),
            ("withdraw", {"symbol": pair.base, "quantity": "1", "to": self.venue.escrows[0]}),
            ("selfDestruct", {}),
            ("listToken", {"symbol": "MINE", "precision": 8, "chain": "hive-engine", "escrow": trader.name}),
        ]
        action, payload = self._rng.choice(choices)
        return Draft("invalid", intent(self.venue, action, payload), active=self._rng.random() > 0.1)
