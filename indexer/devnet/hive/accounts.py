"""Hive accounts: liquid coins, authorities, and what operations do to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from indexer.devnet.hive.authority import Authority, Role
from indexer.devnet.hive.errors import CODE_ASSERT, CODE_SERVER, ChainError, Frame
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.hive.operations import COINS, MAX_MILS, Coin, Operation, Transfer, is_account

__all__ = ["CODE_ASSERT", "CODE_SERVER", "Account", "Accounts", "ChainError", "Delta"]

BALANCE_FIELDS: Final = {"HIVE": "balance", "HBD": "hbd_balance"}

# (account, coin, change in mils): what an operation did, so that a fork can take it back.
Delta = tuple[str, str, int]


@dataclass(slots=True)
class Account:
    """An account with its liquid coins in mils and its authorities; `created` is in seconds since 1970."""

    name: str
    number: int
    created: int
    authorities: dict[Role, Authority] = field(default_factory=dict)
    memo_key: str = ""
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COINS, 0))


class Accounts:
    """All accounts of a chain. Their keys come from seed and name, where nothing else is set."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._by_name: dict[str, Account] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[str]:
        """Names in order of creation."""
        return iter(self._by_name)

    def create(
        self,
        name: str,
        created: int,
        authorities: Mapping[Role, Authority] | None = None,
        memo_key: str | None = None,
    ) -> Account:
        """The account of this name, made if there is none. Raises ChainError for a bad name.

        This happens beside the chain: there is no operation for it. Authorities that are given replace
        those that the account has.
        """
        account = self._by_name.get(name)
        if account is None:
            if not is_account(name):
                raise ChainError(f"Assert Exception:Account name {name[:32]} is invalid")
            account = self._by_name[name] = Account(name, len(self._by_name) + 1, created)
        if authorities:
            account.authorities.update(authorities)
        account.memo_key = memo_key or account.memo_key
        return account

    def get(self, name: str) -> Account:
        """The account. Raises ChainError where there is none."""
        account = self._by_name.get(name)
        if account is None:
            frame = Frame("get_account", "unknown key: ${name}", {"name": name})
            raise ChainError(f"unknown key:unknown key: {name}", CODE_SERVER, frame)
        return account

    def private_key(self, name: str, role: str) -> PrivateKey:
        """The key that an account has by default for owner, active, posting or memo."""
        return PrivateKey(f"{self._seed}:{name}:{role}")

    def authority(self, name: str, role: Role) -> Authority:
        """An account's authority. Raises ChainError where there is no such account."""
        account = self.get(name)
        if role not in account.authorities:
            # Derived when first asked for: a chain of 10,000 accounts need not compute their keys.
            account.authorities[role] = Authority.of_key(self.private_key(name, role).public_key)
        return account.authorities[role]

    def memo_key(self, name: str) -> str:
        """An account's public memo key. Raises ChainError where there is no such account."""
        account = self.get(name)
        account.memo_key = account.memo_key or self.private_key(name, "memo").public_key
        return account.memo_key

    def balance(self, name: str, symbol: str) -> int:
        """Mils of a coin, pending transactions counted; 0 for an unknown account."""
        account = self._by_name.get(name)
        return account.balances[symbol] if account else 0

    def grant(self, name: str, symbol: str, mils: int) -> None:
        """Give an account coins out of nothing, beside the chain. Raises ChainError."""
        account = self.get(name)
        if symbol not in COINS or not 0 < mils <= MAX_MILS - account.balances[symbol]:
            raise ChainError(f"Assert Exception:cannot grant {mils} thousandths of {symbol}")
        account.balances[symbol] += mils

    def apply(self, operations: Sequence[Operation]) -> list[Delta]:
        """Apply all operations or none. Raises ChainError."""
        deltas: list[Delta] = []
        try:
            for operation in operations:
                self._apply_one(operation, deltas)
        except ChainError:
            self.revert(deltas)
            raise
        return deltas

    def _apply_one(self, operation: Operation, deltas: list[Delta]) -> None:
        if not isinstance(operation, Transfer):
            for name in operation.required_auths + operation.required_posting_auths:
                self.get(name)
            return
        mils, symbol = operation.amount
        sender, recipient = self.get(operation.sender), self.get(operation.recipient)
        if sender.balances[symbol] < mils:
            raise _overdrawn(sender, operation.amount)
        for account, delta in ((sender, -mils), (recipient, mils)):
            account.balances[symbol] += delta
            deltas.append((account.name, symbol, delta))

    def revert(self, deltas: Sequence[Delta]) -> None:
        """Take back what `apply` did; the last one applied comes first."""
        for name, symbol, delta in reversed(deltas):
            self._by_name[name].balances[symbol] -= delta


def _overdrawn(account: Account, wanted: Coin) -> ChainError:
    text = (
        "Account ${acc} does not have sufficient funds for balance adjustment. "
        "Required: ${r}, Available: ${a}"
    )
    available = Coin(account.balances[wanted.symbol], wanted.symbol)
    said = text.replace("${acc}", account.name)
    said = said.replace("${r}", f"-{wanted.text()}")  # hived shows the change itself, which is negative
    said = said.replace("${a}", available.text())
    field_name = BALANCE_FIELDS[wanted.symbol]
    frame = Frame(
        "adjust_balance",
        text,
        {"acc": account.name, "r": Coin(-wanted.mils, wanted.symbol).nai(), "a": available.nai()},
    )
    return ChainError(f"Assert Exception:a.get_{field_name}() >= -delta: {said}", CODE_ASSERT, frame)
