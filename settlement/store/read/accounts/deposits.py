"""Arrivals in escrow (credited, to be refunded, ignored): lists, newest first, and streams, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, Row, Select, bindparam, select

from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store import schema
from settlement.store.read.key_ranges import FETCH_ROWS, BlockRange, find_key_range
from settlement.store.read.paging import Page, make_page


class DepositRow(NamedTuple):
    """An arrival in escrow. Text is encoded.

    A credited deposit has `precision` and `amount`, the others `quantity`; a refund has `status`.
    """

    n: int  # in the common sequence of all arrivals
    id: str
    account: str
    symbol: str
    escrow: str
    chain: str
    block: int
    timestamp: int
    precision: int | None = None  # of a credited deposit
    amount: int | None = None  # units
    quantity: str | None = None  # as spelled on the chain
    status: int | None = None  # of a refund: index in `schema.CLAIM_STATUSES`
    paid_by: str | None = None
    closed_timestamp: int | None = None  # of the refund's payment


_d, _r, _x = schema.deposits.c, schema.refunds.c, schema.ignored.c
_t, _b = schema.tokens.c, schema.blocks.c
_name = schema.accounts.c.name
_DEPOSITS: Select[Any] = (
    select(
        *(_d.n, _d.id, _name.label("account"), _t.symbol, _t.precision, _d.amount, _d.escrow, _t.chain),
        *(_d.block, _b.timestamp),
    )
    .select_from(schema.deposits)
    .join(schema.accounts, schema.accounts.c.id == _d.account_id)
    .join(schema.tokens, _t.id == _d.token_id)
    .join(schema.blocks, _b.number == _d.block)
)
_CREDITED = (
    _DEPOSITS.where(_name == bindparam("account"), _d.n < bindparam("before"))
    .order_by(_d.n.desc())
    .limit(bindparam("rows"))
)
_closed = schema.blocks.alias("closed")
_REFUNDS: Select[Any] = select(
    *(_r.arrival.label("n"), _r.id, _r.account, _r.symbol, _r.quantity, _r.escrow, _r.chain),
    *(_r.status, _r.paid_by, _r.block, _r.closed_block, _b.timestamp),
    _closed.c.timestamp.label("closed_timestamp"),
).select_from(
    schema.refunds.join(schema.blocks, _b.number == _r.block).outerjoin(
        _closed, _closed.c.number == _r.closed_block
    )
)
_OF_SENDER = (
    _REFUNDS.where(_r.account == bindparam("account"), _r.arrival < bindparam("before"))
    .order_by(_r.arrival.desc())
    .limit(bindparam("rows"))
)
_IGNORED: Select[Any] = select(
    *(_x.n, _x.id, _x.account, _x.symbol, _x.quantity, _x.escrow, _x.chain, _x.block, _b.timestamp)
).select_from(schema.ignored.join(schema.blocks, _b.number == _x.block))
_IGNORED_OF_SENDER = (
    _IGNORED.where(_x.account == bindparam("account"), _x.n < bindparam("before"))
    .order_by(_x.n.desc())
    .limit(bindparam("rows"))
)
_CHOSEN = _REFUNDS.where(_r.n.in_(bindparam("numbers", expanding=True))).order_by(_r.n.desc())


def list_deposits(connection: Connection, account: str, before: int | None, limit: int) -> Page[DepositRow]:
    """A page of what an account, given by its encoded name, has sent."""
    values = {"account": account, "before": MAX_UNITS if before is None else before, "rows": limit + 1}
    rows = [_row(row) for row in connection.execute(_CREDITED, values)]
    rows.extend(_row(row) for row in connection.execute(_OF_SENDER, values))
    rows.extend(_row(row) for row in connection.execute(_IGNORED_OF_SENDER, values))
    rows.sort(key=lambda row: -row.n)
    return make_page(rows, limit, lambda row: row.n)


def read_refunds(connection: Connection, numbers: Iterable[int]) -> list[DepositRow]:
    """The refunds with these numbers, newest first, as they are now."""
    return [_row(row) for row in connection.execute(_CHOSEN, {"numbers": list(numbers)})]


def stream_deposits(connection: Connection, account: str | None, blocks: BlockRange) -> Iterator[DepositRow]:
    """Stream the arrivals in a block range, oldest first, at the end of the last block.

    With the encoded name of an account, only what it has sent.
    """
    credited = _DEPOSITS.where(_d.n.between(*find_key_range(connection, _d.n, blocks))).order_by(_d.n)
    refunds = _REFUNDS.where(_r.n.between(*find_key_range(connection, _r.n, blocks))).order_by(_r.n)
    ignored = _IGNORED.where(_x.n.between(*find_key_range(connection, _x.n, blocks))).order_by(_x.n)
    if account is not None:
        credited, refunds = credited.where(_name == account), refunds.where(_r.account == account)
        ignored = ignored.where(_x.account == account)
    return merge(
        (_row(row) for row in _stream(connection, credited)),
        (_refund_at(row, blocks.last) for row in _stream(connection, refunds)),
        (_row(row) for row in _stream(connection, ignored)),
        key=lambda row: row.n,
    )


def _row(row: Row[Any]) -> DepositRow:
    """The row of any of the queries: their columns have the names of the fields."""
    return DepositRow(**{name: value for name, value in row._asdict().items() if name in DepositRow._fields})


def _refund_at(row: Row[Any], block: int) -> DepositRow:
    refund = _row(row)
    if row.closed_block is not None and row.closed_block > block:
        return refund._replace(status=schema.PENDING, paid_by=None, closed_timestamp=None)
    return refund


def _stream(connection: Connection, statement: Select[Any]) -> CursorResult[Any]:
    return connection.execute(statement.execution_options(yield_per=FETCH_ROWS))
