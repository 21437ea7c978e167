"""What accounts hold, by token: now, at the end of a past block, or as one block changed it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, select

from settlement.store import schema
from settlement.store.read.key_ranges import MANY
from settlement.store.read.rows_as_json import AtOnce


class BalanceRow(NamedTuple):
    symbol: str
    precision: int
    available: int
    locked: int
    withdrawing: int


class HolderRow(NamedTuple):
    """What one account holds of one token."""

    account: str
    symbol: str
    precision: int
    available: int
    locked: int
    withdrawing: int


_b, _c, _t = schema.balances.c, schema.balance_changes.c, schema.tokens.c
_name = schema.accounts.c.name
_account: BindParameter[int] = bindparam("account")
_block: BindParameter[int] = bindparam("block")
_HOLDS = _b.available + _b.locked + _b.withdrawing > 0
_BALANCES = AtOnce(
    select(_t.symbol, _t.precision, _b.available, _b.locked, _b.withdrawing)
    .join(schema.tokens, _t.id == _b.token_id)
    .where(_b.account_id == _account, _HOLDS)
)
_newest = schema.balance_changes.alias("newest")
_newest_block = select(func.max(_newest.c.block)).where(
    _newest.c.account_id == _b.account_id, _newest.c.token_id == _b.token_id, _newest.c.block <= _block
)
# An outer join, and no condition on what it finds: SQLite would begin with all changes there ever were.
_PAST_WALLETS = schema.balances.join(schema.tokens, _t.id == _b.token_id).outerjoin(
    schema.balance_changes,
    (_c.account_id == _b.account_id)
    & (_c.token_id == _b.token_id)
    & (_c.block == _newest_block.scalar_subquery()),
)
_PAST_BALANCES = AtOnce(
    select(_t.symbol, _t.precision, _c.available, _c.locked, _c.withdrawing)
    .select_from(_PAST_WALLETS)
    .where(_b.account_id == _account)
)
_HOLDERS: Select[Any] = (
    select(_name, _t.symbol, _t.precision, _b.available, _b.locked, _b.withdrawing)
    .select_from(schema.balances)
    .join(schema.tokens, _t.id == _b.token_id)
    .join(schema.accounts, schema.accounts.c.id == _b.account_id)
    .where(_HOLDS)
)
_PAST_HOLDERS: Select[Any] = select(
    _name, _t.symbol, _t.precision, _c.available, _c.locked, _c.withdrawing
).select_from(_PAST_WALLETS.join(schema.accounts, schema.accounts.c.id == _b.account_id))
_CHANGES: Select[Any] = (
    select(_name, _t.symbol, _t.precision, _c.available, _c.locked, _c.withdrawing)
    .select_from(schema.balance_changes)
    .join(schema.tokens, _t.id == _c.token_id)
    .join(schema.accounts, schema.accounts.c.id == _c.account_id)
    .where(_c.block == _block)
    .order_by(_c.account_id, _c.token_id)
)


def read_balances(connection: Connection, account_id: int, block: int | None = None) -> list[BalanceRow]:
    """The tokens of which an account holds anything, by symbol: at most as many as are listed.

    With a block, as of its end.
    """
    statement = _BALANCES if block is None else _PAST_BALANCES
    rows = statement.rows(connection, {"account": account_id, "block": block})
    return sorted(BalanceRow(*row) for row in rows if any(row[2:]))


def read_all_balances(connection: Connection, block: int | None = None) -> Iterator[HolderRow]:
    """Every wallet that is not empty, in no order. With a block, as of its end."""
    statement = _HOLDERS if block is None else _PAST_HOLDERS
    for row in connection.execute(statement, {"block": block}):
        if any(row[3:]):
            yield HolderRow(*row)


def stream_balances(
    connection: Connection, account_id: int | None, block: int | None = None
) -> Iterator[HolderRow]:
    """Every wallet that is not empty, of one account if it is given, by account and symbol, read as a stream.
    With a block, as of its end."""
    statement = (_HOLDERS if block is None else _PAST_HOLDERS).order_by(_name, _t.symbol)
    if account_id is not None:
        statement = statement.where(_b.account_id == account_id)
    found = connection.execute(statement.execution_options(yield_per=MANY), {"block": block})
    return (HolderRow(*row) for row in found if any(row[3:]))


def read_balance_changes(connection: Connection, block: int) -> list[HolderRow]:
    """Every wallet of which a block moved something, as it stood after it; some may be empty then."""
    return [HolderRow(*row) for row in connection.execute(_CHANGES, {"block": block})]
