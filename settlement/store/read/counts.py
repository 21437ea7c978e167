"""How many: blocks of ours, intents, those rejected by code, and payments to be made by state."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from sqlalchemy import Connection, Table, and_, bindparam, func, select

from settlement.store import schema
from settlement.store.read.open_at_block import is_open
from settlement.store.read.payouts import QUEUED, REFUND, WITHDRAWAL


class Totals(NamedTuple):
    """Since the venue's first block. `intents` is also the number of the last one."""

    blocks: int
    intents: int


_c, _i = schema.cursor.c, schema.intents.c
_TOTALS = select(_c.last_block_n, select(func.max(_i.n)).scalar_subquery())
_REJECTIONS = (
    select(_i.code, func.count())
    .where(_i.n > bindparam("after"), _i.n <= bindparam("until"), _i.code.is_not(None))
    .group_by(_i.code)
)


def read_totals(connection: Connection) -> Totals:
    """Costs the same whatever has happened."""
    blocks, intents = connection.execute(_TOTALS).one()
    return Totals(blocks, intents or 0)


def count_rejections(connection: Connection, after: int, until: int) -> dict[str, int]:
    """Rejected intents by code, of those numbered after + 1 … until. Costs O(until - after)."""
    rows = connection.execute(_REJECTIONS, {"after": after, "until": until})
    return {row[0]: row[1] for row in rows}


def count_payouts(connection: Connection) -> dict[str, int]:
    """Withdrawals and refunds that are pending, by what payouts say of them. Costs O(pending)."""
    counts: Counter[str] = Counter()
    for kind, table in ((WITHDRAWAL, schema.withdrawals), (REFUND, schema.refunds)):
        counts.update(_pending(connection, kind, table))
    return dict(counts)


def _pending(connection: Connection, kind: int, table: Table) -> dict[str, int]:
    note = schema.payout_notes
    state = func.coalesce(note.c.state, QUEUED)
    rows = connection.execute(
        select(state, func.count())
        .select_from(table.outerjoin(note, and_(note.c.kind == kind, note.c.claim == table.c.n)))
        .where(is_open(table.c.status))
        .group_by(state)
    )
    return {row[0]: row[1] for row in rows}
