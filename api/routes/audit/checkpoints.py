"""/api/checkpoints: what the operator claimed on the chain of past blocks, and whether it agrees with us."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.alarms import MAX_CLAIMS, Claim, read_claims
from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import NoParameters
from api.http.resource import Resource
from api.http.shapes import Answer, Block, Hash, Part, Time
from settlement.store.status import read_status


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
    state_agrees: Annotated[
        bool | None,
        Meta(
            description="Whether state_hash is that of the state recorded here; null where the indexer has "
            "not compared it."
        ),
    ]


class Checkpoints(Answer, kw_only=True):
    checkpoints: Annotated[list[Checkpoint], Meta(description=f"The newest {MAX_CLAIMS}, newest first.")]


def _view(snapshot: Snapshot, _: NoParameters) -> Checkpoints:
    claims = read_claims(snapshot, read_status(snapshot.connection))
    return Checkpoints(*snapshot.stamp, checkpoints=[_checkpoint(claim) for claim in claims])


def _checkpoint(claim: Claim) -> Checkpoint:
    row = claim.row
    return Checkpoint(
        id=row.id,
        ts=iso(row.timestamp),
        block=row.block,
        claimed_block=row.claimed_block,
        state_hash=row.state_hash,
        journal_hash=row.journal_hash,
        agrees=claim.journal_agrees,
        state_agrees=claim.state_agrees,
    )


resource = Resource(
    "/api/checkpoints",
    NoParameters,
    Checkpoints,
    "The operator's claims of past hashes, and whether they agree.",
    _view,
    live=True,
    group="Audit",
)
