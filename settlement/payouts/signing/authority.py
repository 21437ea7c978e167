"""Active authorities of escrow accounts, and our keys that count for them.

An active authority assigns weights to keys and accounts, and has a threshold. An account in it counts once
its own active keys reach its own threshold; accounts nested deeper are ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from settlement.payouts.chain.accounts import Account
from settlement.payouts.chain.client import ChainClient
from settlement.payouts.signing.transactions import Key, SigningError, Transaction

Level = Literal["ok", "warn", "unpaid"]
OK: Final[Level] = "ok"
WARN: Final[Level] = "warn"
UNPAID: Final[Level] = "unpaid"


class KeyVariable(NamedTuple):
    """The environment variable with the key of a token's escrow account."""

    symbol: str
    escrow: str
    variable: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of checking an escrow account's keys."""

    level: Level  # `unpaid`: this process cannot sign for the account
    escrow: str
    symbols: tuple[str, ...]  # the tokens that the account pays
    text: str  # for the log


@dataclass(frozen=True, slots=True)
class ActiveAuthority:
    """An active authority with its accounts' authorities resolved."""

    threshold: int
    keys: Mapping[str, int]  # weights by public key
    accounts: tuple[tuple[int, ActiveAuthority], ...] = ()  # weights, and the accounts' own authorities

    def counts(self, public: str) -> bool:
        """Whether a key has any weight."""
        return public in self.keys or any(authority.counts(public) for _, authority in self.accounts)

    def weight(self, publics: Collection[str]) -> int:
        """Total weight of the keys."""
        own = sum(weight for key, weight in self.keys.items() if key in publics)
        return own + sum(weight for weight, authority in self.accounts if authority.is_met(publics))

    def is_met(self, publics: Collection[str]) -> bool:
        """Whether the keys reach the threshold."""
        return self.weight(publics) >= self.threshold

    def sufficient(self, signatures: Mapping[str, str]) -> tuple[str, ...] | None:
        """A minimal sufficient subset of `signatures` (by public key); None where they do not suffice.

        The chain rejects transactions with unnecessary signatures.
        """
        left = {key: text for key, text in signatures.items() if self.counts(key)}
        if not self.is_met(left):
            return None
        for key in sorted(left, key=lambda key: (self.keys.get(key, 0), key)):
            without = {other: text for other, text in left.items() if other != key}
            if self.is_met(without):
                left = without
        return tuple(left[key] for key in sorted(left))


class Authorities:
    """Active authorities of accounts, as of the last refresh."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self.accounts = frozenset(accounts)
        self._by_account: Mapping[str, ActiveAuthority] = {}

    def refresh(self, nodes: ChainClient) -> Mapping[str, Account]:
        """Read them from the chain; returns the accounts that exist. Raises ChainError, changing nothing."""
        found = nodes.accounts(self.accounts)
        nested = {name for account in found.values() for name in account.active.accounts}
        nested_accounts = nodes.accounts(nested) if nested else {}
        self._by_account = {name: _resolve(account, nested_accounts) for name, account in found.items()}
        return found

    def get(self, account: str) -> ActiveAuthority | None:
        """The account's authority; None where it does not exist or was not read yet."""
        return self._by_account.get(account)


