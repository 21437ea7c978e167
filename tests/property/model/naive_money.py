"""Naive rules of money in and out: deposits, refunds, payments, withdrawals and their returns (protocol, section 8)."""

from __future__ import annotations

import math
from fractions import Fraction

from settlement.core.events import Movement
from tests.property.model.naive_state import NaiveRefund, NaiveState, NaiveToken, NaiveWithdrawal
from tests.property.model.naive_values import credit_of, digits_of, encoded, quantity_of

MOST_PENDING = 20
"""Pending withdrawals of an account, and refunds due to one."""


class NaiveMoney(NaiveState):
    """Movements of the chain and what they do to the venue's state."""

    def movement(self, m: Movement) -> None:
        token = self.tokens.get(m.symbol)
        if token is not None and token.chain != m.chain:
            token = None
        value = quantity_of(m.quantity)
        if m.sender not in self.escrows:
            self.incoming(m, token, value)
        elif m.recipient in self.escrows and not m.outflow_only:
            self.internal(m, token, value)
        else:
            self.outgoing(m, token, value)

    def incoming(self, m: Movement, token: NaiveToken | None, value: Fraction | None) -> None:
        if token is not None and value is not None:
            units = credit_of(value, token.precision)
            fits = units is not None and self.total(token.symbol) + units < 2**63
            if units is not None and fits and m.recipient == token.escrow:
                self.balance(m.sender, m.symbol).available += units
                self.change_holdings(m.symbol, units)
                self.add_line(f"deposit {m.id} {encoded(m.sender)} {m.symbol} {units} {m.recipient}")
                return
            enough = value >= Fraction(token.minimum, 10**token.precision)
            if enough and len([r for r in self.refunds if r.account == m.sender]) < MOST_PENDING:
                refund = NaiveRefund(m.id, m.sender, m.symbol, m.quantity, m.recipient)
                self.refunds.append(refund)
                self.add_line(refund.line())
                return
        self.add_line(
            f"ignore {m.id} {encoded(m.sender)} {m.chain} {encoded(m.symbol)} {encoded(m.quantity)} {m.recipient}"
        )

    def internal(self, m: Movement, token: NaiveToken | None, value: Fraction | None) -> None:
        change = 0
        if token is not None and value is not None and m.sender != m.recipient:
            units = value * 10**token.precision
            if m.sender == token.escrow:
                change = -math.ceil(units)
            if m.recipient == token.escrow:
                change = math.floor(units)
            self.change_holdings(m.symbol, change)
        amount = digits_of(abs(change)) if change else "=" + encoded(m.quantity)
        self.add_line(f"internal {m.id} {m.sender} {m.recipient} {m.chain} {encoded(m.symbol)} {amount}")

    def outgoing(self, m: Movement, token: NaiveToken | None, value: Fraction | None) -> None:
        lost = 0
        if token is not None and value is not None:
            if not m.outflow_only and self.pays(m, token, value):
                return
            if m.sender == token.escrow:
                lost = math.ceil(value * 10**token.precision)
                self.change_holdings(m.symbol, -lost)
        amount = digits_of(lost) if lost else "=" + encoded(m.quantity)
        self.add_line(
            f"outflow {m.id} {m.sender} {m.chain} {encoded(m.symbol)} {amount} {encoded(m.recipient)}"
        )

    def pays(self, m: Movement, token: NaiveToken, value: Fraction) -> bool:
        """Whether the movement settles a withdrawal, or else a refund."""
        memo = m.memo or ""
        for w in self.withdrawals:
            due = Fraction(w.amount, 10**token.precision)
            wanted = f"peakedex:{w.id}" if w.memo is None else w.memo
            same = (w.symbol, w.to, wanted) == (m.symbol, m.recipient, memo) and due == value
            if same and m.sender == token.escrow:
                self.withdrawals.remove(w)
                self.balance(w.account, w.symbol).withdrawing -= w.amount
                self.change_holdings(w.symbol, -w.amount)
                self.add_line(f"paid {w.id} {m.id}")
                return True
        for r in self.refunds:
            same = (r.symbol, r.escrow, r.account) == (m.symbol, m.sender, m.recipient)
            if same and quantity_of(r.literal) == value and memo == f"peakedex:{r.id}":
                self.refunds.remove(r)
                self.add_line(f"paid {r.id} {m.id}")
                return True
        return False

    # ------------------------------------------------------------ withdrawals

    def pending_of(self, account: str) -> int:
        return len([w for w in self.withdrawals if w.account == account])

    def open_withdrawal(
        self, id_: str, account: str, symbol: str, amount: int, to: str, memo: str | None
    ) -> None:
        held = self.balance(account, symbol)
        held.available -= amount
        held.withdrawing += amount
        withdrawal = NaiveWithdrawal(id_, account, symbol, amount, to, memo)
        self.withdrawals.append(withdrawal)
        self.add_line(f"withdraw {withdrawal.line()}")

    def start_return(self, w: NaiveWithdrawal) -> None:
        w.due = self.now + 3600
        self.add_line(f"returning {w.id} {w.due}")

    def return_due(self) -> None:
        due = [w for w in self.withdrawals if w.due is not None and w.due <= self.now]
        for w in sorted(due, key=lambda w: w.due or 0):  # a stable sort: then by order of opening
            self.withdrawals.remove(w)
            held = self.balance(w.account, w.symbol)
            held.withdrawing -= w.amount
            held.available += w.amount
            self.add_line(f"return {w.id}")
