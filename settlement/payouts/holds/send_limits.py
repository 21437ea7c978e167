"""Send limits: how many payments of an escrow account are signed ahead, and how many are sent at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from settlement.payouts.payout_log import PayoutRecord
from settlement.payouts.plan import ClaimRef, Payment
from settlement.store.read.payouts import PayoutClaim

WINDOW_SECONDS: Final = 9
"""Chain time, three blocks. MAX_ACTIONS and MAX_CUSTOM_JSON are per escrow account and window."""
MAX_ACTIONS: Final = 19
MAX_CUSTOM_JSON: Final = 4
MAX_UNSENT: Final = 10
"""Fully signed payments of an account that wait to be sent. No more are signed until they are."""
MAX_INCOMPLETE: Final = 200
"""The same for payments that wait for signatures of other operators."""
SHARE: Final = 5
"""Payments beyond a limit, as a multiple of it, for accounts of which none waits yet."""


def is_sendable(claims: Collection[PayoutClaim]) -> bool:
    """Whether a signed payment of these pending claims is still sent: unless all of them are returning."""
    return any(claim.returning is None for claim in claims)


class UnsentLimit:
    """Limits the payments of an escrow account that are signed and not sent.

    Beyond the limit one payment for each account is signed, so that the claims of one delay no other's.
    """

    def __init__(self, records: Iterable[PayoutRecord], pending: Mapping[ClaimRef, PayoutClaim]) -> None:
        self._unsent: Counter[str] = Counter()
        self._incomplete: Counter[str] = Counter()
        self._waiting: set[tuple[str, str]] = set()  # escrow account, and account that is paid
        for record in records:
            claims = [pending[ref] for ref in record.members if ref in pending]
            if (record.is_complete and record.last_sent is not None) or not is_sendable(claims):
                continue
            (self._unsent if record.is_complete else self._incomplete)[record.escrow] += 1
            self._waiting |= {(record.escrow, claim.account) for claim in claims}

    def acquire(self, payment: Payment) -> bool:
        """Count one more payment; False where the account has reached its limit."""
        escrow, account = payment.escrow, payment.members[0].account
        share = 1 if (escrow, account) in self._waiting else SHARE
        if self._unsent[escrow] >= share * MAX_UNSENT or self._incomplete[escrow] >= share * MAX_INCOMPLETE:
            return False
        self._unsent[escrow] += 1
        self._waiting |= {(escrow, claim.account) for claim in payment.members}
        return True


class SendRateLimit:
    """Limits what an escrow account sends within a window that may end up in one block.

    The sidechain executes 20 actions of an account in a block, and nodes accept five `custom_json` of it.
    """

    def __init__(self, records: Iterable[PayoutRecord]) -> None:
        self._records = {record.n: record for record in records}

    def allows(self, record: PayoutRecord, head: int) -> bool:
        """Whether the payment may be sent at this head time."""
        if not record.is_token_payment:
            return True
        recent = [
            other
            for other in self._records.values()
            if other.is_token_payment
            and other.escrow == record.escrow
            and other.n != record.n
            and other.last_sent is not None
            and abs(other.last_sent - head) < WINDOW_SECONDS  # a later one was a wrong head time
        ]
        actions = sum(len(other.members) for other in (*recent, record))
        return actions <= MAX_ACTIONS and len(recent) < MAX_CUSTOM_JSON

    def sent(self, record: PayoutRecord, head: int) -> None:
        """Record that the payment was sent at this head time."""
        self._records[record.n] = record._replace(last_sent=head)

    def last_sent(self, record: PayoutRecord) -> int | None:
        """Head time at which the payment was last sent."""
        return self._records[record.n].last_sent
