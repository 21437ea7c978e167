"""Naive rules of who may act for an account, and how far (protocol, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from settlement.core.events import Action
from tests.property.model.naive_operator import NaiveOperator
from tests.property.model.naive_state import NaiveGrant, NaiveOrder
from tests.property.model.naive_values import (
    LARGEST,
    Payload,
    Reject,
    decimal,
    is_account,
    is_plain_text,
    is_symbol,
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


class NaiveGrants(NaiveOperator):
    """Authority, grants and their allowances."""

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

    def may_reach(self, grant: NaiveGrant | None, order: NaiveOrder) -> bool:
        """Whether what a grant allows reaches an open order or stop."""
        if grant is None:
            return True
        return order.pair.name in grant.pairs and order.stop_price is None and order.trigger is None

    def drop_timer(self, account: str, by: str) -> None:
        self.timers = [timer for timer in self.timers if (timer.account, timer.by) != (account, by)]

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
        pairs: Any = p.payload.get("pairs")
        p.need(isinstance(pairs, list) and 1 <= len(pairs) <= 20)
        for text in pairs:
            p.need(is_plain_text(text) and text.count("/") == 1)
            p.need(all(is_symbol(symbol) for symbol in text.split("/")))
        p.need(len(set(pairs)) == len(pairs))
        per_day: Any = p.payload.get("perDay")
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
