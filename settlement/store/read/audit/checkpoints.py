"""Checkpoints of the operator and the checkpoint account, with the journal hashes of this database."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, select

from settlement.store import schema


class CheckpointRow(NamedTuple):
    """A checkpoint, and this database's journal hash after its block, or the newest one before that.

    The state hash can be compared only if `our_block` is the claimed block: the state includes the block's
    id, which is stored for active blocks only.
    """

    n: int
    id: str
    account: str  # its signer, encoded
    block: int  # that contains the checkpoint
    timestamp: int
    claimed_block: int
    state_hash: str
    journal_hash: str
    our_journal_hash: str
    our_block: int | None  # the newest active block up to the claimed one

    def journal_agrees(self, newest: int) -> bool | None:
        """Whether the journal hashes are equal; None while the claimed block is above `newest`, the last
        processed one."""
        return None if self.claimed_block > newest else self.journal_hash == self.our_journal_hash


_c, _b = schema.checkpoints.c, schema.blocks.c
_claimed = schema.blocks.alias("claimed")
_UP_TO = (
    select(_claimed.c.journal_hash)
    .where(_claimed.c.number <= _c.claimed_block)
    .order_by(_claimed.c.number.desc())
    .limit(1)
)
# Before the first active block the journal hash is the venue's.
_VENUE_HASH = select(schema.cursor.c.venue_hash).scalar_subquery()
_CLAIMS: Select[Any] = select(
    _c.n,
    _c.id,
    _c.account,
    _c.block,
    _b.timestamp,
    _c.claimed_block,
    _c.state_hash,
    _c.journal_hash,
    func.coalesce(_UP_TO.scalar_subquery(), _VENUE_HASH),
    _UP_TO.with_only_columns(_claimed.c.number).scalar_subquery(),
).select_from(schema.checkpoints.join(schema.blocks, _b.number == _c.block))
_NEWEST = _CLAIMS.order_by(_c.n.desc()).limit(bindparam("rows"))
_AFTER = _CLAIMS.where(_c.n > bindparam("after")).order_by(_c.n).limit(bindparam("rows"))


def list_checkpoints(connection: Connection, limit: int) -> list[CheckpointRow]:
    """The newest checkpoints, newest first."""
    return [CheckpointRow(*row) for row in connection.execute(_NEWEST, {"rows": limit})]


def checkpoints_after(connection: Connection, n: int, limit: int) -> list[CheckpointRow]:
    """The checkpoints after the n-th, oldest first."""
    return [CheckpointRow(*row) for row in connection.execute(_AFTER, {"after": n, "rows": limit})]
