"""Eligibility: whether a planned payment may be signed now, judged by our own database alone.

A check never changes a transaction: it is signed as planned, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from sqlalchemy import Connection

from settlement.core.events import HIVE_ENGINE
from settlement.core.journal.lines import iso_time
from settlement.core.venue import Venue
from settlement.payouts.chain.nodes import Restrictions
from settlement.payouts.holds.refusals import Refusals, is_tried, read_refusals, refused_status
from settlement.payouts.holds.token_holds import Holding, read_holdings, read_token_holds
from settlement.payouts.payout_log import (
    PayoutRecord,
    PayoutSettings,
    PayoutStatus,
    read_approvals,
    read_records,
    read_settings,
    read_token_approvals,
)
from settlement.payouts.plan import (
    ClaimRef,
    Payment,
    build_all,
    latest_attempt,
    payments_in_rotation,
    slot_after,
    slot_time,
    unpayable_reason,
)
from settlement.payouts.policy import HISTORY_SECONDS, MAX_LIFETIME_SECONDS, Policy
from settlement.payouts.signing.transactions import MAX_REFERENCE_AGE
from settlement.store.read.payouts import (
    HELD,
    QUEUED,
    RETURNING,
    WAITING_APPROVAL,
    Ledger,
    PayoutClaim,
    read_ledger,
)
from settlement.store.read.venue import read_tokens

_REFUSED_NAMES: Final = ("constructor",)
"""Accounts that Hive-Engine takes for blacklisted because its blacklist is a JavaScript object."""


class LedgerView(NamedTuple):
    """Everything that a payout round reads, from one database transaction."""

    ledger: Ledger
    pending: dict[ClaimRef, PayoutClaim]
    # Of attempts that have not expired, by accounts in turn. Each member was pending when the slot began, and
    # may have been settled since.
    payments: tuple[Payment, ...]
    records: tuple[PayoutRecord, ...]  # signed transactions with a pending member
    approvals: dict[ClaimRef, int]  # the operator's, with the chain time of each
    settings: PayoutSettings
    refusals: dict[ClaimRef, Refusals]  # of claims whose payments were executed and did not settle them
    holdings: dict[Holding, Fraction]  # of listed tokens, as the ledger counts them
    token_holds: dict[tuple[str, str], PayoutStatus]  # why nothing of a token is paid, by chain and symbol
    restrictions: Restrictions = Restrictions()  # the sidechain's, as last read

    def live_records(self) -> Iterator[PayoutRecord]:
        """Signed transactions that may still get into a block, or into one that is not recorded yet."""
        return (record for record in self.records if record.expires >= self.ledger.timestamp)


def read_ledger_view(connection: Connection, venue: Venue, policy: Policy) -> LedgerView | None:
    """The current state; None before the first block."""
    ledger = read_ledger(connection, HISTORY_SECONDS)
    if ledger is None:
        return None
    pending = {claim.ref: claim for claim in ledger.claims if claim.closed is None}
    slots = {latest_attempt(claim, policy, ledger.timestamp) for claim in pending.values()}
    payments = [
        payment
        for slot in sorted(slot for slot in slots if slot is not None)
        for payment in build_all(connection, ledger, venue, policy, slot)
    ]
    records, approvals = tuple(read_records(connection)), read_approvals(connection)
    tokens = read_tokens(connection)
    return LedgerView(
        ledger,
        pending,
        tuple(payments_in_rotation(payments)),
        records,
        approvals,
        read_settings(connection),
        read_refusals(records, approvals),
        read_holdings(connection, tokens),
        read_token_holds(connection, tokens, venue, read_token_approvals(connection)),
    )


def blocking_status(payment: Payment, view: LedgerView, policy: Policy) -> PayoutStatus | None:
    """Why the payment may not be signed now; None where it may."""
    after = slot_time(payment.slot + policy.period)
    if payment.transaction.expires > view.ledger.timestamp + MAX_LIFETIME_SECONDS:  # of no plan (section 10)
        return PayoutStatus(HELD, "its transaction would live for too long", None)
    if any(claim.closed is not None for claim in payment.members):
        return PayoutStatus(QUEUED, "its batch is partly settled: it is paid with the next one", after)
    for claim in payment.members:
        status = claim_blocking_status(claim, view, after)
        if status is None and not is_tried(claim, payment.slot, view.refusals.get(claim.ref), policy):
            turn = payment.slot + policy.period
            status = refused_status(claim, view.refusals[claim.ref], policy, turn)
        if status is not None:
            return status
    if payment.limit_exceeded and payment.members[0].ref not in view.approvals:
        return PayoutStatus(WAITING_APPROVAL, payment.limit_exceeded, None)
    if view.ledger.block - payment.reference > MAX_REFERENCE_AGE:
        return PayoutStatus(QUEUED, "no recent block to refer to: waits for any action on the venue", after)
    refs = {claim.ref for claim in payment.members}
    for record in view.live_records():
        if record.id != payment.id and not refs.isdisjoint(record.members):
            reason = f"already signed in transaction {record.id}, which has not expired"
            return PayoutStatus(QUEUED, reason, after)
    return None


def waiting_status(claim: PayoutClaim, view: LedgerView, policy: Policy, has_duplicate: bool) -> PayoutStatus:
    """Status of a pending claim that is in no payment now.

    `has_duplicate`: another claim has, or had not long ago, the same payment key.
    """
    reason = unpayable_reason(claim)
    if reason is not None and claim.returning is None:
        return PayoutStatus(HELD, reason, None)
    slot = latest_attempt(claim, policy, view.ledger.timestamp)
    turn = slot_after(claim.opened) if slot is None else slot + policy.period
    after, refusals = slot_time(turn), view.refusals.get(claim.ref)
    if refusals is not None:
        return claim_blocking_status(claim, view, after) or refused_status(claim, refusals, policy, turn)
    reason = "an identical payment goes first" if has_duplicate else None
    return claim_blocking_status(claim, view, after) or PayoutStatus(QUEUED, reason, after)


def claim_blocking_status(claim: PayoutClaim, view: LedgerView, after: int) -> PayoutStatus | None:
    """Why a claim may not be paid now in any payment. `after`: start of its next turn."""
    if claim.returning is not None:
        when = iso_time(claim.return_due or 0)
        reason = (
            f"it goes back to {claim.account} at {when}Z, unless a payment signed before arrives until then"
        )
        return PayoutStatus(RETURNING, reason, None)
    if claim.chain == HIVE_ENGINE:
        if claim.to in view.restrictions.blacklist or claim.to in _REFUSED_NAMES:
            reason = f"Hive-Engine refuses transfers to {claim.to}: the account is on its blacklist"
            return PayoutStatus(HELD, reason, None)
        if claim.escrow in view.restrictions.denied:
            reason = f"Hive-Engine has restricted {claim.escrow} to one action a day (resourcemanager)"
            return PayoutStatus(HELD, reason, None)
    if (claim.chain, claim.symbol) in view.token_holds:
        return view.token_holds[claim.chain, claim.symbol]
    settings = view.settings
    # A process with another policy may have signed claims of that time, and the chain may still accept it.
    # It cannot have signed later claims; but a later payment with a custom memo may equal an earlier one.
    is_unaffected = claim.opened > settings.hold_from and not claim.has_own_memo
    if view.ledger.timestamp <= settings.hold_until and not is_unaffected:
        reason = "a process with another policy may have signed it: waits until that has expired"
        return PayoutStatus(QUEUED, reason, max(settings.hold_until, after))
    return None
