"""Account changes of one block, read once for all subscribers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from api.stream.market_replay import BlockChanges, DepositCredit
from settlement.store.read.accounts.balances import HolderRow, read_balance_changes
from settlement.store.read.accounts.deposits import DepositRow, read_refunds
from settlement.store.read.accounts.orders import OrderRow, read_orders
from settlement.store.read.accounts.withdrawals import WithdrawalRow, read_withdrawals
from settlement.store.read.position import ActiveBlock


class _HasAccount(Protocol):
    @property
    def account(self) -> str: ...


R = TypeVar("R", bound=_HasAccount)
ByAccount = Mapping[str, list[R]]


@dataclass(frozen=True, slots=True)
class AccountRows:
    """Changed rows by encoded account name, as of the end of the block, newest first."""

    balances: ByAccount[HolderRow]
    orders: ByAccount[OrderRow]
    deposits: ByAccount[DepositRow]
    withdrawals: ByAccount[WithdrawalRow]

    def includes(self, account: str) -> bool:
        return any(account in of for of in (self.balances, self.orders, self.deposits, self.withdrawals))


def read_account_rows(
    connection: Connection, past: ActiveBlock, changes: BlockChanges, precisions: Mapping[str, int]
) -> AccountRows:
    """`precisions`: decimals of each token by symbol."""
    number = past.number
    credits = [_deposit_row(credit, past, precisions[credit.symbol]) for credit in changes.credits]
    refunds = read_refunds(connection, changes.refunds, number) if changes.refunds else []
    withdrawals = read_withdrawals(connection, changes.withdrawals, number) if changes.withdrawals else []
    return AccountRows(
        balances=_by_account(read_balance_changes(connection, number)),
        orders=_by_account(read_orders(connection, changes.orders, number) if changes.orders else ()),
        deposits=_by_account((*credits[::-1], *refunds)),
        withdrawals=_by_account(withdrawals),
    )


def _by_account(rows: Iterable[R]) -> ByAccount[R]:
    found: dict[str, list[R]] = {}
    for row in rows:
        found.setdefault(row.account, []).append(row)
    return found


def _deposit_row(credit: DepositCredit, past: ActiveBlock, precision: int) -> DepositRow:
    return DepositRow(
        n=0,  # paging key, not shown
        id=credit.id,
        account=credit.account,
        symbol=credit.symbol,
        precision=precision,
        amount=credit.amount,
        quantity=None,
        escrow=credit.escrow,
        status=None,
        paid_by=None,
        block=past.number,
        timestamp=past.timestamp,
    )
