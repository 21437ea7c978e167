"""The payout loop: signs what is due, records it, sends it, and waits until the indexer reads it.

The order of effects matters, so each point between two of them has a name at which tests stop: see
`dependencies.STEPS`.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from settlement.core.journal.lines import iso_time
from settlement.core.venue import Venue
from settlement.net.change_logger import ChangeLogger
from settlement.payouts.chain.chain_time import latest_time
from settlement.payouts.chain.nodes import ChainError, Restrictions
from settlement.payouts.dependencies import Dependencies
from settlement.payouts.execution_check import ExecutionCheck
from settlement.payouts.holds.eligibility import LedgerView, read_ledger_view, waiting_status
from settlement.payouts.holds.pause import pause_if_restored, pause_reason
from settlement.payouts.payment_sender import PaymentSender
from settlement.payouts.payment_signer import PaymentSigner
from settlement.payouts.payout_log import (
    PayoutStatus,
    Statuses,
    read_settings,
    read_statuses,
    write_policy,
    write_statuses,
)
from settlement.payouts.plan import ClaimRef
from settlement.payouts.policy import MAX_LIFETIME_SECONDS, Policy
from settlement.store import schema
from settlement.store.database import explain
from settlement.store.payout_pause import read_mark
from settlement.store.read.payouts import (
    HELD,
    KINDS,
    QUEUED,
    WAITING_ACCOUNT,
    WAITING_APPROVAL,
    WAITING_FUNDS,
    PayoutClaim,
)

POLL_SECONDS: Final = 1.0
REFRESH_SECONDS: Final = 300
"""Chain time between two comparisons of our keys with the accounts' authorities."""
IDLE_SECONDS: Final = 5.0
"""A round runs for each block that the ledger reads, and after this long without one."""
_WAITING: Final = (WAITING_APPROVAL, WAITING_ACCOUNT, WAITING_FUNDS)

log = logging.getLogger("peakedex.payouts")


