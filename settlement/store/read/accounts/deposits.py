"""Deposits: what was credited, and what is due back or was paid back. Those of an account, newest first;
and all of them, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, select

from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store import schema
from settlement.store.read.key_ranges import MANY, Blocks, find_span
from settlement.store.read.paging import Page, cut


class DepositRow(NamedTuple):
    """A deposit by its place among all. Text is encoded.

    What was credited has `amount` in units and `precision`. What was not has `quantity` as the chain spelled
    it, and `status`, one of `schema.CLAIM_STATUSES` by number: pending is due back, paid was paid back.
    """

    n: int
    id: str
    account: str
    symbol: str
    precision: int | None
    amount: int | None
    quantity: str | None
    escrow: str
    status: int | None
    paid_by: str | None
    block: int
    timestamp: int


_d, _r, _t, _b = schema.deposits.c, schema.refunds.c, schema.tokens.c, schema.blocks.c
_name = schema.accounts.c.name
_DEPOSITS: Select[Any] = (
    select(_d.n, _d.id, _t.symbol, _t.precision, _d.amount, _d.escrow, _d.block, _b.timestamp)
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
_refund_columns = (
    *(_r.arrival, _r.id, _r.symbol, _r.quantity, _r.escrow, _r.status, _r.paid_by, _r.block),
    _b.timestamp,
)
_of_block = schema.refunds.join(schema.blocks, _b.number == _r.block)
_NOT_CREDITED = (
    select(*_refund_columns)
    .select_from(_of_block)
    .where(_r.account == bindparam("account"), _r.arrival < bindparam("before"))
    .order_by(_r.arrival.desc())
    .limit(bindparam("rows"))
)
_REFUNDS: Select[Any] = select(_r.account, _r.closed_block, *_refund_columns).select_from(_of_block)
_CHOSEN = _REFUNDS.where(_r.n.in_(bindparam("numbers", expanding=True))).order_by(_r.n.desc())


def list_deposits(connection: Connection, account: str, before: int | None, limit: int) -> Page[DepositRow]:
    """A page of what an account, by its encoded name, sent to escrow accounts."""
    values = {"account": account, "before": MAX_UNITS if before is None else before, "rows": limit + 1}
    rows = [_credited(account, row) for row in _run(connection, _CREDITED, values)]
    rows.extend(_refund(account, row) for row in _run(connection, _NOT_CREDITED, values))
    rows.sort(key=lambda row: -row.n)
    return cut(rows, limit, lambda row: row.n)


def read_refunds(connection: Connection, numbers: Iterable[int], block: int) -> list[DepositRow]:
    """The refunds of these numbers, newest first, as of the end of a block by which all were due."""
    found = _run(connection, _CHOSEN, {"numbers": list(numbers)})
    return [_refund_as_it_was(row, block) for row in found]


def stream_deposits(connection: Connection, account: str | None, blocks: Blocks) -> Iterator[DepositRow]:
    """What was sent in those blocks, by one account if its encoded name is given, oldest first, read as a
    stream: as of the end of the last of them."""
    credited = _DEPOSITS.where(_d.n.between(*find_span(connection, _d.n, blocks))).order_by(_d.n)
    refunds = _REFUNDS.where(_r.n.between(*find_span(connection, _r.n, blocks))).order_by(_r.n)
    if account is not None:
        credited, refunds = credited.where(_name == account), refunds.where(_r.account == account)
    return merge(
        (_credited(name, row) for *row, name in _stream(connection, credited.add_columns(_name))),
        (_refund_as_it_was(row, blocks.last) for row in _stream(connection, refunds)),
        key=lambda row: row.n,
    )


def _credited(account: str, row: Sequence[Any]) -> DepositRow:
    n, id_, symbol, precision, amount, escrow, block, timestamp = row
    return DepositRow(n, id_, account, symbol, precision, amount, None, escrow, None, None, block, timestamp)


def _refund_as_it_was(row: Sequence[Any], block: int) -> DepositRow:
    account, closed_block, *rest = row
    refund = _refund(account, rest)
    if closed_block is not None and closed_block > block:
        return refund._replace(status=schema.PENDING, paid_by=None)
    return refund


def _refund(account: str, row: Sequence[Any]) -> DepositRow:
    n, id_, symbol, quantity, escrow, status, paid_by, block, timestamp = row
    return DepositRow(
        n, id_, account, symbol, None, None, quantity, escrow, status, paid_by, block, timestamp
    )


def _stream(connection: Connection, statement: Select[Any]) -> Any:
    return connection.execute(statement.execution_options(yield_per=MANY))


def _run(connection: Connection, statement: Select[Any], values: dict[str, Any]) -> Any:
    return connection.execute(statement, values)
