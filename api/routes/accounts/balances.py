"""/api/balances: balances of an account by token."""

from __future__ import annotations

from dataclasses import dataclass

from api.database import Snapshot
from api.http.parameters import BlockNumber, User
from api.http.resource import Resource
from api.http.shapes import Amount, Answer, Part
from settlement.core.parsing.amounts import show_units
from settlement.store.read.accounts.balances import BalanceRow, read_balances
from settlement.store.read.venue import find_account


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceParameters:
    user: User
    block: BlockNumber | None = None


class Balance(Part, kw_only=True):
    """An account's balance of one token."""

    symbol: str
    available: Amount
    locked: Amount
    withdrawing: Amount
    total: Amount


class Balances(Answer, kw_only=True):
    user: str
    balances: list[Balance]


def _view(snapshot: Snapshot, params: BalanceParameters) -> Balances:
    account = find_account(snapshot.connection, params.user)
    rows = [] if account is None else read_balances(snapshot.connection, account, params.block)
    return Balances(*snapshot.stamp, user=params.user, balances=[show_balance(row) for row in rows])


def show_balance(row: BalanceRow) -> Balance:
    return Balance(
        symbol=row.symbol,
        available=show_units(row.available, row.precision),
        locked=show_units(row.locked, row.precision),
        withdrawing=show_units(row.withdrawing, row.precision),
        total=show_units(row.available + row.locked + row.withdrawing, row.precision),
    )


resource = Resource(
    "/api/balances",
    BalanceParameters,
    Balances,
    "Balances of an account by token.",
    _view,
    errors=("E_BLOCK",),
    group="Account",
)
