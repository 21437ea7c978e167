"""Withdrawals, newest first; and all of them, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from settlement.store import schema
from settlement.store.read.key_ranges import MANY, Span
from settlement.store.read.open_at_block import is_open
from settlement.store.read.paging import WINDOW, Page, cut


class WithdrawalRow(NamedTuple):
    """Text is encoded; `memo` is the trader's own. `status` by number: `schema.CLAIM_STATUSES`."""

    n: int
    id: str
    account: str
    symbol: str
    precision: int
    amount: int
    to: str
    memo: str | None
    status: int
    paid_by: str | None
    block: int
    timestamp: int
    closed_block: int | None
    closed_timestamp: int | None


class WithdrawalFilter(NamedTuple):
    """Which withdrawals; None means any."""

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
    connection: Connection, wanted: WithdrawalFilter, before: int | None, limit: int
) -> Page[WithdrawalRow]:
    """A page of withdrawals. Where no index serves the filter, it looks at no more than `WINDOW` of them:
    it can then hold fewer than `limit`, even none, and still have a next one."""
    range_: list[ColumnElement[bool]] = [] if before is None else [_w.n < before]
    if wanted.account_id is not None:
        range_.append(_w.account_id == wanted.account_id)
    if wanted.status is None:
        return _read(connection, select(_w.n).where(*range_), limit)
    if wanted.status == schema.PENDING and wanted.account_id is None:
        return _read(connection, select(_w.n).where(is_open(_w.status), *range_), limit)
    newest = select(_w.n, _w.status).where(*range_).order_by(_w.n.desc())
    window = newest.limit(WINDOW).subquery()
    page = _read(connection, select(window.c.n).where(window.c.status == wanted.status), limit)
    if page.next_key is not None:
        return page
    return page._replace(next_key=connection.execute(newest.offset(WINDOW - 1).limit(1)).scalar())


def read_withdrawals(connection: Connection, numbers: Iterable[int], block: int) -> list[WithdrawalRow]:
    """The withdrawals of these numbers, newest first, as of the end of a block by which all were opened."""
    rows = connection.execute(_CHOSEN, {"numbers": list(numbers)})
    return [_as_it_was(WithdrawalRow(*row), block) for row in rows]


def stream_withdrawals(
    connection: Connection, account_id: int | None, span: Span, block: int
) -> Iterator[WithdrawalRow]:
    """The withdrawals of these numbers, of one account if it is given, oldest first, read as a stream: as of
    the end of a block by which all were opened."""
    statement = _WITHDRAWALS.where(_w.n.between(*span)).order_by(None).order_by(_w.n)
    if account_id is not None:
        statement = statement.where(_w.account_id == account_id)
    for row in connection.execute(statement.execution_options(yield_per=MANY)):
        yield _as_it_was(WithdrawalRow(*row), block)


def _as_it_was(row: WithdrawalRow, block: int) -> WithdrawalRow:
    if row.closed_block is None or row.closed_block <= block:
        return row
    return row._replace(status=schema.PENDING, paid_by=None, closed_block=None, closed_timestamp=None)


def _read(connection: Connection, keys: Select[Any], limit: int) -> Page[WithdrawalRow]:
    chosen = keys.order_by(keys.selected_columns[0].desc()).limit(bindparam("rows"))
    found = connection.execute(_WITHDRAWALS.where(_w.n.in_(chosen)), {"rows": limit + 1})
    return cut([WithdrawalRow(*row) for row in found], limit, lambda row: row.n)
