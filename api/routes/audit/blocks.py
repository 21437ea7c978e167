"""/api/blocks/<block>: what a block did, as the journal has it, and the hashes before and after it."""

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
from settlement.store.read.audit.journal_range import hash_before


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockParameters:
    block: BlockNumber


class OneBlock(Answer, kw_only=True):
    """`block_id` and `ts` are null, and `lines` is empty, where nothing of ours happened."""

    number: Block
    block_id: str | None
    journal_hash: Annotated[Hash, Meta(description="The journal hash in force after this block.")]
    prev_journal_hash: Annotated[Hash, Meta(description="The one before it.")]
    lines: Annotated[list[str], Meta(description="Its part of the journal, line by line.")]


def _view(snapshot: Snapshot, ask: BlockParameters) -> OneBlock:
    before = hash_before(snapshot.connection, ask.block)
    row = read_block(snapshot.connection, ask.block)
    return OneBlock(
        block=ask.block,
        ts=None if row is None else iso(row.timestamp),
        number=ask.block,
        block_id=None if row is None else row.block_id,
        journal_hash=before if row is None else row.journal_hash,
        prev_journal_hash=before,
        lines=[] if row is None else row.lines.splitlines(),
    )


resource = Resource(
    "/api/blocks/<block>",
    BlockParameters,
    OneBlock,
    "What happened in a block, with the journal hashes.",
    _view,
    errors=("E_BLOCK",),
    group="Audit",
)
