"""Naive rules of orders and stops: place, cancel, replace (protocol, section 5)."""

from __future__ import annotations

from fractions import Fraction

from settlement.core.events import Action
from tests.property.model.naive_grants import Actor, Decide, NaiveGrants, Wish
from tests.property.model.naive_state import NaiveGrant, NaiveOrder, NaivePair
from tests.property.model.naive_values import LARGEST, Payload, Reject, is_symbol, require, whole


class NaiveOrders(NaiveGrants):
    """From a payload to an order, a stop or a close."""

    def read_flat(self, a: Action, p: Payload) -> Wish:
        p.need(a.name in ("buy", "sell"))
        wish = Wish(
            p.text("base", is_symbol),
            p.text("quote", is_symbol),
            a.name == "buy",
            False,
            p.amount("amount"),
            p.amount("price"),
            p.optional_integer("maxFeeBps", 0, 1000),
        )
        if "username" in p:
            require(p.text("username") == a.signer, "E_AUTH")
        return wish

    def read_order(self, name: str, p: Payload) -> Wish:
        market = name.startswith("market")
        wish = Wish(
            p.text("symbol", is_symbol),
            p.optional_text("quote", is_symbol) or "SWAP.HIVE",
            name in ("buy", "marketBuy"),
            market,
            p.amount("quantity"),
            p.optional_amount("price") if market else p.amount("price"),
            p.optional_integer("maxFeeBps", 0, 1000),
        )
        wish.wallet = p.one_of("settle", "venue", "wallet", default="venue") == "wallet"
        wish.force = "IOC" if market else str(p.one_of("timeInForce", "GTC", "IOC", "FOK", default="GTC"))
        has_trigger = "triggerPrice" in p or "triggerWhen" in p
        if has_trigger:
            wish.trigger = p.amount("triggerPrice")
            wish.above = p.text("triggerWhen", lambda text: text in ("above", "below")) == "above"
            p.need(not wish.wallet and wish.price is not None)
        if not market:
            wish.post_only = p.flag("postOnly")
            if "stopPrice" in p or "stopLimit" in p:
                wish.stop_price, wish.stop_limit = p.amount("stopPrice"), p.amount("stopLimit")
                p.need(wish.force == "GTC" and not has_trigger and not wish.wallet)
        if not market or has_trigger:
            wish.life = p.optional_integer("expiration", 1, 10**19 - 1)
        return wish

    def trade_for(self, a: Action, p: Payload, name: str, wish: Wish) -> None:
        actor = self.actor(a, p, name, wish)
        self.in_time(p)
        self.place(a, p, actor, name, wish)

    def place(self, a: Action, p: Payload, actor: Actor, name: str, wish: Wish) -> None:
        """Checks from 5 on, and what an accepted order does."""
        pair = self.find(wish.base, wish.quote)
        life = self.venue.order_lifetime if wish.life is None else min(wish.life, self.venue.order_lifetime)
        order = self.measured(a.id, actor.account, pair, wish, self.now + life)
        require(wish.max_fee is None or wish.max_fee >= pair.taker_fee_bps, "E_FEE")
        counted = self.lock_of(order)
        self.check_grant(actor, order, counted)
        mine = [o for o in self.orders + self.stops if o.account == actor.account]
        if wish.trigger is not None or (not wish.market and wish.force == "GTC"):
            require(len(mine) < self.max_open_orders, "E_LIMIT")
        self.check_triggers(order)
        self.check_funds_and_book(order)
        self.accept(a, p, actor, name)
        self.count(actor, order, counted)
        if order.trigger is None:
            self.enter(order)
        else:
            self.open_stop(order)

    def find(self, base: str, quote: str) -> NaivePair:
        for pair in self.pairs:
            if (pair.base, pair.quote) == (base, quote):
                return pair
        raise Reject("E_PAIR")

    def measured(self, id_: str, account: str, pair: NaivePair, wish: Wish, expiry: int) -> NaiveOrder:
        """Checks 5 and 6: status, precision, range. All in units and ticks."""
        require(pair.status == "active", "E_PAUSED")
        if wish.market and wish.buys:
            units = whole(wish.quantity, self.tokens[pair.quote].precision)
        else:
            whole(wish.quantity, pair.quantity_decimals)  # lots
            units = whole(wish.quantity, self.tokens[pair.base].precision)
        ticks = [
            None if price is None else whole(price, pair.price_decimals)
            for price in (wish.price, wish.trigger, wish.stop_price, wish.stop_limit)
        ]
        require(max(units, *(tick or 0 for tick in ticks)) <= LARGEST, "E_RANGE")
        price, trigger, stop_price, stop_limit = ticks
        if not wish.market:
            assert price is not None
            require(self.value(pair, price, units) <= LARGEST, "E_RANGE")
        return NaiveOrder(
            id_,
            account,
            pair,
            wish.buys,
            wish.market,
            price,
            units,
            None if wish.market and trigger is None else expiry,
            wallet=wish.wallet,
            force=wish.force,
            post_only=wish.post_only,
            stop_price=stop_price,
            stop_limit=stop_limit,
            trigger=trigger,
            above=wish.above,
        )

    def check_triggers(self, order: NaiveOrder) -> None:
        """Check 9."""
        if order.trigger is not None:
            require(not self.is_reached(order.pair, order.trigger, order.above), "E_TRIGGER")
        if order.stop_price is not None:
            require(not self.is_reached(order.pair, order.stop_price, order.buys), "E_TRIGGER")

    # ------------------------------------------------------------ orders that are open

    def own_order(self, account: str, id_: str, *, stops: bool) -> NaiveOrder:
        for order in self.orders + (self.stops if stops else []):
            if order.id == id_:
                require(order.account == account, "E_OWNER")
                return order
        raise Reject("E_NOT_FOUND")

    def reachable(self, account: str, grant: NaiveGrant | None) -> list[NaiveOrder]:
        mine = [order for order in self.orders if order.account == account and self.may_reach(grant, order)]
        return sorted(mine, key=lambda order: order.seq)

    def read_cancel(self, a: Action, p: Payload, account: str) -> Decide:
        id_ = p.text("id")

        def decide(actor: Actor) -> None:
            order = self.own_order(account, id_, stops=True)
            require(self.may_reach(actor.grant, order), "E_GRANT")
            self.accept(a, p, actor, "cancel")
            self.close(order, "cancelled")

        return decide

    def read_cancel_all(self, a: Action, p: Payload, account: str) -> Decide:
        symbol, quote = p.optional_text("symbol", is_symbol), p.optional_text("quote", is_symbol)

        def fits(pair: NaivePair) -> bool:
            return symbol in (None, pair.base) and quote in (None, pair.quote)

        def decide(actor: Actor) -> None:
            if symbol is not None or quote is not None:
                require(any(fits(pair) for pair in self.pairs), "E_PAIR")
            self.accept(a, p, actor, "cancelAll")
            mine = self.reachable(account, actor.grant)
            if actor.grant is None:
                mine += [stop for stop in self.stops if stop.account == account]
            for order in sorted(mine, key=lambda order: order.seq):
                if fits(order.pair):
                    self.close(order, "cancelled")

        return decide

    def read_replace(self, a: Action, p: Payload, account: str) -> Decide:
        id_ = p.text("id")
        quantity, price = p.optional_amount("quantity"), p.optional_amount("price")
        new_stop = "stopPrice" in p or "stopLimit" in p
        stop = (p.amount("stopPrice"), p.amount("stopLimit")) if new_stop else None
        max_fee = p.optional_integer("maxFeeBps", 0, 1000)
        p.need(not (quantity is None and price is None and stop is None))

        def decide(actor: Actor) -> None:
            old = self.own_order(account, id_, stops=False)
            p.need(not (new_stop and old.wallet))
            require(
                actor.grant is None or (self.may_reach(actor.grant, old) and not old.wallet),
                "E_GRANT",
            )
            pair = old.pair
            scale = Fraction(1, 10**pair.price_decimals)
            old_stop = (
                None
                if old.stop_price is None or old.stop_limit is None
                else (old.stop_price * scale, old.stop_limit * scale)
            )
            stop_price, stop_limit = stop or old_stop or (None, None)
            wish = Wish(
                pair.base,
                pair.quote,
                old.buys,
                False,
                Fraction(old.remaining, 10 ** self.tokens[pair.base].precision)
                if quantity is None
                else quantity,
                (old.price or 0) * scale if price is None else price,
                max_fee,
                wallet=old.wallet,
                stop_price=stop_price,
                stop_limit=stop_limit,
            )
            expiry = self.now + self.venue.order_lifetime if actor.grant is None else old.expiry
            order = self.measured(a.id, account, pair, wish, expiry or 0)
            require(max_fee is None or max_fee >= pair.taker_fee_bps, "E_FEE")
            worse = (order.price or 0) > (old.price or 0)
            if not old.buys:
                worse = (order.price or 0) < (old.price or 0)
            counted = self.lock_of(order) if worse else max(0, self.lock_of(order) - old.locked)
            self.check_grant(actor, order, counted)
            others = [o for o in self.orders + self.stops if o.account == account and o is not old]
            require(len(others) < self.max_open_orders, "E_LIMIT")
            self.check_triggers(order)
            self.check_funds_and_book(order, old.locked)
            self.accept(a, p, actor, "replace")
            self.count(actor, order, counted)
            self.close_unsettled(old, "cancelled")
            order.received = old.received if old.wallet else 0
            self.enter(order)

        return decide
