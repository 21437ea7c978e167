"""Hive accounts: liquid balances, authorities, and the effects of operations on them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from indexer.devnet.hive.account_update import AccountUpdate, AuthorityValue
from indexer.devnet.hive.authority import ROLES, Authority, Role
from indexer.devnet.hive.errors import CODE_ASSERT, ChainError, Frame, UnknownAccountError
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.hive.operations import COINS, MAX_MILS, Coin, Operation, PowerUp, Transfer, name_error
from settlement.core.parsing.names import is_account


class KeyChange(NamedTuple):
    """The authorities and the memo key that an account had before an operation."""

    account: str
    authorities: dict[Role, Authority]
    memo_key: str


# A balance change (account, coin, change in mils) or a change of keys, which a fork can revert.
Delta = tuple[str, str, int] | KeyChange


@dataclass(slots=True)
class Account:
    """An account: liquid balances in mils and authorities. `created` is in seconds since 1970."""

    name: str
    number: int
    created: int
    authorities: dict[Role, Authority] = field(default_factory=dict)
    memo_key: str = ""
    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COINS, 0))


class Accounts:
    """All accounts of a chain. Default keys are derived from the seed and the account's name."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._by_name: dict[str, Account] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[str]:
        """Account names in order of creation."""
        return iter(self._by_name)

    def create(
        self,
        name: str,
        created: int,
        authorities: Mapping[Role, Authority] | None = None,
        memo_key: str | None = None,
    ) -> Account:
        """The account of this name, created if it is missing. Raises ChainError for an invalid name.

        There is no operation for it on the chain. Given authorities replace those of the account.
        """
        account = self._by_name.get(name)
        if account is None:
            if not is_account(name):
                raise ChainError(name_error(name))
            account = self._by_name[name] = Account(name, len(self._by_name) + 1, created)
        if authorities:
            account.authorities.update(authorities)
        account.memo_key = memo_key or account.memo_key
        return account

    def get(self, name: str) -> Account:
        """The account. Raises ChainError if there is none."""
        account = self._by_name.get(name)
        if account is None:
            raise UnknownAccountError(name)
        return account

    def private_key(self, name: str, role: str) -> PrivateKey:
        """The account's default key for the role owner, active, posting or memo."""
        return PrivateKey(f"{self._seed}:{name}:{role}")

    def authority(self, name: str, role: Role) -> Authority:
        """An account's authority. Raises ChainError if there is no such account."""
        account = self.get(name)
        if role not in account.authorities:
            # Derived lazily, so that a chain of 10,000 accounts does not compute all their keys.
            account.authorities[role] = Authority.of_key(self.private_key(name, role).public_key)
        return account.authorities[role]

    def memo_key(self, name: str) -> str:
        """An account's public memo key. Raises ChainError if there is no such account."""
        account = self.get(name)
        account.memo_key = account.memo_key or self.private_key(name, "memo").public_key
        return account.memo_key

    def balance(self, name: str, symbol: str) -> int:
        """Balance in mils, including pending transactions; 0 for an unknown account."""
        account = self._by_name.get(name)
        return account.balances[symbol] if account else 0

    def grant(self, name: str, symbol: str, mils: int) -> None:
        """Create coins in an account, without an operation on the chain. Raises ChainError."""
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
        if isinstance(operation, AccountUpdate):
            deltas.append(self._change_keys(operation))
            return
        if not isinstance(operation, Transfer | PowerUp):
            for name in operation.required_auths + operation.required_posting_auths:
                self.get(name)
            return
        (mils, symbol), to_stake = operation.amount, isinstance(operation, PowerUp)
        sender, recipient = self.get(operation.sender), self._by_name.get(operation.recipient)
        if recipient is None:
            text = '_account != nullptr && "By name": Account {} doesn\'t exist'
            frame = Frame("get_account", "Account ${acc} doesn't exist", {"acc": operation.recipient})
            raise ChainError(f"Assert Exception:{text.format(operation.recipient)}", CODE_ASSERT, frame)
        if sender.balances[symbol] < mils:
            raise _overdrawn(sender, operation.amount)
        for account, delta in ((sender, -mils), (recipient, 0 if to_stake else mils)):
            account.balances[symbol] += delta
            deltas.append((account.name, symbol, delta))

    def revert(self, deltas: Sequence[Delta]) -> None:
        """Revert the changes of `apply`, the newest first."""
        for change in reversed(deltas):
            if isinstance(change, KeyChange):
                account = self._by_name[change.account]
                account.authorities, account.memo_key = dict(change.authorities), change.memo_key
            else:
                name, symbol, delta = change
                self._by_name[name].balances[symbol] -= delta

    def _change_keys(self, operation: AccountUpdate) -> KeyChange:
        """Apply an `account_update`. Raises ChainError if it names an account that does not exist."""
        name = operation.account
        account = self.get(name)
        for member in operation.members:
            self.get(member)
        before = {role: self.authority(name, role) for role in ROLES}
        change = KeyChange(name, before, self.memo_key(name))
        for role in ROLES:
            value: AuthorityValue | None = getattr(operation, role)
            if value is not None:
                account.authorities[role] = Authority(value.threshold, value.key_auths, value.account_auths)
        account.memo_key = operation.memo_key
        return change


def _overdrawn(account: Account, required: Coin) -> ChainError:
    text = (
        "Account ${acc} does not have sufficient funds for balance adjustment. "
        "Required: ${r}, Available: ${a}"
    )
    change = Coin(-required.mils, required.symbol).nai()  # hived shows the change itself
    available = Coin(account.balances[required.symbol], required.symbol).nai()
    message = text.replace("${acc}", account.name)
    for field_name, value in (("${r}", change), ("${a}", available)):
        message = message.replace(field_name, json.dumps(value, separators=(",", ":")))
    frame = Frame("adjust_balance", text, {"acc": account.name, "r": change, "a": available})
    return ChainError(f"Assert Exception:available >= -delta: {message}", CODE_ASSERT, frame)
