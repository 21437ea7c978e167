"""Naive model: a second, simple implementation of the protocol, used as the reference in tests.

It uses lists, sums, linear scans and exact fractions, and no index. It is written from the protocol's text and shares
only the events and the venue's fields with `settlement.core`. Where the two differ, the protocol decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256

from settlement.core.events import Action, BlockHeader, Event, Movement
from tests.property.model.naive_operator import NaiveOperator
from tests.property.model.naive_state import NaiveGrant, NaiveOrder, NaivePair, NaiveTimer, iso
from tests.property.model.naive_values import (
    LARGEST,
    Payload,
    Reject,
    decimal,
    encoded,
    is_account,
    is_memo,
    is_plain_text,
    is_symbol,
    may_be_run_by_the_sidechain,
    or_dash,
    require,
    whole,
)

GRANTABLE = ("buy", "sell", "marketBuy", "marketSell", "replace", "cancel", "cancelAll", "cancelAllAfter")


@dataclass
class Actor:
    """For whom an intent acts, how it was signed, and under which grant."""

    account: str
    by: str
    grant: NaiveGrant | None


@dataclass
class Wish:
    """An order as a payload asks for it."""

    base: str
    quote: str
    buys: bool
    market: bool
    quantity: Fraction
    price: Fraction | None
    max_fee: int | None
    life: int | None = None
    force: str = "GTC"
    post_only: bool = False
    wallet: bool = False
    trigger: Fraction | None = None
    above: bool = False
    stop_price: Fraction | None = None
    stop_limit: Fraction | None = None


Decide = Callable[[Actor], None]
"""The checks from 4 on of an intent, and its effects."""


class NaiveModel(NaiveOperator):
    """State and rules: begin a block, apply its events one by one, end it. `lines` is the block's journal."""

    # ------------------------------------------------------------ blocks (sections 3 and 11)

    def apply(self, header: BlockHeader, events: Iterable[Event] = ()) -> list[str]:
        self.begin_block(header)
        for event in events:
            self.apply_event(event)
        return self.end_block()

    def begin_block(self, header: BlockHeader) -> None:
        self.header = header
        self.lines = []
        self.fired = {}
        self.to_fire = set()
        self.expire()
        for grant in list(self.grants):
            if grant.until <= self.now:
                self.end_grant(grant)
        for timer in sorted(self.timers, key=lambda timer: (timer.due, timer.account, timer.by)):
            if timer.due <= self.now:
                self.timers.remove(timer)
                self.add_line(f"timeout {timer.account} {timer.by}")
                for order in self.reachable(timer.account, self.grant_of(timer.account, timer.by)):
                    self.close(order, "cancelled")
        self.return_due()
        self.fire(set(self.left))

    def apply_event(self, event: Event) -> None:
        if isinstance(event, Movement):
            self.movement(event)
            return
        payload = Payload(event.payload)
        try:
            self.action(event, payload)
        except Reject as reject:
            word = (
                event.name
                if is_plain_text(event.name) and re.fullmatch("[A-Za-z]{1,32}", str(event.name))
                else "-"
            )
            self.add_line(
                f"reject {event.id} {encoded(event.signer)} {word} {or_dash(payload.ref)} {reject.code}"
            )

    def end_block(self) -> list[str]:
        self.fire(self.to_fire)
        self.left = sorted(name for name, count in self.fired.items() if count == 1000)
        if not self.lines:
            return []
        self.lines.insert(0, f"block {self.header.number} {self.header.block_id} {iso(self.now)}")
        text = self.journal_hash + "\n" + "".join(line + "\n" for line in self.lines)
        self.journal_hash = sha256(text.encode()).hexdigest()
        return self.lines

    # ------------------------------------------------------------ actions (sections 5 and 6)

    def action(self, a: Action, p: Payload) -> None:
        p.check(a.payload)
        if a.flat:
            self.trade_for(a, p, "buy" if a.name == "buy" else "sell", self.read_flat(a, p))
            return
        require(is_plain_text(a.name), "E_INPUT")
        name = str(a.name)
        if name in self.operator_actions():
            self.operate(a, p, name)
            return
        readers: dict[str, Callable[[Action, Payload, str], Decide]] = {
            "cancel": self.read_cancel,
            "cancelAll": self.read_cancel_all,
            "cancelAllAfter": self.read_timer,
            "replace": self.read_replace,
            "withdraw": self.read_withdraw,
            "cancelWithdrawal": self.read_cancel_withdrawal,
            "grant": self.read_grant,
            "revoke": self.read_revoke,
        }
        if name in ("buy", "sell", "marketBuy", "marketSell"):
            self.trade_for(a, p, name, self.read_order(name, p))
            return
        require(name in readers, "E_INPUT")
        decide = readers[name](a, p, self.principal(a, p))
        actor = self.actor(a, p, name)
        self.in_time(p)
        decide(actor)

    def principal(self, a: Action, p: Payload) -> str:
        """The account acted for."""
        if a.flat or "for" not in p:
            return a.signer
        principal = p.text("for", is_account)
        p.need(principal != a.signer)
        return principal

    def in_time(self, p: Payload) -> None:
        require(p.not_after is None or self.now <= p.not_after, "E_LATE")

    def actor(self, a: Action, p: Payload, name: str, wish: Wish | None = None) -> Actor:
        """Check 2: by which right an intent acts."""
        account = self.principal(a, p)
        if account == a.signer:
            if a.active:
                return Actor(account, "active", None)
            by = "posting"
        else:
            require(a.active and a.signer != "posting", "E_AUTH")
            by = a.signer
        grant = self.grant_of(account, by)
        if grant is None:
            raise Reject("E_AUTH")
        require(name in GRANTABLE, "E_GRANT")
        if not a.flat:
            require("stopPrice" not in p or name not in ("buy", "sell", "replace"), "E_GRANT")
        if wish is not None:
            require(a.flat or "settle" not in p, "E_GRANT")
            require(wish.trigger is None and not (wish.market and wish.price is None), "E_GRANT")
            pair = f"{wish.base}/{wish.quote}"
            listed = pair in [pair.name for pair in self.pairs]
            require(not listed or pair in grant.pairs, "E_GRANT")
        return Actor(account, by, grant)

    def accept(self, a: Action, p: Payload, actor: Actor, name: str) -> None:
        self.add_line(f"accept {a.id} {actor.account} {actor.by} {name} {or_dash(p.ref)}")

    # ------------------------------------------------------------ new orders and stops

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

    def may_reach(self, grant: NaiveGrant | None, order: NaiveOrder) -> bool:
        """Whether what a grant allows reaches an open order or stop."""
        if grant is None:
            return True
        return order.pair.name in grant.pairs and order.stop_price is None and order.trigger is None

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

    def read_timer(self, a: Action, p: Payload, account: str) -> Decide:
        seconds = p.integer("seconds", 0, 86_400)
        p.need(seconds == 0 or seconds >= 15)

        def decide(actor: Actor) -> None:
            self.accept(a, p, actor, "cancelAllAfter")
            self.drop_timer(account, actor.by)
            due = self.now + seconds if seconds else None
            if due is not None:
                self.timers.append(NaiveTimer(account, actor.by, due))
            self.add_line(f"timer {account} {actor.by} {or_dash(due)}")

        return decide

    def drop_timer(self, account: str, by: str) -> None:
        self.timers = [timer for timer in self.timers if (timer.account, timer.by) != (account, by)]

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

    # ------------------------------------------------------------ withdrawals

    def read_withdraw(self, a: Action, p: Payload, account: str) -> Decide:
        symbol = p.text("symbol", is_symbol)
        everything = p.payload.get("quantity") == "all"
        quantity = Fraction(0) if everything else p.amount("quantity")
        to = p.text("to", is_account) if "to" in p else account
        memo = p.optional_text("memo", is_memo)
        p.need(to not in self.escrows)
        if memo is not None and symbol in ("HIVE", "HBD"):
            p.need(not may_be_run_by_the_sidechain(memo))

        def decide(actor: Actor) -> None:
            require(symbol in self.tokens, "E_TOKEN")
            available = self.balance(account, symbol).available
            pending = self.pending_of(account)
            amount = available if everything else whole(quantity, self.tokens[symbol].precision)
            require(amount <= LARGEST, "E_RANGE")
            require(pending < 20, "E_LIMIT")
            if not (everything and pending == 0):
                require(amount >= self.tokens[symbol].minimum, "E_MINIMUM")
            require(0 < amount <= available, "E_FUNDS")
            self.accept(a, p, actor, "withdraw")
            self.open_withdrawal(a.id, account, symbol, amount, to, memo)

        return decide

    def read_cancel_withdrawal(self, a: Action, p: Payload, account: str) -> Decide:
        id_ = p.text("id")

        def decide(actor: Actor) -> None:
            w = self.pending_withdrawal(id_)
            require(w.account == account, "E_OWNER")
            self.accept(a, p, actor, "cancelWithdrawal")
            self.start_return(w)

        return decide

    # ------------------------------------------------------------ grants (section 6)

    def grant_of(self, account: str, by: str) -> NaiveGrant | None:
        for grant in self.grants:
            if (grant.account, grant.to) == (account, by):
                return grant
        return None

    def end_grant(self, grant: NaiveGrant) -> None:
        self.grants.remove(grant)
        self.drop_timer(grant.account, grant.to)

    def check_grant(self, actor: Actor, order: NaiveOrder, counted: int) -> None:
        """Band and allowance (check 7)."""
        grant = actor.grant
        if grant is None:
            return
        assert order.price is not None
        require(self.band_holds(order.pair, order.price, order.buys, grant.band_bps), "E_GRANT")
        used = grant.used.get(order.gives, 0) if grant.day == self.now // 86_400 else 0
        require(used + counted <= grant.per_day.get(order.gives, 0), "E_GRANT")

    def count(self, actor: Actor, order: NaiveOrder, counted: int) -> None:
        grant, today = actor.grant, self.now // 86_400
        if grant is None or counted == 0:
            return
        if grant.day != today:
            grant.day, grant.used = today, {}
        grant.used[order.gives] = grant.used.get(order.gives, 0) + counted

    def read_grant(self, a: Action, p: Payload, account: str) -> Decide:
        to = p.text("to", is_account)
        p.need(to == "posting" or to not in (a.signer, "active"))
        pairs = p.payload.get("pairs")
        p.need(isinstance(pairs, list) and 1 <= len(pairs) <= 20)
        for text in pairs:
            p.need(is_plain_text(text) and text.count("/") == 1)
            p.need(all(is_symbol(symbol) for symbol in text.split("/")))
        p.need(len(set(pairs)) == len(pairs))
        per_day = p.payload.get("perDay")
        p.need(isinstance(per_day, dict) and 1 <= len(per_day) <= 20)
        p.need(all(is_symbol(symbol) for symbol in per_day))
        wanted = {symbol: decimal(amount) for symbol, amount in per_day.items()}
        band = p.integer("bandBps", 0, 10_000)
        until = p.integer("until", self.now + 1, self.now + 7_776_000)

        def decide(actor: Actor) -> None:
            require(set(pairs) <= {pair.name for pair in self.pairs}, "E_PAIR")
            require(set(wanted) <= set(self.tokens), "E_TOKEN")
            units = {
                symbol: whole(amount, self.tokens[symbol].precision) for symbol, amount in wanted.items()
            }
            require(max(units.values()) <= LARGEST, "E_RANGE")
            others = [g for g in self.grants if g.account == account and g.to != to]
            require(len(others) < 10, "E_LIMIT")
            self.accept(a, p, actor, "grant")
            self.grants = [g for g in self.grants if (g.account, g.to) != (account, to)]
            grant = NaiveGrant(account, to, until, band, pairs, units)
            self.grants.append(grant)
            self.add_line(grant.line())

        return decide

    def read_revoke(self, a: Action, p: Payload, account: str) -> Decide:
        to = p.text("to", is_account)

        def decide(actor: Actor) -> None:
            grant = self.grant_of(account, to)
            if grant is None:
                raise Reject("E_NOT_FOUND")
            self.accept(a, p, actor, "revoke")
            self.end_grant(grant)
            self.add_line(f"revoke {account} {to}")

        return decide
