"""Whether a planned payment may be signed now, as far as our own rows tell.

A judgement never changes a transaction: it is signed as everybody plans it, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection

from settlement.core.venue import Venue
from settlement.payouts.payout_log import (
    APPROVED,
    GIVEN_BACK,
    Note,
    Record,
    Settings,
    read_decisions,
    read_records,
    read_settings,
)
from settlement.payouts.plan import Payment, Ref, age, attempt, build_all, slot_after, slot_time, unpayable
from settlement.payouts.policy import HISTORY_SECONDS, Policy
from settlement.store.read.payouts import HELD, QUEUED, WAITING_APPROVAL, Claim, Ledger, read_ledger

OLDEST_REFERENCE: Final = 65_000
"""Blocks. A transaction can refer to one of the last 65,536."""


class View(NamedTuple):
    """All that a round of payouts looks at, read at once.

    `payments` are those of attempts that have not expired, oldest first; each of their members was pending
    when its slot began, and some may be closed since.
    """

    ledger: Ledger
    pending: dict[Ref, Claim]
    payments: tuple[Payment, ...]
    records: tuple[Record, ...]
    decisions: dict[Ref, int]
    settings: Settings

    def live_records(self) -> Iterator[Record]:
        """Signed transactions that may still get into a block, or are in one that is not read yet."""
        return (record for record in self.records if record.expires >= self.ledger.timestamp)


def read_view(connection: Connection, venue: Venue, policy: Policy) -> View | None:
    """The rows of now; None where there is no block yet."""
    ledger = read_ledger(connection, HISTORY_SECONDS)
    if ledger is None:
        return None
    pending = {claim.ref: claim for claim in ledger.claims if claim.closed is None}
    slots = {attempt(claim, policy, ledger.timestamp) for claim in pending.values()}
    payments = [
        payment
        for slot in sorted(slot for slot in slots if slot is not None)
        for payment in build_all(connection, ledger, venue, policy, slot)
    ]
    return View(
        ledger,
        pending,
        tuple(sorted(payments, key=age)),
        tuple(read_records(connection)),
        read_decisions(connection),
        read_settings(connection),
    )


def objection(payment: Payment, view: View, policy: Policy) -> Note | None:
    """Why the payment is not to be signed now; None where nothing of ours speaks against it."""
    after = slot_time(payment.slot + policy.period)
    if any(claim.closed is not None for claim in payment.members):
        return Note(QUEUED, "its batch is settled in part: it goes with the next one", after)
    for claim in payment.members:
        note = _stopped(claim, view, after)
        if note is not None:
            return note
    if payment.over is not None and view.decisions.get(payment.members[0].ref) != APPROVED:
        return Note(WAITING_APPROVAL, payment.over, None)
    if view.ledger.block - payment.reference > OLDEST_REFERENCE:
        return Note(QUEUED, "waits for a block in which anything of the venue's happens", after)
    refs = {claim.ref for claim in payment.members}
    for record in view.live_records():
        if record.id != payment.id and not refs.isdisjoint(record.members):
            return Note(QUEUED, f"transaction {record.id} pays it already, and has not expired", after)
    return None


def waiting(claim: Claim, view: View, policy: Policy, is_alike: bool) -> Note:
    """How it is with a pending claim that is in no payment now. `is_alike`: another's payment looks the same,
    or looked so not long ago."""
    reason = unpayable(claim)
    if reason is not None:
        return Note(HELD, reason, None)
    slot = attempt(claim, policy, view.ledger.timestamp)
    after = slot_time(slot_after(claim.opened) if slot is None else slot + policy.period)
    alike = "another payment that looks the same goes first" if is_alike else None
    return _stopped(claim, view, after) or Note(QUEUED, alike, after)


def _stopped(claim: Claim, view: View, after: int) -> Note | None:
    """What stops a claim, whatever its payment; `after` is when its next turn begins."""
    if view.decisions.get(claim.ref) == GIVEN_BACK:
        return Note(HELD, f"{claim.id} is being given back by the operator", None)
    if claim.to in view.ledger.escrows:
        return Note(HELD, f"{claim.to} is an escrow account now: nobody would be paid", None)
    settings = view.settings
    # A process with another policy may have signed for what was there then, and the chain may yet take it.
    # What was asked for later it cannot have seen; but with a memo of the trader's own, a later payment may
    # look like an earlier one.
    is_free = claim.opened > settings.hold_from and not claim.has_own_memo
    if view.ledger.timestamp <= settings.hold_until and not is_free:
        reason = "another policy may have signed for it: waits until that has expired"
        return Note(QUEUED, reason, max(settings.hold_until, after))
    return None
