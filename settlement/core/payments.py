"""Payments that the venue owes: pending withdrawals and refunds due (protocol, section 8)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Generic, TypeVar

from settlement.core.accounts import Balance
from settlement.core.heap_map import HeapMap
from settlement.core.parsing.names import encode

PaymentKey = tuple[str, ...]
"""Fields of the outgoing movement that settles a payment."""


def default_memo(payment_id: str) -> str:
    """The memo, percent-encoded, of a payment that has none of its own."""
    if payment_id.isalnum() and payment_id.isascii():  # a plain transaction id: ten times as fast
        return f"peakedex%3A{payment_id}"
    return encode(f"peakedex:{payment_id}")


@dataclass(slots=True, eq=False)
class Withdrawal:
    """A pending withdrawal."""

    n: int  # counts withdrawals in order of opening
    id: str
    balance: Balance  # the balance that it is paid from
    amount: int  # units
    to: str  # recipient, percent-encoded
    memo: str | None  # percent-encoded; None for the default memo
    returning: int | None = None  # when it is returned, Unix seconds; None while nobody has asked for that

    @property
    def account(self) -> str:
        return self.balance.account

    @property
    def payment_key(self) -> PaymentKey:
        """Token, amount, recipient and memo."""
        return (self.balance.symbol, str(self.amount), self.to, self.memo or default_memo(self.id))


@dataclass(slots=True, eq=False)
class Refund:
    """A deposit that could not be credited and is due back. All text is percent-encoded."""

    n: int  # counts refunds in order of arrival
    id: str
    account: str  # the sender of the deposit
    symbol: str  # a listed token, on its own chain
    quantity: str  # the literal quantity
    value: str  # the quantity by value, see `custody.value_text`
    escrow: str  # the account in which the deposit lies

    @property
    def payment_key(self) -> PaymentKey:
        """Token, value, recipient, memo and escrow account."""
        return (self.symbol, self.value, self.account, default_memo(self.id), self.escrow)


PendingPayment = TypeVar("PendingPayment", Withdrawal, Refund)


class PendingPayments(Generic[PendingPayment]):
    """Pending payments by id, in order of opening, and by the key of the movement that settles them."""

    __slots__ = ("_by_key", "by_id", "count_of")

    def __init__(self) -> None:
        self.by_id: dict[str, PendingPayment] = {}
        self.count_of: Counter[str] = Counter()  # by account; zero rows are removed
        self._by_key: dict[PaymentKey, HeapMap[int, PendingPayment]] = {}

    def open(self, payment: PendingPayment) -> None:
        """Add a payment; payments are opened in order of `n`."""
        self.by_id[payment.id] = payment
        self.count_of[payment.account] += 1
        self._by_key.setdefault(payment.payment_key, HeapMap()).put(payment.n, payment)

    def oldest(self, key: PaymentKey) -> PendingPayment | None:
        """The oldest payment that a movement with this key settles."""
        queue = self._by_key.get(key)
        return None if queue is None else queue.first()

    def close(self, payment: PendingPayment) -> None:
        """Remove a payment that was made or returned."""
        del self.by_id[payment.id]
        self.count_of[payment.account] -= 1
        if not self.count_of[payment.account]:
            del self.count_of[payment.account]
        queue = self._by_key[payment.payment_key]
        queue.discard(payment.n)
        if not queue:
            del self._by_key[payment.payment_key]
