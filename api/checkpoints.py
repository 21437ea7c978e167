"""/api/checkpoints: what the operator claimed on the chain of past blocks, and whether the journal agrees."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from api.database import Snapshot
from api.parameters import NoParameters
from api.resource import Resource
from api.shapes import Answer, Block, Hash, Part, Time
from api.show import iso
from settlement.store.queries.checkpoints import CheckpointRow, list_checkpoints

MAX_ROWS: Final = 20


class Checkpoint(Part, kw_only=True):
    """A claim, made on the chain in `block`, of the hashes after `claimed_block`."""

    id: str
    ts: Time
    block: Block
    claimed_block: int
    state_hash: Hash
    journal_hash: Hash
    agrees: Annotated[
        bool | None,
        Meta(description="Whether journal_hash is this journal's; null while claimed_block is not recorded."),
    ]


class Checkpoints(Answer, kw_only=True):
    checkpoints: Annotated[list[Checkpoint], Meta(description=f"The newest {MAX_ROWS}, newest first.")]


def _view(snapshot: Snapshot, _: NoParameters) -> Checkpoints:
    rows = list_checkpoints(snapshot.connection, MAX_ROWS)
    return Checkpoints(*snapshot.stamp, checkpoints=[_checkpoint(row, snapshot.at.block) for row in rows])


def _checkpoint(row: CheckpointRow, newest: int) -> Checkpoint:
    return Checkpoint(
        id=row.id,
        ts=iso(row.timestamp),
        block=row.block,
        claimed_block=row.claimed_block,
        state_hash=row.state_hash,
        journal_hash=row.journal_hash,
        agrees=None if row.claimed_block > newest else row.journal_hash == row.our_journal_hash,
    )


resource = Resource(
    "/api/checkpoints",
    NoParameters,
    Checkpoints,
    "The operator's claims of past hashes, and whether they agree.",
    _view,
    group="Audit",
)
