"""Which keys may sign for an escrow account, which of them are ours, and whether enough have signed.

An active authority gives weights to keys and to accounts, and a threshold. An account in it counts once its
own active keys reach its own threshold; accounts within those are not looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from settlement.payouts.chain import Account, Nodes
from settlement.payouts.signing import Key, SigningError, Transaction

Level = Literal["ok", "warn", "unpaid"]
OK: Final[Level] = "ok"
WARN: Final[Level] = "warn"
UNPAID: Final[Level] = "unpaid"


class Wanted(NamedTuple):
    """A token, the account that pays it, and the variable that holds a key of that account."""

    symbol: str
    escrow: str
    variable: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of an escrow account's keys. `unpaid`: its tokens are not paid out by us."""

    level: Level
    escrow: str
    symbols: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """An active authority, its accounts as `(weight, their own rule)`."""

    threshold: int
    keys: Mapping[str, int]
    accounts: tuple[tuple[int, Rule], ...] = ()

    def counts(self, public: str) -> bool:
        """Whether a key has any weight here."""
        return public in self.keys or any(rule.counts(public) for _, rule in self.accounts)

    def weight(self, publics: Collection[str]) -> int:
        """What these keys reach together."""
        own = sum(weight for key, weight in self.keys.items() if key in publics)
        return own + sum(weight for weight, rule in self.accounts if rule.met(publics))

    def met(self, publics: Collection[str]) -> bool:
        """Whether these keys suffice."""
        return self.weight(publics) >= self.threshold

    def enough(self, signatures: Mapping[str, str]) -> tuple[str, ...] | None:
        """Signatures by key, cut down to those that are needed; None where they do not suffice.

        The chain refuses a signature that it can do without.
        """
        left = {key: text for key, text in signatures.items() if self.counts(key)}
        if not self.met(left):
            return None
        for key in sorted(left, key=lambda key: (self.keys.get(key, 0), key)):
            without = {other: text for other, text in left.items() if other != key}
            if self.met(without):
                left = without
        return tuple(left[key] for key in sorted(left))


class Authorities:
    """The rules of some escrow accounts, as the chain had them when last asked."""

    def __init__(self, escrows: Iterable[str]) -> None:
        self.escrows = frozenset(escrows)
        self._rules: Mapping[str, Rule] = {}

    def refresh(self, nodes: Nodes) -> Mapping[str, Account]:
        """Ask the chain; gives the accounts that exist. Raises ChainError: then all stays as it was."""
        found = nodes.accounts(self.escrows)
        inner = {name for account in found.values() for name in account.active.accounts}
        lent = nodes.accounts(inner) if inner else {}
        self._rules = {name: _rule(account, lent) for name, account in found.items()}
        return found

    def rule(self, escrow: str) -> Rule | None:
        """None for an account that does not exist, or was not asked for yet."""
        return self._rules.get(escrow)


class Signers:
    """Our keys by escrow account. A key is used once the chain has said that it counts for the account."""

    def __init__(self, wanted: Iterable[Wanted], texts: Mapping[str, str], chain_id: str) -> None:
        """`texts` are the variables' values; nothing is asked yet."""
        self._wanted = tuple(wanted)
        self.chain_id = chain_id
        self._keys = {name: _key(text) for name, text in texts.items()}
        self._usable: Mapping[str, tuple[Key, ...]] = {}
        self.authorities = Authorities(one.escrow for one in self._wanted)

    def check(self, nodes: Nodes) -> list[Finding]:
        """Ask the chain what our keys count for. Raises ChainError: then all stays as it was."""
        accounts = self.authorities.refresh(nodes)
        usable: dict[str, tuple[Key, ...]] = {}
        findings: list[Finding] = []
        for escrow in sorted(self.authorities.escrows):
            keys, said = self._check(escrow, accounts.get(escrow))
            usable[escrow] = keys
            findings += said
        self._usable = usable
        return findings

    def can_sign(self, escrow: str) -> bool:
        """Whether a key of ours counts for the account."""
        return bool(self._usable.get(escrow))

    def sign(self, escrow: str, transaction: Transaction) -> dict[str, str]:
        """Our signatures by public key; none where no key of ours counts. Raises SigningError."""
        return {key.public: key.sign(transaction, self.chain_id) for key in self._usable.get(escrow, ())}

    def enough(self, escrow: str, signatures: Mapping[str, str]) -> tuple[str, ...] | None:
        """As `Rule.enough`."""
        rule = self.authorities.rule(escrow)
        return None if rule is None else rule.enough(signatures)

    def weight(self, escrow: str, publics: Collection[str]) -> tuple[int, int]:
        """What these keys reach, and what is needed."""
        rule = self.authorities.rule(escrow)
        return (0, 0) if rule is None else (rule.weight(publics), rule.threshold)

    def _check(self, escrow: str, account: Account | None) -> tuple[tuple[Key, ...], list[Finding]]:
        mine = [one for one in self._wanted if one.escrow == escrow]
        symbols = tuple(sorted({one.symbol for one in mine}))
        rule = self.authorities.rule(escrow)
        if account is None or rule is None:
            return (), [Finding(UNPAID, escrow, symbols, f"there is no account {escrow}: {_stay(symbols)}")]
        keys: dict[str, Key] = {}
        problems: list[str] = []
        for variable in sorted({one.variable for one in mine}):
            key = self._keys.get(variable)
            if not isinstance(key, Key):
                problems.append(f"{variable} {'is not set' if key is None else f'holds no key: {key}'}")
            elif not rule.counts(key.public):
                problems.append(f"{variable} holds {_wrong(key.public, account)}")
            else:
                keys[key.public] = key
        if not keys:
            text = f"{'; '.join(problems)}: {_stay(symbols)}"
            return (), [Finding(UNPAID, escrow, symbols, text)]
        findings = [Finding(OK, escrow, symbols, _able(escrow, rule, keys))]
        findings += [Finding(WARN, escrow, symbols, problem) for problem in problems]
        return tuple(keys[public] for public in sorted(keys)), findings


def variable_of(symbol: str, key_env: str | None) -> str:
    """The environment variable of a token's key: the one that the venue file names, else one by rule."""
    return key_env or f"PEK_{symbol.replace('.', '_').replace('-', '_')}_KEY"


def _key(text: str) -> Key | SigningError:
    try:
        return Key(text)
    except SigningError as error:
        return error


def _rule(account: Account, lent: Mapping[str, Account]) -> Rule:
    active = account.active
    inner = [
        (weight, Rule(lent[name].active.threshold, lent[name].active.keys))
        for name, weight in active.accounts.items()
        if name in lent
    ]
    return Rule(active.threshold, active.keys, tuple(inner))


def _wrong(public: str, account: Account) -> str:
    role = account.others.get(public)
    if role is not None:
        return f"the {role} key of {account.name}, not an active one"
    return f"a key that is not in the active authority of {account.name}"


def _able(escrow: str, rule: Rule, keys: Collection[str]) -> str:
    have = rule.weight(keys)
    if have >= rule.threshold:
        return f"{escrow}: our key suffices"
    return f"{escrow}: our keys have weight {have} of {rule.threshold}; the other operators must sign too"


def _stay(symbols: Sequence[str]) -> str:
    return f"{', '.join(symbols)} {'stays' if len(symbols) == 1 else 'stay'} unpaid"
