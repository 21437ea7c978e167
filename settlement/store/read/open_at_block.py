"""What was open at the end of a past block, without reading what came before or after it.

What has closed since is found by its fork (see `interval_tree`), what is still open by its number,
which grows with the blocks.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Select,
    Table,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)

from settlement.store import schema
from settlement.store.interval_tree import nodes_of
from settlement.store.read.position import Past

_o, _c = schema.orders.c, schema.order_changes.c
_block: Any = bindparam("past_block")


def is_open(status: Column[Any]) -> ColumnElement[bool]:
    """Open now; of claims: pending. The number itself, not a parameter: only then does SQLite use a partial
    index."""
    return status == literal_column(str(schema.OPEN))


def was_open(rows: Select[Any], table: Table, number: Column[int], last: str) -> CompoundSelect[Any]:
    """Of those rows of orders, withdrawals or refunds the ones that were open then, in no order.

    `number` is the key of the table, `last` the name in `past_values` of the last one given by then.
    """
    c = table.c
    return union_all(
        rows.where(c.fork.in_(bindparam("left", expanding=True)), c.closed_block > _block),
        rows.where(c.fork.in_(bindparam("right", expanding=True)), c.block <= _block),
        rows.where(is_open(c.status), number <= bindparam(last)),
    )


IS_OPEN = is_open(_o.status)
OPEN_OF_PAIRS: CompoundSelect[Any] = was_open(
    select(_o.seq).where(_o.pair_id.in_(bindparam("pairs", expanding=True))),
    schema.orders,
    _o.seq,
    "last_seq",
)
OPEN_OF_ACCOUNT: CompoundSelect[Any] = was_open(
    select(_o.seq).where(_o.account_id == bindparam("account")), schema.orders, _o.seq, "last_seq"
)


def past_values(past: Past) -> dict[str, Any]:
    """What the statements here ask for, but `pairs` and `account`."""
    nodes = nodes_of(past.number)
    return {
        "left": nodes.left,
        "right": nodes.right,
        "past_block": past.number,
        "last_seq": past.last_seq,
        "last_withdrawal": past.last_withdrawal,
        "last_refund": past.last_refund,
    }


def with_progress(statement: Select[Any]) -> Select[Any]:
    """Joins `order_changes`: how far an order was filled at the end of the past block, null if not at all."""
    newest = schema.order_changes.alias("newest")
    block = select(func.max(newest.c.block)).where(newest.c.seq == _o.seq, newest.c.block <= _block)
    return statement.outerjoin(
        schema.order_changes, (_c.seq == _o.seq) & (_c.block == block.scalar_subquery())
    )
