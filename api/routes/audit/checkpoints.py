"""/api/checkpoints: published checkpoints, and whether their hashes agree with this replica."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.alarms import MAX_CHECKPOINTS, CheckpointCheck, check_checkpoints
from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Answer, Block, Hash, Part, Time
from settlement.core.parsing.names import decode
from settlement.store.indexer_status import read_status


class Checkpoint(Part, kw_only=True):
    """A checkpoint, posted on the chain in `block`, of the hashes after `claimed_block`."""

    id: str
    account: Annotated[str, Meta(description="Its signer: the operator or the checkpoint account.")]
    ts: Time
    block: Block
    claimed_block: int
    state_hash: Hash
    journal_hash: Hash
    agrees: Annotated[
        bool | None,
        Meta(description="Whether journal_hash agrees; null while claimed_block is not recorded."),
    ]
    state_agrees: Annotated[
        bool | None,
        Meta(description="Whether state_hash agrees; null if the indexer has not compared it."),
    ]


class Checkpoints(Answer, kw_only=True):
    checkpoints: Annotated[list[Checkpoint], Meta(description=f"The newest {MAX_CHECKPOINTS}, newest first.")]


def _view(snapshot: Snapshot, _: NoParameters) -> Checkpoints:
    checks = check_checkpoints(snapshot, read_status(snapshot.connection))
    return Checkpoints(*snapshot.stamp, checkpoints=[_checkpoint(check) for check in checks])


def _checkpoint(check: CheckpointCheck) -> Checkpoint:
    row = check.row
    return Checkpoint(
        id=row.id,
        account=decode(row.account),
        ts=iso(row.timestamp),
        block=row.block,
        claimed_block=row.claimed_block,
        state_hash=row.state_hash,
        journal_hash=row.journal_hash,
        agrees=check.journal_agrees,
        state_agrees=check.state_agrees,
    )


resource = Resource(
    "/api/checkpoints",
    NoParameters,
    Checkpoints,
    "Published checkpoints, and whether they agree.",
    _view,
    live=True,
    group="Audit",
)
