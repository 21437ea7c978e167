"""What the operator claimed of past blocks, beside what this journal says of them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from settlement.store import schema


class CheckpointRow(NamedTuple):
    """A claim, and our journal hash after the claimed block: of a block not recorded yet, the newest.

    `our_block` is the newest block of ours up to the claimed one, None before any. Where it is the claimed
    one itself, our state hash can be compared too: the ids of other blocks, which states name, are not kept.
    """

    n: int
    id: str
    block: int
    timestamp: int
    claimed_block: int
    state_hash: str
    journal_hash: str
    our_journal_hash: str
    our_block: int | None

    def journal_agrees(self, newest: int) -> bool | None:
        """Whether the claimed journal hash is ours; None while the claimed block is beyond `newest`, the last
        one recorded."""
        return None if self.claimed_block > newest else self.journal_hash == self.our_journal_hash


_c, _b = schema.checkpoints.c, schema.blocks.c
_claimed = schema.blocks.alias("claimed")
_UP_TO = (
    select(_claimed.c.journal_hash)
    .where(_claimed.c.number <= _c.claimed_block)
    .order_by(_claimed.c.number.desc())
    .limit(1)
)
# Before anything happened the journal hash is the venue's.
_START = select(schema.cursor.c.venue_hash).scalar_subquery()
_CLAIMS = select(
    _c.n,
    _c.id,
    _c.block,
    _b.timestamp,
    _c.claimed_block,
    _c.state_hash,
    _c.journal_hash,
    func.coalesce(_UP_TO.scalar_subquery(), _START),
    _UP_TO.with_only_columns(_claimed.c.number).scalar_subquery(),
).select_from(schema.checkpoints.join(schema.blocks, _b.number == _c.block))
_NEWEST = _CLAIMS.order_by(_c.n.desc()).limit(bindparam("rows"))
_AFTER = _CLAIMS.where(_c.n > bindparam("after")).order_by(_c.n).limit(bindparam("rows"))


def list_checkpoints(connection: Connection, most: int) -> list[CheckpointRow]:
    """The newest claims, newest first."""
    return [CheckpointRow(*row) for row in connection.execute(_NEWEST, {"rows": most})]


def checkpoints_after(connection: Connection, n: int, most: int) -> list[CheckpointRow]:
    """The claims after the n-th, oldest first."""
    return [CheckpointRow(*row) for row in connection.execute(_AFTER, {"after": n, "rows": most})]
