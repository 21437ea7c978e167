"""Limits of what is signed ahead and sent at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from settlement.payouts.holds.send_limits import MAX_UNSENT, UnsentLimit
from settlement.payouts.payout_log import PayoutRecord
from settlement.payouts.plan import Payment, compose, slot_after
from settlement.payouts.policy import Policy
from settlement.store.read.payouts import PayoutClaim
from tests.system.payouts.world import VENUE
from tests.unit.payouts.test_plan import REFERENCE, START, coin


def payments(claims: Sequence[PayoutClaim]) -> list[Payment]:
    """One payment for each: coins are not batched."""
    return compose(claims, REFERENCE, VENUE, Policy(), slot_after(START))


def record(n: int, payment: Payment) -> PayoutRecord:
    """The payment, signed and not sent."""
    refs = tuple(claim.ref for claim in payment.members)
    expires = payment.transaction.expires
    signed = (payment.id, payment.escrow, payment.slot, expires, payment.transaction, {"STM": "1f"}, 1, 1)
    return PayoutRecord(n, *signed, None, None, None, refs, {})


@pytest.mark.parametrize(("returning", "more"), [(None, 0), (START + 30, MAX_UNSENT)])
def test_payments_that_are_not_sent_any_more_use_up_no_limit(returning: int | None, more: int) -> None:
    """A trader who cancels what was signed would otherwise hold up the account's payments until they expire."""
    first, later = [coin(n) for n in range(1, 11)], [coin(n) for n in range(11, 31)]
    records = [record(at, payment) for at, payment in enumerate(payments(first))]
    pending = {claim.ref: claim._replace(returning=returning) for claim in first}
    limit = UnsentLimit(records, pending)
    assert sum(limit.acquire(payment) for payment in payments(later)) == more
