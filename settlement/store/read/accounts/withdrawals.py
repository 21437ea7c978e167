"""Withdrawals, newest first; and streams, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from settlement.store import schema
from settlement.store.read.key_ranges import FETCH_ROWS, KeyRange
from settlement.store.read.open_at_block import is_open
from settlement.store.read.paging import MAX_SCANNED_ROWS, Page, make_page


class WithdrawalRow(NamedTuple):
    """A withdrawal. Text is encoded."""

    n: int
    id: str
    account: str
    symbol: str
    precision: int
    amount: int
    to: str
    memo: str | None  # the trader's; None for the default memo
    status: int  # index in `schema.CLAIM_STATUSES`
    paid_by: str | None
    return_due: int | None  # when it goes back unless it is paid before; None unless it is returning
    returning_block: int | None  # in which that was asked for
    block: int
    timestamp: int
    closed_block: int | None
    closed_timestamp: int | None


class WithdrawalFilter(NamedTuple):
    """Filter of withdrawals; None matches any."""

    account_id: int | None = None
    status: int | None = None


_w = schema.withdrawals.c
_opened, _closed = schema.blocks.alias("opened"), schema.blocks.alias("closed")
_WITHDRAWALS: Select[Any] = (
    select(
        _w.n,
        _w.id,
        schema.accounts.c.name,
        schema.tokens.c.symbol,
        schema.tokens.c.precision,
        _w.amount,
        _w.to,
        _w.memo,
        _w.status,
        _w.paid_by,
        _w.return_due,
        _w.returning_block,
        _w.block,
        _opened.c.timestamp,
        _w.closed_block,
        _closed.c.timestamp,
    )
    .select_from(schema.withdrawals)
    .join(schema.accounts, schema.accounts.c.id == _w.account_id)
    .join(schema.tokens, schema.tokens.c.id == _w.token_id)
    .join(_opened, _opened.c.number == _w.block)
    .outerjoin(_closed, _closed.c.number == _w.closed_block)
    .order_by(_w.n.desc())
)
_CHOSEN = _WITHDRAWALS.where(_w.n.in_(bindparam("numbers", expanding=True)))


def list_withdrawals(
    connection: Connection,
    filter_: WithdrawalFilter,
    before: int | None,
    limit: int,
    *,
    scan_limit: int = MAX_SCANNED_ROWS,
) -> Page[WithdrawalRow]:
    """A page of withdrawals, newest first.

    For a filter without an index it scans at most `scan_limit` rows: it can then hold fewer than `limit`,
    even none, and still have a next page.
    """
    range_: list[ColumnElement[bool]] = [] if before is None else [_w.n < before]
    if filter_.account_id is not None:
        range_.append(_w.account_id == filter_.account_id)
    if filter_.status is None:
        return _read(connection, select(_w.n).where(*range_), limit)
    if filter_.status == schema.PENDING and filter_.account_id is None:
        return _read(connection, select(_w.n).where(is_open(_w.status), *range_), limit)
    newest = select(_w.n, _w.status).where(*range_).order_by(_w.n.desc())
    window = newest.limit(scan_limit).subquery()
    page = _read(connection, select(window.c.n).where(window.c.status == filter_.status), limit)
    if page.next_key is not None:
        return page
    return page._replace(next_key=connection.execute(newest.offset(scan_limit - 1).limit(1)).scalar())


def read_withdrawals(connection: Connection, numbers: Iterable[int]) -> list[WithdrawalRow]:
    """The withdrawals with these numbers, newest first, as they are now."""
    return [WithdrawalRow(*row) for row in connection.execute(_CHOSEN, {"numbers": list(numbers)})]


def stream_withdrawals(
    connection: Connection, account_id: int | None, keys: KeyRange, block: int
) -> Iterator[WithdrawalRow]:
    """Stream the withdrawals in a key range, oldest first, at the end of a block by which all existed.

    With an account, only its withdrawals.
    """
    statement = _WITHDRAWALS.where(_w.n.between(*keys)).order_by(None).order_by(_w.n)
    if account_id is not None:
        statement = statement.where(_w.account_id == account_id)
    for row in connection.execute(statement.execution_options(yield_per=FETCH_ROWS)):
        yield _withdrawal_at(WithdrawalRow(*row), block)


def _withdrawal_at(row: WithdrawalRow, block: int) -> WithdrawalRow:
    if row.returning_block is not None and row.returning_block > block:
        row = row._replace(return_due=None, returning_block=None)
    if row.closed_block is None or row.closed_block <= block:
        return row
    return row._replace(status=schema.PENDING, paid_by=None, closed_block=None, closed_timestamp=None)


def _read(connection: Connection, keys: Select[Any], limit: int) -> Page[WithdrawalRow]:
    chosen = keys.order_by(keys.selected_columns[0].desc()).limit(bindparam("rows"))
    found = connection.execute(_WITHDRAWALS.where(_w.n.in_(chosen)), {"rows": limit + 1})
    return make_page([WithdrawalRow(*row) for row in found], limit, lambda row: row.n)
