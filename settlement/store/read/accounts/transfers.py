"""Ledger transfers: of an account, newest first; and streams, oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, or_, select, union_all

from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store import schema
from settlement.store.read.key_ranges import FETCH_ROWS, KeyRange
from settlement.store.read.paging import Page, make_page


class TransferRow(NamedTuple):
    """A ledger transfer. Accounts are encoded, buckets are indexes in `settlement.core.accounts.BUCKETS`."""

    n: int
    block: int
    timestamp: int
    symbol: str
    precision: int
    amount: int
    debit: str
    debit_bucket: int
    credit: str
    credit_bucket: int


_m = schema.transfers.c
_account = bindparam("account", type_=_m.debit_id.type)
_debit, _credit = schema.accounts.alias("debit"), schema.accounts.alias("credit")


def _newest(*conditions: Any) -> Select[Any]:
    """The newest transfers of one side; each side has an index in the order of transfers."""
    newest = select(_m.n).where(*conditions, _m.n < bindparam("before"))
    return select(newest.order_by(_m.n.desc()).limit(bindparam("rows")).subquery().c.n)


_OF_ACCOUNT = union_all(
    _newest(_m.debit_id == _account), _newest(_m.credit_id == _account, _m.credit_id != _m.debit_id)
)
_ALL: Select[Any] = (
    select(
        _m.n,
        _m.block,
        schema.blocks.c.timestamp,
        schema.tokens.c.symbol,
        schema.tokens.c.precision,
        _m.amount,
        _debit.c.name,
        _m.debit_bucket,
        _credit.c.name,
        _m.credit_bucket,
    )
    .select_from(schema.transfers)
    .join(schema.blocks, schema.blocks.c.number == _m.block)
    .join(schema.tokens, schema.tokens.c.id == _m.token_id)
    .join(_debit, _debit.c.id == _m.debit_id)
    .join(_credit, _credit.c.id == _m.credit_id)
)
_TRANSFERS = _ALL.where(_m.n.in_(_OF_ACCOUNT)).order_by(_m.n.desc()).limit(bindparam("rows"))


def list_transfers(
    connection: Connection, account_id: int, before: int | None, limit: int
) -> Page[TransferRow]:
    """A page of the transfers of an account, on either side."""
    values = {"account": account_id, "before": MAX_UNITS if before is None else before, "rows": limit + 1}
    rows = [TransferRow(*row) for row in connection.execute(_TRANSFERS, values)]
    return make_page(rows, limit, lambda row: row.n)


def stream_transfers(connection: Connection, account_id: int | None, keys: KeyRange) -> Iterator[TransferRow]:
    """Stream the transfers in a key range, oldest first; with an account, only those on either side."""
    statement = _ALL.where(_m.n.between(*keys)).order_by(_m.n)
    if account_id is not None:
        statement = statement.where(or_(_m.debit_id == account_id, _m.credit_id == account_id))
    for row in connection.execute(statement.execution_options(yield_per=FETCH_ROWS)):
        yield TransferRow(*row)
