"""Sending stage of a payout round: broadcasts recorded payments that have enough signatures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from settlement.net.change_logger import ChangeLogger
from settlement.payouts.dependencies import Dependencies
from settlement.payouts.holds.eligibility import LedgerView
from settlement.payouts.holds.send_limits import SendRateLimit, is_sendable
from settlement.payouts.payout_log import (
    PayoutRecord,
    PayoutStatus,
    Statuses,
    read_records,
    record_answer,
)
from settlement.payouts.plan import in_rotation, slot_time
from settlement.payouts.policy import Policy
from settlement.payouts.signing.transactions import SignedTransaction
from settlement.store.read.payouts import SENT, SIGNED

RESEND_SECONDS: Final = 30
"""Chain time after which a payment that the ledger does not show is sent again; it doubles from then on."""
MAX_SENDS: Final = 50
"""Broadcasts in a round: the ledger is read again after them."""

log = logging.getLogger("peakedex.payouts")


class PaymentSender:
    """Sends recorded payments, and enters their state into `statuses`."""

    def __init__(self, dependencies: Dependencies, policy: Policy) -> None:
        self._dependencies = dependencies
        self._policy = policy
        self._answers = ChangeLogger(log)  # by transaction: the same answer is logged once

    def run(self, view: LedgerView, head: int, statuses: Statuses) -> None:
        """Send what is complete and was not sent lately. Raises SQLAlchemyError."""
        with self._dependencies.reader.connect() as connection:
            records = [r for r in read_records(connection) if r.expires >= view.ledger.timestamp]
        rate, left = SendRateLimit(records), MAX_SENDS
        for record in _in_order(records, view):
            if record.refusals:
                continue
            claims = [view.pending.get(ref) for ref in record.members]
            reason = record.answer
            is_due = bool(left) and None not in claims and _is_due(record, view, head)
            if is_due and not self._dependencies.is_paused():
                reason = self._send(record, head, rate)
                left -= rate.last_sent(record) != record.last_sent
                record = record._replace(last_sent=rate.last_sent(record))
            status = self._status(record, reason)
            statuses |= {
                claim.ref: status for claim in claims if claim is not None and claim.returning is None
            }

    def _send(self, record: PayoutRecord, head: int, rate: SendRateLimit) -> str | None:
        """Why the payment is not accepted yet; None where a node has accepted it, or it waits its turn."""
        dependencies = self._dependencies
        signatures = dependencies.keys.sufficient(record.escrow, record.signatures)
        if signatures is None:
            return "its signatures no longer suffice"
        if not rate.allows(record, head):
            return None
        dependencies.guard()
        dependencies.step("send")
        outcome = dependencies.chain.broadcast(SignedTransaction(record.transaction, signatures))
        dependencies.step("sent")
        answer = None if outcome.status == "sent" else f"{outcome.status}: {outcome.reason}"
        with dependencies.writer.begin() as connection:
            record_answer(connection, record.n, head, answer)
        rate.sent(record, head)
        dependencies.step("answered")
        self._answers.log(f"sent {record.id}, {answer or 'accepted'}", record.id, _level(answer))
        return answer

    def _status(self, record: PayoutRecord, reason: str | None) -> PayoutStatus:
        next_attempt = slot_time(record.slot + self._policy.period)
        if record.last_sent is not None:
            return PayoutStatus(SENT, reason, next_attempt)
        if not record.is_complete:
            reason = f"signatures have weight {record.weight} of {record.needed}"
        return PayoutStatus(SIGNED, reason, next_attempt)


def _is_due(record: PayoutRecord, view: LedgerView, head: int) -> bool:
    if not is_sendable([view.pending[ref] for ref in record.members]):
        return False
    return record.is_complete and _is_next_send(record, head) and record.expires > head


def _is_next_send(record: PayoutRecord, head: int) -> bool:
    """Whether it is time for the next broadcast: the time between two doubles.

    So it is where the last one is in the future: that head time was wrong.
    """
    if record.last_sent is None:
        return True
    elapsed = record.last_sent - (record.first_sent or record.last_sent)
    return not -RESEND_SECONDS < head - record.last_sent < max(RESEND_SECONDS, elapsed)


def _in_order(records: Sequence[PayoutRecord], view: LedgerView) -> list[PayoutRecord]:
    """What was never sent comes first; each part by accounts in turn, refunds last."""
    firsts = [view.pending[record.members[0]] for record in records if record.members[0] in view.pending]
    ranks = {claim.ref: rank for rank, claim in enumerate(in_rotation(firsts))}
    return sorted(records, key=lambda one: (one.last_sent is not None, ranks.get(one.members[0], 0), one.n))


def _level(answer: str | None) -> int:
    return logging.INFO if answer is None else logging.WARNING
