"""/api/balances: what an account holds at the venue."""

from __future__ import annotations

from dataclasses import dataclass

from api.database import Snapshot
from api.parameters import User
from api.resource import Body, Resource
from settlement.amounts import show_units
from settlement.store.queries.balances import BalanceRow, read_balances
from settlement.store.queries.venue import find_account


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceParameters:
    user: User


def _view(snapshot: Snapshot, ask: BalanceParameters) -> Body:
    account = find_account(snapshot.connection, ask.user)
    rows = [] if account is None else read_balances(snapshot.connection, account)
    return {"user": ask.user, "balances": [_balance(row) for row in rows]}


def _balance(row: BalanceRow) -> Body:
    buckets = {"available": row.available, "locked": row.locked, "withdrawing": row.withdrawing}
    amounts = {**buckets, "total": sum(buckets.values())}
    return {
        "symbol": row.symbol,
        **{name: show_units(units, row.precision) for name, units in amounts.items()},
    }


resource = Resource("/api/balances", BalanceParameters, _view, "What an account holds, by token.")
