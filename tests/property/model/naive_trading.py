"""Naive rules of trading: matching, closing, marks, stops and firing (protocol, sections 3 and 7)."""

from __future__ import annotations

from fractions import Fraction

from tests.property.model.naive_money import MOST_PENDING, NaiveMoney
from tests.property.model.naive_state import NaiveOrder, NaivePair, NaiveTrade
from tests.property.model.naive_values import Reject, or_dash, require

FOK_COUNTS = 1_000
"""Orders of the other side that a fill-or-kill order counts."""
MOST_FIRED = 1_000
"""Stops that fire in a block and pair."""

Step = tuple[NaiveOrder, int, int]
"""A resting order, the quantity traded with it (0: it is cancelled), and the price."""


class NaiveTrading(NaiveMoney):
    """Orders from their acceptance to their close."""

    def rate(self, pair: NaivePair) -> int:
        """Base units of one lot."""
        units: int = 10 ** (self.tokens[pair.base].precision - pair.quantity_decimals)
        return units

    def lock_of(self, order: NaiveOrder) -> int:
        """What an order locks before matching."""
        if order.market or not order.buys:
            return order.quantity
        assert order.price is not None
        return self.value(order.pair, order.price, order.quantity)

    def is_reached(self, pair: NaivePair, ticks: int, above: bool) -> bool:
        mark = self.mark(pair)
        if mark is None:
            return False
        price = self.price_of(pair, ticks)
        return mark >= price if above else mark <= price

    # ------------------------------------------------------------ the last checks, and entering

    def check_funds_and_book(self, order: NaiveOrder, extra: int = 0) -> None:
        """Checks 10 and 11. `extra` is the lock of an order that this one replaces."""
        available = self.balance(order.account, order.gives).available
        require(self.lock_of(order) <= available + extra, "E_FUNDS")
        if order.trigger is not None:
            return
        plan, end = self.plan(order)
        traded = sum(quantity for _, quantity, _ in plan)
        require(not (order.post_only and (traded or end == "self")), "E_POST_ONLY")
        if order.force == "FOK":
            plan, _ = self.plan(order, FOK_COUNTS)
            require(sum(quantity for _, quantity, _ in plan) == order.quantity, "E_FOK")
        require(not (end == "self" and not traded), "E_SELF_TRADE")
        require(traded > 0 or not (order.market or order.force == "IOC"), "E_NO_LIQUIDITY")

    def enter(self, order: NaiveOrder) -> None:
        """Lock, match, then rest or close."""
        pair = order.pair
        self.seq += 1
        order.seq = self.seq
        order.maker_fee, order.taker_fee = pair.maker_fee_bps, pair.taker_fee_bps
        order.remaining, order.locked = order.quantity, self.lock_of(order)
        held = self.balance(order.account, order.gives)
        held.available -= order.locked
        held.locked += order.locked
        self.add_line(
            f"order {order.id} {order.seq} {order.account} {pair.name} {order.side} {order.kind} "
            f"{or_dash(order.price)} {order.quantity} {or_dash(order.expiry)} "
            f"{'-' if order.market else order.maker_fee} {order.taker_fee} "
            f"{'wallet' if order.wallet else 'venue'} {or_dash(order.stop_price)} {or_dash(order.stop_limit)}"
        )
        plan, end = self.plan(order)
        for maker, quantity, price in plan:
            if quantity:
                self.trade(order, maker, quantity, price)
            if maker.remaining == 0:
                self.close(maker, "filled")
            elif not quantity:
                self.close(maker, "cancelled")
        if end == "filled":
            self.close(order, "filled")
        elif end == "self" or order.market or order.force != "GTC":
            self.close(order, "cancelled")
        else:
            self.orders.append(order)

    def open_stop(self, stop: NaiveOrder) -> None:
        self.seq += 1
        stop.seq = self.seq
        stop.taker_fee = stop.pair.taker_fee_bps
        stop.locked = self.lock_of(stop)
        held = self.balance(stop.account, stop.gives)
        held.available -= stop.locked
        held.locked += stop.locked
        self.stops.append(stop)
        self.add_line(
            f"stop {stop.id} {stop.seq} {stop.account} {stop.pair.name} {stop.side} {stop.kind} "
            f"{or_dash(stop.price)} {stop.quantity} {stop.expiry} {stop.taker_fee} "
            f"{'above' if stop.above else 'below'} {stop.trigger} {stop.force} {'post' if stop.post_only else '-'}"
        )

    # ------------------------------------------------------------ matching

    def plan(self, order: NaiveOrder, most: int | None = None) -> tuple[list[Step], str]:
        """The steps of an incoming order against the first `most` resting orders; and what ends it: `filled`, `book`
        or `self`."""
        pair, left = order.pair, order.quantity
        steps: list[Step] = []
        for maker in self.resting_against(order)[:most]:
            if left == 0:
                return steps, "filled"
            assert maker.price is not None
            crosses = order.price is None or (
                maker.price <= order.price if order.buys else maker.price >= order.price
            )
            if not crosses:
                return steps, "book"
            price = self.price_between(order, maker)
            wanted = left
            if order.market and order.buys:  # `left` is what remains of the budget
                wanted = left // self.value(pair, price, self.rate(pair)) * self.rate(pair)
                if wanted == 0:
                    return steps, "filled"
            if maker.account == order.account and pair.self_trade == "cancel_incoming":
                return steps, "self"
            if maker.account == order.account and pair.self_trade == "cancel_resting":
                steps.append((maker, 0, price))
                continue
            quantity = min(wanted, maker.remaining)
            steps.append((maker, quantity, price))
            left -= self.value(pair, price, quantity) if order.market and order.buys else quantity
            if quantity < maker.remaining:  # nothing is left, or too little for one more lot at this price
                return steps, "filled"
        return steps, "filled" if left == 0 else "book"

    def resting_against(self, order: NaiveOrder) -> list[NaiveOrder]:
        """The other side of the book in priority order."""
        others = [o for o in self.orders if o.pair is order.pair and o.buys != order.buys]
        sign = 1 if order.buys else -1
        return sorted(others, key=lambda o: (sign * (o.price or 0), o.seq))

    def price_between(self, taker: NaiveOrder, maker: NaiveOrder) -> int:
        assert maker.price is not None
        if taker.price is None or taker.fired_fee is not None:
            return maker.price
        bid, ask = (taker.price, maker.price) if taker.buys else (maker.price, taker.price)
        prices = {"maker": maker.price, "bid": bid, "ask": ask, "midpoint": (bid + ask) // 2}
        return prices[taker.pair.price_policy]

    def trade(self, taker: NaiveOrder, maker: NaiveOrder, quantity: int, price: int) -> None:
        pair = taker.pair
        buyer, seller = (taker, maker) if taker.buys else (maker, taker)
        pay = self.value(pair, price, quantity)
        taker_rate = (
            pair.taker_fee_bps if taker.fired_fee is None else min(pair.taker_fee_bps, taker.fired_fee)
        )
        rates = {taker.id: taker_rate, maker.id: min(pair.maker_fee_bps, maker.maker_fee)}
        buyer_fee = quantity * rates[buyer.id] // 10000
        seller_fee = pay * rates[seller.id] // 10000
        for order, gives, gets, fee in (
            (seller, quantity, pay, seller_fee),
            (buyer, pay, quantity, buyer_fee),
        ):
            order.locked -= gives
            order.received = min(order.received + gets - fee, 2**63 - 1)
            self.balance(order.account, order.gives).locked -= gives
            self.balance(order.account, order.gets).available += gets - fee
            self.balance(self.fee_account, order.gets).available += fee
        if not buyer.market:
            assert buyer.price is not None
            self.release(buyer, self.value(pair, buyer.price, quantity) - pay)
        buyer.remaining -= pay if buyer.market else quantity
        seller.remaining -= quantity
        self.trade_number += 1
        self.to_fire.add(pair.name)
        if taker.account != maker.account:
            assert maker.price is not None
            worth = self.value(pair, maker.price, quantity)
            self.trades.append(NaiveTrade(self.header.number, pair.name, quantity, worth))
        self.add_line(
            f"trade {self.trade_number} {taker.id} {maker.id} {buyer.account} {seller.account} "
            f"{pair.name} {price} {quantity} {pay} {buyer_fee} {seller_fee}"
        )

    # ------------------------------------------------------------ closing

    def release(self, order: NaiveOrder, amount: int) -> None:
        order.locked -= amount
        order.released = min(order.released + amount, 2**63 - 1)
        held = self.balance(order.account, order.gives)
        held.locked -= amount
        held.available += amount

    def close(self, order: NaiveOrder, status: str) -> None:
        """Close an order or stop, and settle it to the wallet if it asked so."""
        self.close_unsettled(order, status)
        if not order.wallet:
            return
        due = {order.gives: order.released, order.gets: order.received}
        for symbol in sorted(due):
            amount = min(due[symbol], self.balance(order.account, symbol).available)
            enough = amount >= self.tokens[symbol].minimum
            if enough and self.pending_of(order.account) < MOST_PENDING:
                id_ = f"{order.id}#{symbol}"
                self.open_withdrawal(id_, order.account, symbol, amount, order.account, None)

    def close_unsettled(self, order: NaiveOrder, status: str) -> int:
        released = order.locked
        self.release(order, released)
        self.orders = [other for other in self.orders if other is not order]
        self.stops = [other for other in self.stops if other is not order]
        self.add_line(f"close {order.id} {status} {released}")
        return released

    def expire(self) -> None:
        due = [o for o in self.orders + self.stops if o.expiry is not None and o.expiry <= self.now]
        for order in sorted(due, key=lambda order: (order.expiry, order.seq)):
            self.add_line(f"expire {order.id}")
            self.close(order, "expired")

    # ------------------------------------------------------------ firing

    def fire(self, names: set[str]) -> None:
        for pair in sorted(self.pairs, key=lambda pair: pair.name):
            if pair.name in names and pair.status == "active":
                while self.fire_round(pair):
                    pass

    def fire_round(self, pair: NaivePair) -> bool:
        """Fire all whose price is reached now; whether there was one."""
        reached = [s for s in self.stops if s.pair is pair and self.is_reached(pair, s.trigger or 0, s.above)]
        reached += [
            o
            for o in self.orders
            if o.pair is pair and o.stop_price is not None and self.is_reached(pair, o.stop_price, o.buys)
        ]
        any_fired = False
        for waiting in sorted(reached, key=lambda waiting: waiting.seq):
            if self.fired.get(pair.name, 0) == MOST_FIRED:
                return False
            if any(waiting is other for other in self.orders + self.stops):
                any_fired = True
                self.fired[pair.name] = self.fired.get(pair.name, 0) + 1
                self.add_line(f"trigger {waiting.id}")
                order = self.fired_stop(waiting) if waiting.trigger is not None else self.protected(waiting)
                try:
                    self.check_funds_and_book(order)
                except Reject as reject:
                    self.add_line(f"reject {order.id} {order.account} {order.action} - {reject.code}")
                else:
                    self.enter(order)
        return any_fired

    def fired_stop(self, stop: NaiveOrder) -> NaiveOrder:
        """Close a stop; the order that it becomes."""
        self.close_unsettled(stop, "triggered")
        return NaiveOrder(
            stop.id,
            stop.account,
            stop.pair,
            stop.buys,
            stop.market,
            stop.price,
            stop.quantity,
            None if stop.market else stop.expiry,
            force=stop.force,
            post_only=stop.post_only,
            fired_fee=stop.taker_fee,
        )

    def protected(self, old: NaiveOrder) -> NaiveOrder:
        """Close an order whose protective stop is reached; the market order that follows."""
        left = old.remaining
        released = self.close_unsettled(old, "cancelled")
        return NaiveOrder(
            f"{old.id}~stop",
            old.account,
            old.pair,
            old.buys,
            True,
            old.stop_limit,
            released if old.buys else left,
            None,
            force="IOC",
            fired_fee=old.taker_fee,
        )

    def band_holds(self, pair: NaivePair, price: int, buys: bool, band_bps: int) -> bool:
        """Whether a price is within a grant's band around the mark."""
        mark = self.mark(pair)
        if mark is None:
            return False
        ratio = self.price_of(pair, price) / mark
        return ratio <= 1 + Fraction(band_bps, 10000) if buys else ratio >= 1 - Fraction(band_bps, 10000)