class Runner:
    """Pays what the ledger owes. Call `start` once, then `run`, or `round` repeatedly."""

    def __init__(self, dependencies: Dependencies, venue: Venue, policy: Policy) -> None:
        self._dependencies = dependencies
        self._venue = venue
        self._policy = policy
        self._signer = PaymentSigner(dependencies, policy)
        self._sender = PaymentSender(dependencies, policy)
        self._statuses: Statuses = {}  # as last written
        self._block = 0  # of the last round
        self._refreshed: int | None = None  # head time of the last refresh
        self._failures = ChangeLogger(log)
        self._check = ExecutionCheck(dependencies, self._failures)
        self._restrictions = Restrictions()
        self._warned: set[tuple[ClaimRef, str]] = set()  # claims and states that were logged

    def run(self, stop: threading.Event, poll_seconds: float = POLL_SECONDS) -> None:
        """Run rounds until the event is set. Failures of nodes and database are logged and retried."""
        idle = IDLE_SECONDS
        while not stop.wait(poll_seconds):
            idle += poll_seconds
            try:
                if idle >= IDLE_SECONDS or self._has_new_block():
                    idle = 0.0
                    self.round()
                self._failures.changed("", None)
            except (ChainError, SQLAlchemyError) as error:
                text = explain(error) if isinstance(error, SQLAlchemyError) else str(error)
                self._failures.log(f"payouts wait: {text}")

    def _has_new_block(self) -> bool:
        with self._dependencies.reader.connect() as connection:
            return connection.scalar(select(schema.cursor.c.block)) != self._block

    def start(
        self, *, first_run: bool = False, hold: bool = False, max_lifetime: int = MAX_LIFETIME_SECONDS
    ) -> None:
        """Hold the claims that a process with another policy may have signed, until that has expired.

        `first_run`: no payouts of this venue were ever signed, so nothing is held where no policy is
        recorded. `hold`: hold even if the recorded policy is this one. `max_lifetime`: longest lifetime of a
        transaction under any policy, in seconds. Raises ChainError if no node answers.
        """
        step = self._dependencies.step
        step("start")
        self._pause_after_restore()
        with self._dependencies.writer.connect() as connection:
            before = read_settings(connection)
            self._statuses = read_statuses(connection)
        policy_hash = self._policy.hash(self._venue)
        if before.policy_hash == policy_hash and not hold:
            return
        hold_from, hold_until = before.hold_from, before.hold_until
        if not (first_run and before.policy_hash is None):
            head = self._dependencies.chain.head_time()
            with self._dependencies.reader.connect() as connection:
                hold_from = max(latest_time(connection, head), hold_from)
            hold_until = max(hold_from + max_lifetime, hold_until)
            log.warning(
                "another policy may have been used before: claims opened until %sZ are held until %sZ "
                "(chain time)",
                *map(iso_time, (hold_from, hold_until)),
            )
        step("hold")
        with self._dependencies.writer.begin() as connection:
            write_policy(connection, policy_hash, hold_from, hold_until)
        step("held")

    def _pause_after_restore(self) -> None:
        """Pause if the database was restored, and say why payouts are paused."""
        mark = self._dependencies.mark
        with self._dependencies.writer.begin() as connection:
            if mark is not None:
                pause_if_restored(connection, mark)
            reason = pause_reason(connection)
        if reason is not None:
            log.warning("payouts are paused: %s", reason)

    def round(self) -> None:
        """Read the ledger once and do what it requires. Raises ChainError, SQLAlchemyError."""
        dependencies = self._dependencies
        dependencies.guard()
        dependencies.step("read")
        view = self._read()
        if view is None:
            return
        if self._check.run(view):
            view = self._read() or view
        self._block = view.ledger.block
        keys = Counter(claim.payment_key for claim in view.ledger.claims)
        statuses = {
            claim.ref: self._first_status(claim, view, has_duplicate=keys[claim.payment_key] > 1)
            for claim in view.pending.values()
        }
        if (view.payments or view.records) and not view.settings.paused:
            head = dependencies.chain.head_time()
            self._refresh(head, view)
            view = view._replace(restrictions=self._restrictions)
            if self._signer.run(view, head, statuses):
                with dependencies.reader.connect() as connection:
                    self._update_mark(connection)  # before anything signed leaves the process
            self._sender.run(view, head, statuses)
        self._write(statuses, view)

    def _read(self) -> LedgerView | None:
        with self._dependencies.reader.connect() as connection:
            view = read_ledger_view(connection, self._venue, self._policy)
            self._update_mark(connection)
        return None if view is None else view._replace(restrictions=self._restrictions)

    def _update_mark(self, connection: Connection) -> None:
        if self._dependencies.mark is not None:
            self._dependencies.mark.update(read_mark(connection))

    def _refresh(self, head: int, view: LedgerView) -> None:
        if self._refreshed is not None and head - self._refreshed < REFRESH_SECONDS:
            return
        self._refreshed = head
        self._dependencies.refresh()
        try:
            self._restrictions = self._dependencies.chain.restrictions(view.ledger.escrows)
        except ChainError as error:
            self._failures.log(f"the restrictions of Hive-Engine cannot be read: {error}", "restrictions")
            return
        for escrow in sorted(self._restrictions.denied):
            reason = f"Hive-Engine has restricted {escrow} to one action a day: its tokens are not paid"
            self._failures.log(reason, f"denied {escrow}")

    def _first_status(self, claim: PayoutClaim, view: LedgerView, *, has_duplicate: bool) -> PayoutStatus:
        """Status of a claim before the round does anything."""
        status = waiting_status(claim, view, self._policy, has_duplicate)
        if status.state != QUEUED:
            return status
        if view.settings.paused:
            return status._replace(reason="payouts are paused")
        if not self._dependencies.keys.can_sign(claim.escrow):
            return PayoutStatus(QUEUED, f"this process has no key for {claim.escrow}", None)
        last = self._statuses.get(claim.ref)  # between two attempts the last one's status is kept
        return last if last is not None and last.state in _WAITING else status

    def _write(self, statuses: Statuses, view: LedgerView) -> None:
        """Write the statuses that have changed."""
        gone: dict[ClaimRef, PayoutStatus | None] = dict.fromkeys(self._statuses.keys() - statuses.keys())
        changed = {ref: status for ref, status in statuses.items() if self._statuses.get(ref) != status}
        if not gone and not changed:
            return
        self._dependencies.step("status")
        with self._dependencies.writer.begin() as connection:
            write_statuses(connection, gone | changed)
        self._dependencies.step("status written")
        for ref, status in changed.items():
            before = self._statuses.get(ref)
            is_new = (before is None or before.state != status.state) and (
                ref,
                status.state,
            ) not in self._warned
            if status.state in (HELD, *_WAITING) and is_new:
                self._warned.add((ref, status.state))
                claim = view.pending[ref]
                log.warning("%s %s is not paid: %s", KINDS[claim.kind], claim.id, status.reason)
        self._warned = {(ref, state) for ref, state in self._warned if ref in view.pending}
        self._statuses = dict(statuses)
