"""Execution check: looks up on the sidechain payments that the ledger does not show as settled."""

from __future__ import annotations

from typing import Final

from settlement.net.change_logger import ChangeLogger
from settlement.payouts.chain.nodes import ChainError
from settlement.payouts.dependencies import Dependencies
from settlement.payouts.holds.eligibility import LedgerView
from settlement.payouts.holds.refusals import refusals_of, rejection_of
from settlement.payouts.payout_log import PayoutRecord, record_refusals
from settlement.payouts.plan import ClaimRef

DELAY_SECONDS: Final = 15
"""Chain time after which a payment that was sent is looked up, and between two look-ups of one."""
MAX_LOOKUPS: Final = 5
"""Look-ups in a round: each may take as long as a slow node is awaited, and payments wait for them."""


class ExecutionCheck:
    """Records refusals: payments in a block that the ledger has read, without having settled a member."""

    def __init__(self, dependencies: Dependencies, failures: ChangeLogger) -> None:
        self._dependencies = dependencies
        self._failures = failures
        self._looked_up: dict[int, int] = {}  # ledger time of the last look-up, by number of the record
        self._settled: set[int] = set()  # records that need no look-up any more

    def run(self, view: LedgerView) -> bool:
        """Look up what is due; whether a refusal was recorded. Raises SQLAlchemyError."""
        due = [record for record in view.records if self._is_due(record, view.ledger.timestamp)]
        due.sort(key=lambda record: self._looked_up.get(record.n, 0))
        numbers = {record.n for record in view.records}
        self._looked_up = {n: time for n, time in self._looked_up.items() if n in numbers}
        self._settled &= numbers
        found = {record.n: self._look_up(record, view) for record in due[:MAX_LOOKUPS]}
        refused = {n: refusals for n, refusals in found.items() if refusals}
        if not refused:
            return False
        self._dependencies.guard()
        with self._dependencies.writer.begin() as connection:
            for n, refusals in refused.items():
                record_refusals(connection, n, refusals)
        return True

    def _is_due(self, record: PayoutRecord, time: int) -> bool:
        if record.refusals or record.n in self._settled:
            return False
        if record.expires <= time:
            return time - self._looked_up.get(record.n, 0) >= DELAY_SECONDS
        last = max(record.last_sent or time, self._looked_up.get(record.n, 0))
        return record.is_token_payment and time - last >= DELAY_SECONDS

    def _look_up(self, record: PayoutRecord, view: LedgerView) -> dict[ClaimRef, str]:
        """Errors of the members that were not settled; empty where that is not known, or not yet."""
        time = view.ledger.timestamp
        self._looked_up[record.n] = time
        claims = [view.pending[ref] for ref in record.members if ref in view.pending]
        if not record.is_token_payment:
            self._settled.add(record.n)
            rejection = rejection_of(record)
            return {} if rejection is None else {claim.ref: rejection for claim in claims}
        try:
            execution = self._dependencies.chain.execution(record.id)
            self._failures.changed("execution", None)
        except ChainError as error:
            self._failures.log(f"payments cannot be looked up: {error}", "execution")
            return {}
        if execution is None or execution.hive_block > view.ledger.block:
            if execution is None and record.expires <= time:
                self._settled.add(record.n)
            return {}
        return refusals_of(record, claims, execution.errors)
