"""What the operator claimed of past blocks, beside what this journal says of them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from settlement.store import schema


class CheckpointRow(NamedTuple):
    """A claim, and our journal hash after the claimed block: of a block not recorded yet, the newest."""

    id: str
    block: int
    timestamp: int
    claimed_block: int
    state_hash: str
    journal_hash: str
    our_journal_hash: str


_c, _b = schema.checkpoints.c, schema.blocks.c
_claimed = schema.blocks.alias("claimed")
_OURS = (
    select(_claimed.c.journal_hash)
    .where(_claimed.c.number <= _c.claimed_block)
    .order_by(_claimed.c.number.desc())
    .limit(1)
    .scalar_subquery()
)
# Before anything happened the journal hash is the venue's.
_START = select(schema.cursor.c.venue_hash).scalar_subquery()
_NEWEST = (
    select(
        _c.id,
        _c.block,
        _b.timestamp,
        _c.claimed_block,
        _c.state_hash,
        _c.journal_hash,
        func.coalesce(_OURS, _START),
    )
    .select_from(schema.checkpoints.join(schema.blocks, _b.number == _c.block))
    .order_by(_c.n.desc())
    .limit(bindparam("rows"))
)


def list_checkpoints(connection: Connection, most: int) -> list[CheckpointRow]:
    """The newest claims, newest first."""
    return [CheckpointRow(*row) for row in connection.execute(_NEWEST, {"rows": most})]