class KeyRing:
    """Our keys by escrow account. A key is used only after the chain has confirmed that it counts."""

    def __init__(self, variables: Iterable[KeyVariable], texts: Mapping[str, str], chain_id: str) -> None:
        """`texts`: the variables' values by name. Nothing is read from the chain yet."""
        self._variables = tuple(variables)
        self.chain_id = chain_id
        self._keys = {name: _key(text) for name, text in texts.items()}
        self._usable: Mapping[str, tuple[Key, ...]] = {}
        self.authorities = Authorities(entry.escrow for entry in self._variables)

    def check(self, nodes: ChainClient) -> list[Finding]:
        """Compare our keys with the chain. Raises ChainError and then changes nothing."""
        accounts = self.authorities.refresh(nodes)
        usable: dict[str, tuple[Key, ...]] = {}
        findings: list[Finding] = []
        for escrow in sorted(self.authorities.accounts):
            keys, results = self._check(escrow, accounts.get(escrow))
            usable[escrow] = keys
            findings += results
        self._usable = usable
        return findings

    def can_sign(self, escrow: str) -> bool:
        """Whether one of our keys counts for the account."""
        return bool(self._usable.get(escrow))

    def sign(self, escrow: str, transaction: Transaction) -> dict[str, str]:
        """Our signatures by public key; empty where none of our keys counts. Raises SigningError."""
        return {key.public: key.sign(transaction, self.chain_id) for key in self._usable.get(escrow, ())}

    def sufficient(self, escrow: str, signatures: Mapping[str, str]) -> tuple[str, ...] | None:
        """As `ActiveAuthority.sufficient`."""
        authority = self.authorities.get(escrow)
        return None if authority is None else authority.sufficient(signatures)

    def weight(self, escrow: str, publics: Collection[str]) -> tuple[int, int]:
        """Weight of the keys, and the account's threshold."""
        authority = self.authorities.get(escrow)
        return (0, 0) if authority is None else (authority.weight(publics), authority.threshold)

    def _check(self, escrow: str, account: Account | None) -> tuple[tuple[Key, ...], list[Finding]]:
        mine = [entry for entry in self._variables if entry.escrow == escrow]
        symbols = tuple(sorted({entry.symbol for entry in mine}))
        authority = self.authorities.get(escrow)
        if account is None or authority is None:
            return (), [Finding(UNPAID, escrow, symbols, f"there is no account {escrow}: {_unpaid(symbols)}")]
        keys: dict[str, Key] = {}
        problems: list[str] = []
        for variable in sorted({entry.variable for entry in mine}):
            key = self._keys.get(variable)
            if not isinstance(key, Key):
                problems.append(f"{variable} {'is not set' if key is None else f'holds no key: {key}'}")
            elif not authority.counts(key.public):
                problems.append(f"{variable} holds {_mismatch(key.public, account)}")
            else:
                keys[key.public] = key
        if not keys:
            text = f"{'; '.join(problems)}: {_unpaid(symbols)}"
            return (), [Finding(UNPAID, escrow, symbols, text)]
        findings = [Finding(OK, escrow, symbols, _signing_power(escrow, authority, keys))]
        findings += [Finding(WARN, escrow, symbols, problem) for problem in problems]
        return tuple(keys[public] for public in sorted(keys)), findings


def key_variable(symbol: str, key_env: str | None) -> str:
    """Environment variable of a token's key: the venue file's `key_env`, else `PEK_<SYMBOL>_KEY`."""
    return key_env or f"PEK_{symbol.replace('.', '_').replace('-', '_')}_KEY"


def _key(text: str) -> Key | SigningError:
    try:
        return Key(text)
    except SigningError as error:
        return error


def _resolve(account: Account, nested: Mapping[str, Account]) -> ActiveAuthority:
    active = account.active
    accounts = [
        (weight, ActiveAuthority(nested[name].active.threshold, nested[name].active.keys))
        for name, weight in active.accounts.items()
        if name in nested
    ]
    return ActiveAuthority(active.threshold, active.keys, tuple(accounts))


def _mismatch(public: str, account: Account) -> str:
    role = account.others.get(public)
    if role is not None:
        return f"the {role} key of {account.name}, not an active one"
    return f"a key that is not in the active authority of {account.name}"


def _signing_power(escrow: str, authority: ActiveAuthority, keys: Collection[str]) -> str:
    weight = authority.weight(keys)
    if weight >= authority.threshold:
        return f"{escrow}: our key suffices"
    needed = authority.threshold
    return f"{escrow}: our keys have weight {weight} of {needed}; the other operators must sign too"


def _unpaid(symbols: Sequence[str]) -> str:
    return f"{', '.join(symbols)} {'stays' if len(symbols) == 1 else 'stay'} unpaid"
