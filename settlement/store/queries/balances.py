"""What an account holds, by token."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from settlement.store import schema


class BalanceRow(NamedTuple):
    symbol: str
    precision: int
    available: int
    locked: int
    withdrawing: int


_b, _t = schema.balances.c, schema.tokens.c
_BALANCES = (
    select(_t.symbol, _t.precision, _b.available, _b.locked, _b.withdrawing)
    .join(schema.tokens, _t.id == _b.token_id)
    .where(_b.account_id == bindparam("account"), _b.available + _b.locked + _b.withdrawing > 0)
    .order_by(_t.symbol)
)


def read_balances(connection: Connection, account_id: int) -> list[BalanceRow]:
    """The tokens of which an account holds anything, by symbol: at most as many as are listed."""
    return [BalanceRow(*row) for row in connection.execute(_BALANCES, {"account": account_id})]
