"""Accounts: their balances, open orders and stops, grants and timers; tokens (protocol, sections 1 and 6).

Amounts are units of a token. Only the rules of this package change these objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from settlement.core.events import Chain

if TYPE_CHECKING:
    from settlement.core.trading.order_book import Order, Stop

AVAILABLE: Final = 0
LOCKED: Final = 1
WITHDRAWING: Final = 2
ESCROW: Final = 3
BUCKETS: Final = ("available", "locked", "withdrawing", "escrow")
"""Names of a balance's buckets by number.

The escrow bucket is the counterpart of all deposits: never positive.
"""


@dataclass(slots=True, eq=False)
class Balance:
    """An account's balance of one token, in four buckets. The last four fields belong to `invariants`."""

    account: str
    symbol: str
    buckets: list[int] = field(default_factory=lambda: [0, 0, 0, 0])  # units, by bucket number
    checked: int = 0  # sum of all buckets at the end of the last block that was checked
    checked_locked: int = 0  # the locked bucket then
    checked_withdrawing: int = 0  # the withdrawing bucket then
    changed: bool = False  # whether it changed since then

    @property
    def available(self) -> int:
        return self.buckets[AVAILABLE]


@dataclass(slots=True, eq=False)
class Grant:
    """Permission to trade for an account within limits (section 6)."""

    account: Account  # the granting account
    to: str  # `posting`, or an account
    until: int  # when it vanishes, Unix seconds
    band_bps: int  # how far from the mark an order may be priced, in basis points
    pairs: frozenset[str]  # BASE/QUOTE texts
    per_day: dict[str, int]  # daily allowance by symbol, units
    day: int | None = None  # the day (Unix seconds // 86400) of the last order that counted
    used: dict[str, int] = field(default_factory=dict)  # what was counted on that day, by symbol, units


@dataclass(slots=True, eq=False)
class Timer:
    """A cancel-all timer."""

    account: Account
    by: str  # how it was set: `active`, `posting` or a grantee's name
    due: int  # Unix seconds


@dataclass(slots=True, eq=False)
class Account:
    """An account that the ledger knows."""

    name: str  # percent-encoded
    balances: dict[str, Balance] = field(default_factory=dict)  # by symbol
    orders: dict[str, Order | Stop] = field(default_factory=dict)  # open orders and stops by id
    grants: int = 0  # number of grants


@dataclass(slots=True, eq=False)
class Token:
    """A listed token."""

    symbol: str
    precision: int  # decimals of its smallest unit
    chain: Chain
    escrow: str  # the account that holds its deposits
    min_withdrawal: int  # units
    contra: (
        Balance  # contra account: the escrow account's balance, whose escrow bucket is minus all liabilities
    )
    holdings: int = 0  # what the escrow account holds as far as the chain shows; may be negative (section 8)

    @property
    def liabilities_units(self) -> int:
        """Available + locked + withdrawing over all accounts."""
        return -self.contra.buckets[ESCROW]


def balance_of(account: Account, symbol: str) -> Balance:
    """The account's balance of a token, created empty on first use."""
    balance = account.balances.get(symbol)
    if balance is None:
        balance = account.balances[symbol] = Balance(account.name, symbol)
    return balance
