"""What one block changed of accounts: read once, for all who listen to any of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from api.stream.market import Credit, Facts
from settlement.store.read.accounts.balances import HolderRow, read_balance_changes
from settlement.store.read.accounts.deposits import DepositRow, read_refunds
from settlement.store.read.accounts.orders import OrderRow, read_orders
from settlement.store.read.accounts.withdrawals import WithdrawalRow, read_withdrawals
from settlement.store.read.position import Past


class _OfAccount(Protocol):
    @property
    def account(self) -> str: ...


R = TypeVar("R", bound=_OfAccount)
ByAccount = Mapping[str, list[R]]


@dataclass(frozen=True, slots=True)
class AccountRows:
    """Rows as of the end of the block, newest first, by encoded name."""

    balances: ByAccount[HolderRow]
    orders: ByAccount[OrderRow]
    deposits: ByAccount[DepositRow]
    withdrawals: ByAccount[WithdrawalRow]

    def concern(self, account: str) -> bool:
        return any(account in of for of in (self.balances, self.orders, self.deposits, self.withdrawals))


def read_account_rows(
    connection: Connection, past: Past, facts: Facts, precisions: Mapping[str, int]
) -> AccountRows:
    """`precisions` are those of the tokens, by symbol."""
    number = past.number
    credits = [_credited(credit, past, precisions[credit.symbol]) for credit in facts.credits]
    refunds = read_refunds(connection, facts.refunds, number) if facts.refunds else []
    withdrawals = read_withdrawals(connection, facts.withdrawals, number) if facts.withdrawals else []
    return AccountRows(
        balances=_by_account(read_balance_changes(connection, number)),
        orders=_by_account(read_orders(connection, facts.orders, number) if facts.orders else ()),
        deposits=_by_account((*credits[::-1], *refunds)),
        withdrawals=_by_account(withdrawals),
    )


def _by_account(rows: Iterable[R]) -> ByAccount[R]:
    found: dict[str, list[R]] = {}
    for row in rows:
        found.setdefault(row.account, []).append(row)
    return found


def _credited(credit: Credit, past: Past, precision: int) -> DepositRow:
    return DepositRow(
        n=0,  # its place in lists, which is not shown
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
