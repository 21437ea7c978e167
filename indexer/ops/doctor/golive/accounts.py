"""Accounts of Hive with their authorities, and how many keys have to sign for each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import msgspec

from settlement.net.json_rpc import JsonRpcClient

MAX_DEPTH: Final = 2
"""Levels of accounts within an authority that Hive follows (HIVE_MAX_SIG_CHECK_DEPTH)."""
_MAX_COUNTED_KEYS: Final = 12  # more are not tried in all combinations
_ACCOUNTS_PER_CALL: Final = 100

Role = Literal["owner", "active"]


class Authority(msgspec.Struct, frozen=True):
    """Weighted keys and accounts, whose signatures must reach a threshold."""

    weight_threshold: int
    account_auths: tuple[tuple[str, int], ...] = ()
    key_auths: tuple[tuple[str, int], ...] = ()


class Account(msgspec.Struct, frozen=True):
    """An account, as `database_api.find_accounts` returns it."""

    name: str
    owner: Authority
    active: Authority
    posting: Authority
    memo_key: str
    created: str  # ISO time, UTC

    def authority(self, role: Role) -> Authority:
        return self.owner if role == "owner" else self.active

    def own_keys(self) -> set[str]:
        """Its own keys, but for the memo key."""
        return {
            key for authority in (self.owner, self.active, self.posting) for key, _ in authority.key_auths
        }


class _Answer(msgspec.Struct):
    accounts: list[Account]


def read_accounts(node: JsonRpcClient, names: Iterable[str]) -> dict[str, Account]:
    """The accounts that exist, and those that their owner and active authorities name. Raises NodeError."""
    found: dict[str, Account] = {}
    wanted = set(names)
    for _ in range(MAX_DEPTH + 1):
        asked = sorted(wanted - found.keys())
        new: list[Account] = []
        for at in range(0, len(asked), _ACCOUNTS_PER_CALL):
            params = {"accounts": asked[at : at + _ACCOUNTS_PER_CALL]}
            new += node.call("database_api.find_accounts", params, _Answer).accounts
        found |= {account.name: account for account in new}
        wanted = {
            name for each in new for auth in (each.owner, each.active) for name, _ in auth.account_auths
        }
    return found


@dataclass(frozen=True, slots=True)
class Signers:
    """Who can sign for an authority."""

    authority: Authority
    accounts: Mapping[str, Account]

    def paths(self) -> dict[str, str]:
        """All keys that count, each with the accounts through which it does; empty for its own."""
        return self._paths(self.authority, "", 0)

    def _paths(self, authority: Authority, path: str, depth: int) -> dict[str, str]:
        found = dict.fromkeys((key for key, _ in authority.key_auths), path)
        for name, _ in authority.account_auths if depth < MAX_DEPTH else ():
            account = self.accounts.get(name)
            if account is not None:
                inner = self._paths(account.active, f"{path} of {name}", depth + 1)
                found = inner | found
        return found

    def is_met(self, keys: Collection[str]) -> bool:
        """Whether the keys suffice, by Hive's rule."""
        return self._is_met(self.authority, keys, 0)

    def _is_met(self, authority: Authority, keys: Collection[str], depth: int) -> bool:
        weight = sum(weight for key, weight in authority.key_auths if key in keys)
        for name, more in authority.account_auths if depth < MAX_DEPTH else ():
            account = self.accounts.get(name)
            if account is not None and self._is_met(account.active, keys, depth + 1):
                weight += more
        return weight >= authority.weight_threshold

    def fewest(self) -> int | None:
        """The fewest keys that suffice; None where all together do not. At most 2 where there are many."""
        keys = sorted(self.paths())
        if not self.is_met(keys):
            return None
        most = len(keys) if len(keys) <= _MAX_COUNTED_KEYS else 1
        for count in range(most + 1):
            if any(self.is_met(some) for some in combinations(keys, count)):
                return count
        return most + 1

    def sole(self) -> dict[str, str]:
        """The keys of which one alone suffices, with their paths as in `paths`."""
        return {key: path for key, path in self.paths().items() if self.is_met((key,))}

    def payable_weight(self) -> int:
        """The weight that payouts can reach: of keys, and of accounts by their own keys."""
        weight = sum(weight for _, weight in self.authority.key_auths)
        for name, more in self.authority.account_auths:
            account = self.accounts.get(name)
            if account is not None and (
                sum(weight for _, weight in account.active.key_auths) >= account.active.weight_threshold
            ):
                weight += more
        return weight
