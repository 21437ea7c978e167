"""Balances by account and token: now, at the end of a past block, or as changed by a block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, select

from settlement.store import schema
from settlement.store.read.bulk_query import BulkQuery
from settlement.store.read.key_ranges import FETCH_ROWS, BlockRange


class BalanceRow(NamedTuple):
    """An account's balance of a token, in units."""

    symbol: str
    precision: int
    available: int
    locked: int
    withdrawing: int


class HolderRow(NamedTuple):
    """A balance with the name of its account, in units."""

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
_BALANCES = BulkQuery(
    select(_t.symbol, _t.precision, _b.available, _b.locked, _b.withdrawing)
    .join(schema.tokens, _t.id == _b.token_id)
    .where(_b.account_id == _account, _HOLDS)
)
_newest = schema.balance_changes.alias("newest")
_newest_block = select(func.max(_newest.c.block)).where(
    _newest.c.account_id == _b.account_id, _newest.c.token_id == _b.token_id, _newest.c.block <= _block
)
# An outer join without conditions on its result, because otherwise SQLite would start from all changes.
_PAST_WALLETS = schema.balances.join(schema.tokens, _t.id == _b.token_id).outerjoin(
    schema.balance_changes,
    (_c.account_id == _b.account_id)
    & (_c.token_id == _b.token_id)
    & (_c.block == _newest_block.scalar_subquery()),
)
_PAST_BALANCES = BulkQuery(
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


def read_balances(connection: Connection, account_id: int, block: int | None = None) -> list[BalanceRow]:
    """The non-zero balances of an account, by symbol: now, or at the end of `block`."""
    statement = _BALANCES if block is None else _PAST_BALANCES
    rows = statement.rows(connection, {"account": account_id, "block": block})
    return sorted(BalanceRow(*row) for row in rows if any(row[2:]))


def read_all_balances(connection: Connection, block: int | None = None) -> Iterator[HolderRow]:
    """All non-zero balances, unordered: now, or at the end of `block`."""
    statement = _HOLDERS if block is None else _PAST_HOLDERS
    for row in connection.execute(statement, {"block": block}):
        if any(row[3:]):
            yield HolderRow(*row)


def stream_balances(connection: Connection, account_id: int | None, block: int | None) -> Iterator[HolderRow]:
    """Stream all non-zero balances, or those of one account, by account and symbol.

    At the end of `block`; None: now.
    """
    statement = (_HOLDERS if block is None else _PAST_HOLDERS).order_by(_name, _t.symbol)
    if account_id is not None:
        statement = statement.where(_b.account_id == account_id)
    found = connection.execute(statement.execution_options(yield_per=FETCH_ROWS), {"block": block})
    return (HolderRow(*row) for row in found if any(row[3:]))


class ChangedBalanceRow(NamedTuple):
    """A balance after a block that changed it, in units."""

    block: int
    timestamp: int
    holder: HolderRow


_HISTORY: Select[Any] = (
    select(
        _c.block,
        schema.blocks.c.timestamp,
        *(_name, _t.symbol, _t.precision, _c.available, _c.locked, _c.withdrawing),
    )
    .select_from(schema.balance_changes)
    .join(schema.tokens, _t.id == _c.token_id)
    .join(schema.accounts, schema.accounts.c.id == _c.account_id)
    .join(schema.blocks, schema.blocks.c.number == _c.block)
    .where(_c.block.between(bindparam("first"), bindparam("last")))
    .order_by(_c.block, _c.account_id, _c.token_id)
)


def stream_balance_changes(
    connection: Connection, account_id: int | None, blocks: BlockRange
) -> Iterator[ChangedBalanceRow]:
    """Stream the balances that blocks changed, after each of them; with an account, only its own."""
    statement = _HISTORY if account_id is None else _HISTORY.where(_c.account_id == account_id)
    values = {"first": blocks.first, "last": blocks.last}
    for block, timestamp, *row in connection.execute(
        statement.execution_options(yield_per=FETCH_ROWS), values
    ):
        yield ChangedBalanceRow(block, timestamp, HolderRow(*row))
