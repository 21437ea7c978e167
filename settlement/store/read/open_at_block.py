"""Query parts for what is open now, or was open at the end of a past block, at a cost independent of history.

Rows closed since then are found by their fork node (see `interval_tree`), rows still open by their number,
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
from settlement.store.interval_tree import path_to
from settlement.store.read.position import ActiveBlock

_o, _c = schema.orders.c, schema.order_changes.c
_past_block: Any = bindparam("past_block")


def has_status(status: Column[Any], value: int) -> ColumnElement[bool]:
    """A literal, because SQLite uses a partial index only for its literal condition."""
    return status == literal_column(str(value))


def is_open(status: Column[Any]) -> ColumnElement[bool]:
    """Open now, pending, or in force."""
    return has_status(status, schema.OPEN)


def was_open(
    rows: Select[Any], table: Table, number: Column[int], last: str, status: int = schema.OPEN
) -> CompoundSelect[Any]:
    """Those rows of a table with a column `fork` that were open at the past block, unordered.

    `number` is the table's key, `last` the parameter (see `parameters_at`) with its last value then, and
    `status` that of rows that are still open.
    """
    c = table.c
    return union_all(
        rows.where(c.fork.in_(bindparam("left", expanding=True)), c.closed_block > _past_block),
        rows.where(c.fork.in_(bindparam("right", expanding=True)), c.block <= _past_block),
        rows.where(has_status(c.status, status), number <= bindparam(last)),
    )


IS_OPEN = is_open(_o.status)
IS_WAITING = has_status(_o.status, schema.WAITING)
_of_pairs = select(_o.seq).where(_o.pair_id.in_(bindparam("pairs", expanding=True)))
_of_account = select(_o.seq).where(_o.account_id == bindparam("account"))


def _orders(rows: Select[Any]) -> CompoundSelect[Any]:
    return was_open(rows.where(_o.trigger_price.is_(None)), schema.orders, _o.seq, "last_seq")


def _stops(rows: Select[Any]) -> CompoundSelect[Any]:
    stops = rows.where(_o.trigger_price.is_not(None))
    return was_open(stops, schema.orders, _o.seq, "last_seq", schema.WAITING)


OPEN_OF_PAIRS, WAITING_OF_PAIRS = _orders(_of_pairs), _stops(_of_pairs)
OPEN_OF_ACCOUNT, WAITING_OF_ACCOUNT = _orders(_of_account), _stops(_of_account)


def parameters_at(past: ActiveBlock) -> dict[str, Any]:
    """The parameters of the statements above, except `pairs` and `account`."""
    nodes = path_to(past.number)
    return {
        "left": nodes.left,
        "right": nodes.right,
        "past_block": past.number,
        "last_seq": past.last_seq,
        "last_withdrawal": past.last_withdrawal,
        "last_refund": past.last_refund,
        "last_grant": past.last_grant,
        "last_timer": past.last_timer,
    }


def join_progress(statement: Select[Any]) -> Select[Any]:
    """Outer join of `order_changes`: an order's fills up to the past block, null if it had none."""
    newest = schema.order_changes.alias("newest")
    block = select(func.max(newest.c.block)).where(newest.c.seq == _o.seq, newest.c.block <= _past_block)
    return statement.outerjoin(
        schema.order_changes, (_c.seq == _o.seq) & (_c.block == block.scalar_subquery())
    )
