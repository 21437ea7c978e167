"""What disagrees: the operator's claims with what is recorded here, and other replicas' hashes with ours.

An alarm says that somebody is wrong, not who. It stops nothing: a lie of another must not take this replica
out of service.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from api.database import Snapshot
from api.routes.audit.peers import read_peers
from settlement.store.read.audit.checkpoints import CheckpointRow, list_checkpoints
from settlement.store.status import IndexerStatus, read_status

MAX_CLAIMS: Final = 20
"""The newest, which are looked at."""


class Claim(NamedTuple):
    """A claim with both verdicts; None for what is not known (yet)."""

    row: CheckpointRow
    journal_agrees: bool | None
    state_agrees: bool | None

    @property
    def disagrees(self) -> bool:
        return self.journal_agrees is False or self.state_agrees is False


def read_claims(snapshot: Snapshot, status: IndexerStatus | None) -> list[Claim]:
    """The operator's newest claims, newest first."""
    ours = json.loads((status and status.claims) or "{}")
    return [
        Claim(row, row.journal_agrees(snapshot.at.block), _agrees(row, ours.get(str(row.n))))
        for row in list_checkpoints(snapshot.connection, MAX_CLAIMS)
    ]


def read_alarms(snapshot: Snapshot) -> list[str]:
    """All that disagrees now, a sentence each."""
    status = read_status(snapshot.connection)
    found = [
        f"The operator's checkpoint of block {claim.row.claimed_block} claims another "
        f"{'journal' if claim.journal_agrees is False else 'state'} hash than is recorded here."
        for claim in read_claims(snapshot, status)
        if claim.disagrees
    ]
    for peer in read_peers(status):
        if peer.state == "disagrees":
            where = "" if peer.differs_at is None else f" at block {peer.differs_at}"
            found.append(f"The {peer.differs_in} of the peer {peer.url} differs from ours{where}.")
    return found


def _agrees(row: CheckpointRow, ours: str | None) -> bool | None:
    return None if ours is None else ours == row.state_hash
