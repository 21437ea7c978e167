"""Naive rules of operator actions (protocol, section 9)."""

from __future__ import annotations

import re
from collections.abc import Callable

from settlement.core.events import Action
from tests.property.model.naive_state import NaivePair, NaiveToken, NaiveWithdrawal
from tests.property.model.naive_trading import NaiveTrading
from tests.property.model.naive_values import (
    LARGEST,
    Payload,
    Reject,
    is_account,
    is_symbol,
    or_dash,
    require,
    whole,
)

Effect = Callable[[], None]
"""Carries out an accepted action."""
Check = Callable[[], Effect]
"""The checks from 4 on."""


def is_hash(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


class NaiveOperator(NaiveTrading):
    """What the operator may change."""

    def operator_actions(self) -> dict[str, Callable[[Payload], Check]]:
        return {
            "listToken": self.list_token,
            "listPair": self.list_pair,
            "updatePair": self.update_pair,
            "updateVenue": self.update_venue,
            "checkpoint": self.checkpoint,
            "returnWithdrawal": self.return_withdrawal,
            "upgrade": self.announce_upgrade,
        }

    def operate(self, a: Action, p: Payload, name: str) -> None:
        check = self.operator_actions()[name](p)
        may = [self.venue.operator] + ([self.venue.checkpoint_account] if name == "checkpoint" else [])
        require(a.active and a.signer in may, "E_AUTH")
        require(p.not_after is None or self.now <= p.not_after, "E_LATE")
        effect = check()
        self.add_line(f"accept {a.id} {a.signer} active {name} {or_dash(p.ref)}")
        effect()

    def list_token(self, p: Payload) -> Check:
        symbol, precision = p.text("symbol", is_symbol), p.integer("precision", 0, 8)
        p.need(symbol not in ("HIVE", "HBD") or precision == 3)
        escrow = p.text("escrow", lambda name: name in self.escrows)
        minimum = p.amount("minWithdrawal")

        def check() -> Effect:
            require(symbol not in self.tokens, "E_TOKEN")
            units = whole(minimum, precision)
            require(units <= LARGEST, "E_RANGE")
            token = NaiveToken(symbol, precision, escrow, units)

            def effect() -> None:
                self.tokens[symbol] = token
                self.add_line(token.line())

            return effect

        return check

    def list_pair(self, p: Payload) -> Check:
        pair = NaivePair(
            p.text("symbol", is_symbol),
            p.text("quote", is_symbol),
            p.integer("priceDecimals", 0, 18),
            p.integer("quantityDecimals", -12, 8),
            p.optional_integer("makerFeeBps", 0, 1000) or 0,
            p.optional_integer("takerFeeBps", 0, 1000) or 0,
            str(p.one_of("pricePolicy", "maker", "ask", "bid", "midpoint", default="maker")),
            str(
                p.one_of("selfTrade", "cancel_resting", "cancel_incoming", "allow", default="cancel_resting")
            ),
            "active",
        )

        def check() -> Effect:
            require(pair.base in self.tokens and pair.quote in self.tokens, "E_TOKEN")
            require(pair.name not in [other.name for other in self.pairs], "E_PAIR")
            p.need(pair.base != pair.quote)
            p.need(pair.quantity_decimals <= self.tokens[pair.base].precision)
            p.need(pair.price_decimals + pair.quantity_decimals <= self.tokens[pair.quote].precision)

            def effect() -> None:
                self.pairs.append(pair)
                self.add_line(pair.line())

            return effect

        return check

    def update_pair(self, p: Payload) -> Check:
        base, quote = p.text("symbol", is_symbol), p.text("quote", is_symbol)
        maker, taker = p.optional_integer("makerFeeBps", 0, 1000), p.optional_integer("takerFeeBps", 0, 1000)
        policy = p.one_of("pricePolicy", "maker", "ask", "bid", "midpoint")
        own = p.one_of("selfTrade", "cancel_resting", "cancel_incoming", "allow")
        status = p.one_of("status", "active", "paused", "closed")

        def check() -> Effect:
            found = [pair for pair in self.pairs if pair.name == f"{base}/{quote}"]
            require(found != [], "E_PAIR")
            pair = found[0]
            require(pair.status != "closed", "E_PAUSED")

            def effect() -> None:
                if pair.status != "active" and status == "active":
                    self.to_fire.add(pair.name)
                pair.maker_fee_bps = pair.maker_fee_bps if maker is None else maker
                pair.taker_fee_bps = pair.taker_fee_bps if taker is None else taker
                pair.price_policy = policy or pair.price_policy
                pair.self_trade = own or pair.self_trade
                pair.status = status or pair.status
                self.add_line(pair.line())
                if status == "closed":
                    mine = [order for order in self.orders + self.stops if order.pair is pair]
                    for order in sorted(mine, key=lambda order: order.seq):
                        self.close(order, "cancelled")

            return effect

        return check

    def update_venue(self, p: Payload) -> Check:
        most = p.optional_integer("maxOpenOrders", 1, 10_000)
        fees = p.optional_text("feeAccount", lambda name: is_account(name) and name not in self.escrows)

        def effect() -> None:
            self.max_open_orders = most or self.max_open_orders
            self.fee_account = fees or self.fee_account
            self.add_line(f"rules {self.max_open_orders} {self.fee_account}")

        return lambda: effect

    def checkpoint(self, p: Payload) -> Check:
        block = p.integer("block", 0, LARGEST)
        state_hash, journal_hash = p.text("stateHash", is_hash), p.text("journalHash", is_hash)
        return lambda: lambda: self.add_line(f"checkpoint {block} {state_hash} {journal_hash}")

    def return_withdrawal(self, p: Payload) -> Check:
        id_ = p.text("id")

        def check() -> Effect:
            w = self.pending_withdrawal(id_)
            return lambda: self.start_return(w)

        return check

    def pending_withdrawal(self, id_: str) -> NaiveWithdrawal:
        """A pending withdrawal that is not going back already."""
        for w in self.withdrawals:
            if w.id == id_ and w.due is None:
                return w
        raise Reject("E_NOT_FOUND")

    def announce_upgrade(self, p: Payload) -> Check:
        protocol, text = p.integer("protocol", 3, 1_000_000), p.text("text", is_hash)
        block = p.integer("block", 0, 2**32 - 1)
        p.need(block == 0 or block >= self.header.number + 200_000)

        def effect() -> None:
            self.upgrade = (protocol, text, block) if block else None
            self.add_line(f"upgrade {protocol} {text} {block}" if block else "upgrade - - -")

        return lambda: effect
