"""Alarms: checkpoints and peers whose hashes differ from this replica's, findings of the escrow watch of
payouts, and operations of escrow accounts that have no journal line.

An alarm about a hash says that one side is wrong, not which. Alarms do not affect /api/ready: a false
checkpoint or peer must not take this replica out of service.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from api.database import Snapshot
from api.routes.audit.peers import read_peers
from settlement.core.parsing.names import decode
from settlement.store.indexer_status import IndexerStatus, read_status
from settlement.store.payout_pause import read_watch_reason
from settlement.store.read.audit.checkpoints import CheckpointRow, list_checkpoints
from settlement.store.read.audit.solvency import count_operations, list_operations

OPERATION_BLOCKS: Final = 7 * 28_800
"""Operations of escrow accounts are an alarm for a week."""
MAX_CHECKPOINTS: Final = 20
"""The newest ones are compared."""


class CheckpointCheck(NamedTuple):
    """A published checkpoint and whether its hashes agree; None while that is unknown."""

    row: CheckpointRow
    journal_agrees: bool | None
    state_agrees: bool | None

    @property
    def disagrees(self) -> bool:
        return self.journal_agrees is False or self.state_agrees is False


def check_checkpoints(snapshot: Snapshot, status: IndexerStatus | None) -> list[CheckpointCheck]:
    """The newest checkpoints, newest first."""
    ours = json.loads((status and status.claims) or "{}")
    return [
        CheckpointCheck(row, row.journal_agrees(snapshot.at.block), _agrees(row, ours.get(str(row.n))))
        for row in list_checkpoints(snapshot.connection, MAX_CHECKPOINTS)
    ]


def read_alarms(snapshot: Snapshot) -> list[str]:
    """One sentence for each checkpoint or peer that disagrees, and those on escrow accounts."""
    status = read_status(snapshot.connection)
    found = [
        f"A checkpoint of block {check.row.claimed_block} by {decode(check.row.account)} has a different "
        f"{'journal' if check.journal_agrees is False else 'state'} hash than this replica."
        for check in check_checkpoints(snapshot, status)
        if check.disagrees
    ]
    for peer in read_peers(status):
        if peer.state == "disagrees":
            where = "" if peer.differs_at is None else f" at block {peer.differs_at}"
            found.append(f"The {peer.differs_in} of the peer {peer.url} differs from this replica{where}.")
    found += _operation_alarms(snapshot)
    watched = read_watch_reason(snapshot.connection)
    if watched is not None:
        found.append(f"Payouts are paused: {watched}.")
    return found


def count_recent_operations(snapshot: Snapshot) -> dict[str, int]:
    """How many operations without a journal line each escrow account has had in the last week."""
    return count_operations(snapshot.connection, snapshot.at.block - OPERATION_BLOCKS)


def _operation_alarms(snapshot: Snapshot) -> list[str]:
    counts = count_recent_operations(snapshot)
    if not counts:
        return []
    [newest] = list_operations(snapshot.connection, acting=True, limit=1)
    more = sum(counts.values()) - 1
    others = f", and {more} more within a week" if more else ""
    return [
        f"An escrow account was used outside the exchange: {newest.type} of {newest.account} in block "
        f"{newest.block}{others}."
    ]


def _agrees(row: CheckpointRow, ours: str | None) -> bool | None:
    return None if ours is None else ours == row.state_hash
