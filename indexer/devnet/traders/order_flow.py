"""Seeded random order flow, used by the bots and by the chain generator.

The flow does not read the order book: it remembers the orders it placed, so an intent may be rejected when
its order has been filled meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from indexer.devnet.traders.conditional_orders import ConditionalOrders
from indexer.devnet.traders.delegation import Delegation
from indexer.devnet.traders.invalid_intents import invalid_intents
from indexer.devnet.traders.payloads import Element, decimal_text, intent
from indexer.devnet.traders.planned import PlannedIntent, Trader
from indexer.devnet.traders.prices import MAX_ORDER_USD, DriftingPrices, lots_worth, units_worth
from indexer.devnet.venue import VenueView
from settlement.core.venue import PairRules

KINDS: Final[Mapping[str, int]] = {
    "quote": 38,
    "take": 12,
    "ioc": 6,
    "fok": 4,
    "market_buy": 5,
    "market_sell": 5,
    "flat": 4,
    "stop": 5,
    "market_stop": 3,
    "protected": 6,
    "cancel": 9,
    "replace": 6,
    "cancel_all": 1,
    "timer": 2,
    "grant": 2,
    "revoke": 1,
    "by_posting": 5,
    "for_another": 4,
    "withdraw": 3,
    "take_back": 1,
    "invalid": 4,
}
"""Relative frequency of each kind of intent."""


class OrderFlow:
    """Draws a trader's next intent.

    `traders` are all traders, `now` is the chain's time in Unix seconds, `max_open` limits the open orders of
    one trader, `prices` are those that they trade around.
    """

    def __init__(
        self,
        venue: VenueView,
        traders: Sequence[Trader],
        rng: Random,
        *,
        now: Callable[[], int],
        max_open: int = 24,
        prices: DriftingPrices | None = None,
    ) -> None:
        self.venue = venue
        self.prices = prices or DriftingPrices(rng)
        self.max_open = max_open
        # Recent orders of all traders, for attempts to cancel another trader's order.
        self._recent_orders: deque[str] = deque(maxlen=32)
        self._rng = rng
        self._now = now
        self._conditional = ConditionalOrders(self.prices, rng)
        self._delegation = Delegation(venue, traders, rng, now)
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
            "stop": self._stop,
            "market_stop": self._market_stop,
            "protected": self._protected,
            "timer": self._timer,
            "grant": lambda trader, _: self._delegation.grant(trader),
            "revoke": lambda trader, _: self._delegation.revoke(trader),
            "by_posting": lambda trader, _: self._delegation.by_posting(trader, self._plain(trader)),
            "for_another": self._for_another,
            "take_back": self._take_back,
            "cancel": self._cancel,
            "replace": self._replace,
            "cancel_all": self._cancel_all,
            "tidy": self._tidy,
            "withdraw": self._withdraw,
            "cancel_withdrawal": lambda trader, _: self._cancel_withdrawal(trader),
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
            (planned.owner or trader).orders.append((ident, planned.rests))
            self._recent_orders.append(ident)
        if planned.kind in ("withdraw", "take_back"):
            trader.withdrawals.append(ident)

    # -- orders ----------------------------------------------------------------------------------

    def _lots(self, pair: PairRules) -> int:
        """A random quantity in lots, worth up to MAX_ORDER_USD."""
        lots = lots_worth(pair, self._rng.randint(1, MAX_ORDER_USD))
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
        if self._rng.random() < 0.1:
            order["maxFeeBps"] = self._rng.choice((10, 20, 50, 1000))
        if self._rng.random() < 0.05:
            order["notAfter"] = self._now() + self._rng.choice((-1, 3, 30, 600))
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

    # -- stops, and intents under a grant --------------------------------------------------------

    def _stop(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        side = self._rng.choice(("buy", "sell"))
        order = self._order(pair, self.prices.ticks(pair))
        order.pop("settle", None)
        if self._rng.random() < 0.3:
            order["timeInForce"] = self._rng.choice(("IOC", "FOK"))
        elif self._rng.random() < 0.1:
            order["postOnly"] = True
        order = self._conditional.trigger(pair, order, is_buy=side == "buy")
        return PlannedIntent("stop", intent(self.venue, side, order), rests=pair)

    def _market_stop(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        is_buy = self._rng.random() < 0.5
        planned = (self._market_buy if is_buy else self._market_sell)(trader, pair)
        payload = planned.element["contractPayload"]
        assert isinstance(payload, dict)
        payload.pop("settle", None)
        payload = self._conditional.trigger(pair, payload, is_buy=is_buy)
        return PlannedIntent("market_stop", planned.element | {"contractPayload": payload}, rests=pair)

    def _protected(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        planned = self._quote(trader, pair)
        payload = planned.element["contractPayload"]
        assert isinstance(payload, dict)
        is_buy = planned.element["contractAction"] == "buy"
        payload = self._conditional.protect(pair, payload, is_buy=is_buy)
        return PlannedIntent("protected", planned.element | {"contractPayload": payload}, rests=pair)

    def _timer(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        seconds = self._rng.choice((0, 15, 30, 60, 120, 600))
        return PlannedIntent("timer", intent(self.venue, "cancelAllAfter", {"seconds": seconds}))

    def _plain(self, trader: Trader) -> PlannedIntent:
        """An intent of a kind that a grant allows, close to the price."""
        kind = self._rng.choice(
            ("quote", "quote", "quote", "take", "market_sell", "cancel", "replace", "timer")
        )
        return self._makers[kind](trader, self._rng.choice(self.venue.pairs))

    def _for_another(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        principal = self._delegation.principal_of(trader)
        if principal is None:
            return self._delegation.grant(trader)
        return self._delegation.for_another(principal, self._plain(principal))

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
        if self._rng.random() < 0.15:
            payload = self._conditional.protect(resting, payload, is_buy=self._rng.random() < 0.5)
        if set(payload) == {"id"} or self._rng.random() < 0.4:
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
        emptied = self._rng.random() < 0.1
        if emptied:
            payload["quantity"], units = "all", 0
        if self._rng.random() < 0.2:
            payload["memo"] = self._rng.choice(("rent", "to my other wallet", "Grüße, 東京", "100% #1"))
        return PlannedIntent(
            "withdraw",
            intent(self.venue, "withdraw", payload | self._reference()),
            units=units,
            emptied=token.symbol if emptied else None,
        )

    def _take_back(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        """A withdrawal that is cancelled at once, or the cancel of one of those before."""
        if trader.withdrawals and self._rng.random() < 0.3:
            return self._cancel_withdrawal(trader)
        planned = self._withdraw(trader, pair)
        return PlannedIntent("take_back", planned.element, follow_up="cancel_withdrawal")

    def _cancel_withdrawal(self, trader: Trader) -> PlannedIntent:
        ident = trader.withdrawals.pop() if trader.withdrawals else "f" * 40
        return PlannedIntent("cancel_withdrawal", intent(self.venue, "cancelWithdrawal", {"id": ident}))

    def _invalid(self, trader: Trader, pair: PairRules) -> PlannedIntent:
        """An intent for the venue that the rules must reject."""
        good = self._order(pair, self.prices.ticks(pair))
        foreign = self._rng.choice(self._recent_orders) if self._recent_orders else "f" * 40
        choices = invalid_intents(self.venue, pair, trader, good, foreign, self._now())
        action, payload = self._rng.choice(choices)
        return PlannedIntent("invalid", intent(self.venue, action, payload), active=self._rng.random() > 0.1)
