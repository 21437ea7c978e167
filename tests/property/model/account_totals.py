"""Totals of each account out of deposits, trades and payments alone.

What an account holds, available, locked and withdrawing together, may change by nothing else: so nobody gains or loses
by placing, replacing, cancelling, expiring, firing, withdrawing and returning, by grants, timers or any action of the
operator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from settlement.core.journal import lines
from settlement.core.journal.lines import Line
from settlement.core.venue import Venue

Key = tuple[str, str]
"""Account and symbol."""


class AccountTotals:
    """Follows the journal."""

    def __init__(self, venue: Venue) -> None:
        self.totals: Counter[Key] = Counter()
        self.fee_account = venue.fee_account
        self.withdrawals: dict[str, lines.Withdraw] = {}

    def follow(self, journal: Iterable[Line]) -> None:
        for line in journal:
            match line:
                case lines.Deposit():
                    self.totals[line.account, line.symbol] += line.amount
                case lines.Withdraw():
                    self.withdrawals[line.id] = line
                case lines.Paid() if line.id in self.withdrawals:
                    paid = self.withdrawals.pop(line.id)
                    self.totals[paid.account, paid.symbol] -= paid.amount
                case lines.Rules():
                    self.fee_account = line.fee_account
                case lines.Trade():
                    self.trade(line)

    def trade(self, line: lines.Trade) -> None:
        base, quote = line.pair.split("/")
        self.totals[line.buyer, base] += line.quantity - line.buyer_fee
        self.totals[line.buyer, quote] -= line.quote_amount
        self.totals[line.seller, quote] += line.quote_amount - line.seller_fee
        self.totals[line.seller, base] -= line.quantity
        self.totals[self.fee_account, base] += line.buyer_fee
        self.totals[self.fee_account, quote] += line.seller_fee

    def of_state(self, text: str) -> dict[Key, int]:
        """The same totals as a state text has them."""
        rows = [row.split(" ") for row in text.splitlines() if row.startswith("balance ")]
        return {(row[1], row[2]): sum(map(int, row[3:])) for row in rows}
