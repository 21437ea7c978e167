"""Signing stage of a payout round: selects the payments that may be paid now, signs and records them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

from settlement.payouts.dependencies import Dependencies
from settlement.payouts.holds.eligibility import LedgerView, blocking_status, claim_blocking_status
from settlement.payouts.holds.escrow_funds import free_amounts, holding_of
from settlement.payouts.holds.send_limits import UnsentLimit
from settlement.payouts.payout_log import PayoutStatus, Statuses, add_record
from settlement.payouts.plan import Payment, amount
from settlement.payouts.policy import Policy
from settlement.payouts.signing.transactions import SigningError
from settlement.store.read.payouts import HELD, QUEUED, WAITING_ACCOUNT, WAITING_FUNDS

MIN_SECONDS_TO_EXPIRY: Final = 15
"""A transaction that expires sooner is not signed: the next attempt is."""
MISSING_ACCOUNT_SECONDS: Final = 60
"""Chain time between two checks whether a missing recipient exists by now."""
MAX_NAMES_PER_CALL: Final = 500

log = logging.getLogger("peakedex.payouts")


class PaymentSigner:
    """Signs eligible payments, and explains in `statuses` why others are not signed."""

    def __init__(self, dependencies: Dependencies, policy: Policy) -> None:
        self._dependencies = dependencies
        self._policy = policy
        self._existing: set[str] = set()
        self._missing: dict[str, int] = {}  # head time of the last check, by account

    def run(self, view: LedgerView, head: int, statuses: Statuses) -> bool:
        """Sign what may be signed now, then record all of it; whether that was anything.

        Raises ChainError, SQLAlchemyError.
        """
        eligible = self._eligible(view, head, statuses)
        self._dependencies.step("selected")
        funded = self._with_funds(self._with_recipients(eligible, head, statuses), view, statuses)
        if self._dependencies.is_paused():
            return False
        signed = list(self._sign(funded, UnsentLimit(view.live_records(), view.pending), statuses))
        for payment, signatures in signed:
            self._record(payment, signatures)
        return bool(signed)

    def _eligible(self, view: LedgerView, head: int, statuses: Statuses) -> list[Payment]:
        """Payments that our database does not object to, and that do not expire too soon."""
        recorded = {record.id for record in view.records}
        eligible: list[Payment] = []
        for payment in view.payments:
            if payment.id in recorded or not self._dependencies.keys.can_sign(payment.escrow):
                continue
            status = blocking_status(payment, view, self._policy)
            if status is not None:
                statuses |= _statuses(payment, status, view)
            elif payment.transaction.expires - head >= MIN_SECONDS_TO_EXPIRY:
                eligible.append(payment)
            # Else it is too late for this turn: what the claims waited for is still their status.
        return eligible

    def _with_recipients(self, payments: Sequence[Payment], head: int, statuses: Statuses) -> list[Payment]:
        """Payments whose recipients exist.

        The account that signed a withdrawal exists; another recipient that it names may not.
        """
        names = set().union(*map(_other_recipients, payments)) - self._existing
        unchecked = sorted(
            name for name in names if head - self._missing.get(name, 0) >= MISSING_ACCOUNT_SECONDS
        )
        for at in range(0, len(unchecked), MAX_NAMES_PER_CALL):
            some = unchecked[at : at + MAX_NAMES_PER_CALL]
            self._existing |= set(self._dependencies.chain.accounts(some))
            self._missing |= dict.fromkeys(some, head)
        self._missing = {name: when for name, when in self._missing.items() if name in names - self._existing}
        payable = []
        for payment in payments:
            missing = _other_recipients(payment) - self._existing
            if missing:
                status = PayoutStatus(WAITING_ACCOUNT, f"there is no account {min(missing)} on Hive", None)
                statuses |= {claim.ref: status for claim in payment.members}
            else:
                payable.append(payment)
        return payable

    def _with_funds(self, payments: Sequence[Payment], view: LedgerView, statuses: Statuses) -> list[Payment]:
        """Payments that the accounts can pay beside all that is signed and not settled.

        Nothing is paid from an account that holds less than the ledger says.
        """
        if not payments:
            return []
        funds = free_amounts(payments, view, self._dependencies.chain)
        free = funds.free
        payable = []
        for payment in payments:
            claim, total = payment.members[0], sum(map(amount, payment.members), Fraction())
            holding = holding_of(claim)
            reason = funds.missing.get(holding)
            if reason is None and total > free[holding]:
                reason = f"{claim.escrow} holds too little {claim.symbol} now"
            if reason is not None:
                status = PayoutStatus(WAITING_FUNDS, reason, None)
                statuses |= {claim.ref: status for claim in payment.members}
            else:
                free[holding] -= total
                payable.append(payment)
        return payable

    def _sign(
        self, payments: Sequence[Payment], unsent: UnsentLimit, statuses: Statuses
    ) -> Iterator[tuple[Payment, Mapping[str, str]]]:
        """The payments within the limit, each with our signatures by public key."""
        step, keys = self._dependencies.step, self._dependencies.keys
        for payment in payments:
            if not unsent.acquire(payment):
                continue
            step("sign")
            try:
                yield payment, keys.sign(payment.escrow, payment.transaction)
            except SigningError as error:
                statuses |= {claim.ref: PayoutStatus(HELD, str(error), None) for claim in payment.members}
            step("signed")

    def _record(self, payment: Payment, signatures: Mapping[str, str]) -> None:
        """Commit the signed transaction, which nothing outside this process has seen yet."""
        dependencies = self._dependencies
        weight, needed = dependencies.keys.weight(payment.escrow, signatures)
        dependencies.guard()
        dependencies.step("record")
        with dependencies.writer.begin() as connection:
            add_record(connection, payment, signatures, weight, needed)
        dependencies.step("recorded")
        log.info(
            "signed %s: %s payments from %s, expires %sZ",
            *(payment.id, len(payment.members), payment.escrow, payment.transaction.expiration),
        )


def _statuses(payment: Payment, status: PayoutStatus, view: LedgerView) -> Statuses:
    """Statuses of the pending members of a payment that is not signed."""
    if len(payment.members) == 1:
        return {claim.ref: status for claim in payment.members if claim.closed is None}
    after = status.next_attempt
    waits = PayoutStatus(
        QUEUED, "its batch cannot be paid as a whole: it is paid alone in its next turn", after
    )
    found: Statuses = {}
    for claim in payment.members:
        if claim.closed is None:
            found[claim.ref] = claim_blocking_status(claim, view, after or 0) or waits
    return found


def _other_recipients(payment: Payment) -> set[str]:
    """Recipients other than the accounts that made the claims."""
    return {claim.to for claim in payment.members if claim.to != claim.account}
