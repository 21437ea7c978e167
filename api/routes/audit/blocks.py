"""/api/blocks/<block>: journal lines of a block, and the journal hashes before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from api.database import Snapshot
from api.http.formatting import iso
from api.http.parameters import BlockNumber
from api.http.resource import Resource
from api.http.shapes import Answer, Block, Hash
from settlement.store.read.audit.blocks import read_block
from settlement.store.read.audit.journal import hash_before


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockParameters:
    block: BlockNumber


class OneBlock(Answer, kw_only=True):
    """`block_id` and `ts` are null and `lines` is empty for a block without journal lines."""

    number: Block
    block_id: str | None
    journal_hash: Annotated[Hash, Meta(description="Journal hash after this block.")]
    prev_journal_hash: Annotated[Hash, Meta(description="Journal hash before this block.")]
    lines: Annotated[list[str], Meta(description="Its journal lines.")]


def _view(snapshot: Snapshot, params: BlockParameters) -> OneBlock:
    before = hash_before(snapshot.connection, params.block)
    row = read_block(snapshot.connection, params.block)
    return OneBlock(
        block=params.block,
        ts=None if row is None else iso(row.timestamp),
        number=params.block,
        block_id=None if row is None else row.block_id,
        journal_hash=before if row is None else row.journal_hash,
        prev_journal_hash=before,
        lines=[] if row is None else row.lines.splitlines(),
    )


resource = Resource(
    "/api/blocks/<block>",
    BlockParameters,
    OneBlock,
    "Journal lines and hashes of a block.",
    _view,
    errors=("E_BLOCK",),
    group="Audit",
)
