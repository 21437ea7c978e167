"""Sending stage of a payout round: broadcasts recorded payments that have enough signatures."""

from __future__ import annotations

import logging
from typing import Final

from settlement.payouts.dependencies import Dependencies
from settlement.payouts.eligibility import LedgerView
from settlement.payouts.payout_log import (
    RETURNING,
    PayoutRecord,
    PayoutStatus,
    Statuses,
    read_records,
    record_answer,
)
from settlement.payouts.plan import slot_time
from settlement.payouts.policy import Policy
from settlement.payouts.send_limits import SendRateLimit
from settlement.payouts.signing import SignedTransaction
from settlement.store.read.payouts import SENT, SIGNED

RESEND_SECONDS: Final = 30
"""Chain time after which a payment that the ledger does not show is sent again."""

log = logging.getLogger("peakedex.payouts")


class PaymentSender:
    """Sends recorded payments, and enters their state into `statuses`."""

    def __init__(self, dependencies: Dependencies, policy: Policy) -> None:
        self._dependencies = dependencies
        self._policy = policy

    def run(self, view: LedgerView, head: int, statuses: Statuses) -> None:
        """Send what is complete and was not sent lately. Raises SQLAlchemyError."""
        with self._dependencies.reader.connect() as connection:
            records = [r for r in read_records(connection) if r.expires >= view.ledger.timestamp]
        rate = SendRateLimit(records)
        for record in records:
            claims = [view.pending.get(ref) for ref in record.members]
            reason = record.answer
            if None not in claims and _is_due(record, view, head):
                reason = self._send(record, head, rate)
                record = record._replace(last_sent=rate.last_sent(record))
            status = self._status(record, reason)
            statuses |= {claim.ref: status for claim in claims if claim is not None}

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
        if answer is not None:
            log.warning("sent %s, %s", record.id, answer)
        return answer

    def _status(self, record: PayoutRecord, reason: str | None) -> PayoutStatus:
        next_attempt = slot_time(record.slot + self._policy.period)
        if record.last_sent is not None:
            return PayoutStatus(SENT, reason, next_attempt)
        if not record.is_complete:
            reason = f"signatures have weight {record.weight} of {record.needed}"
        return PayoutStatus(SIGNED, reason, next_attempt)


def _is_due(record: PayoutRecord, view: LedgerView, head: int) -> bool:
    if any(view.decisions.get(ref) == RETURNING for ref in record.members):
        return False
    is_unsent = record.last_sent is None or head - record.last_sent >= RESEND_SECONDS
    return record.is_complete and is_unsent and record.expires > head
