"""Counts for metrics: active blocks, intents, rejections by code, and pending claims by payout state."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, case, func, select

from settlement.store import payout_schema, schema
from settlement.store.read.open_at_block import is_open
from settlement.store.read.payouts import QUEUED, REFUND, RETURNING, WITHDRAWAL


class Totals(NamedTuple):
    """Counts since the venue's first block."""

    blocks: int  # active ones
    intents: int  # also the number of the last one


_c, _i = schema.cursor.c, schema.intents.c
_TOTALS = select(_c.last_block_n, select(func.max(_i.n)).scalar_subquery().label("intents"))
_REJECTIONS = (
    select(_i.code, func.count().label("number"))
    .where(_i.n > bindparam("after"), _i.n <= bindparam("until"), _i.code.is_not(None))
    .group_by(_i.code)
)


def read_totals(connection: Connection) -> Totals:
    """O(1)."""
    row = connection.execute(_TOTALS).one()
    return Totals(row.last_block_n, row.intents or 0)


def count_rejections(connection: Connection, after: int, until: int) -> dict[str, int]:
    """Rejected intents by code, among those numbered after + 1 … until. O(until - after)."""
    rows = connection.execute(_REJECTIONS, {"after": after, "until": until})
    return {row.code: row.number for row in rows}


def count_payouts(connection: Connection) -> dict[str, int]:
    """Pending withdrawals and refunds by payout state. O(pending claims)."""
    counts: Counter[str] = Counter()
    for kind, table in ((WITHDRAWAL, schema.withdrawals), (REFUND, schema.refunds)):
        counts.update(_count_pending(connection, kind, table))
    return dict(counts)


def _count_pending(connection: Connection, kind: int, table: Table) -> dict[str, int]:
    note = payout_schema.notes
    state: ColumnElement[str] = func.coalesce(note.c.state, QUEUED)
    if table is schema.withdrawals:
        state = case((table.c.return_due.is_not(None), RETURNING), else_=state)
    rows = connection.execute(
        select(state.label("state"), func.count().label("number"))
        .select_from(table.outerjoin(note, and_(note.c.kind == kind, note.c.claim == table.c.n)))
        .where(is_open(table.c.status))
        .group_by(state)
    )
    return {row.state: row.number for row in rows}
