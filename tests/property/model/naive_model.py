"""Naive model: a second, simple implementation of the protocol, used as the reference in tests.

It uses lists, sums, linear scans and exact fractions, and no index. It is written from the protocol's text and shares
only the events and the venue's fields with `settlement.core`. Where the two differ, the protocol decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from hashlib import sha256

from settlement.core.events import Action, BlockHeader, Event, Movement
from tests.property.model.naive_grants import Actor, Decide
from tests.property.model.naive_orders import NaiveOrders
from tests.property.model.naive_state import NaiveTimer, iso
from tests.property.model.naive_values import (
    LARGEST,
    Payload,
    Reject,
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


class NaiveModel(NaiveOrders):
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
        self.return_due()
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

    # ------------------------------------------------------------ timers and withdrawals

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
