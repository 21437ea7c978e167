"""Accounts of Hive as nodes tell them: authorities and balances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from settlement.net.hive_formats import COIN_BY_NAI


@dataclass(frozen=True, slots=True)
class Authority:
    """Authority as the account declares it: weighted keys and accounts, and a threshold."""

    threshold: int  # weight that the signatures must reach
    keys: Mapping[str, int]  # weights by public key (`STM…`)
    accounts: Mapping[str, int]  # weights by account name


@dataclass(frozen=True, slots=True)
class Account:
    """A Hive account."""

    name: str
    active: Authority
    mils: Mapping[str, int]  # liquid balance in thousandths, by coin (HIVE, HBD)
    others: Mapping[str, str]  # role of each other public key: owner, posting or memo
    other_authorities: tuple[Authority, ...] = ()  # owner and posting


def read_account(raw: dict[str, Any]) -> Account:
    """An account as `database_api` writes it. Raises KeyError, TypeError and ValueError."""
    active, owner, posting = (_authority(raw[role]) for role in ("active", "owner", "posting"))
    others = {str(raw["memo_key"]): "memo"}
    others |= dict.fromkeys(posting.keys, "posting") | dict.fromkeys(owner.keys, "owner")
    mils = dict(_mils(raw[name]) for name in ("balance", "hbd_balance"))
    return Account(str(raw["name"]), active, mils, others, (owner, posting))


def _authority(raw: dict[str, Any]) -> Authority:
    keys, accounts = (
        {str(name): int(weight) for name, weight in raw[part]} for part in ("key_auths", "account_auths")
    )
    return Authority(int(raw["weight_threshold"]), keys, accounts)


def _mils(raw: dict[str, Any]) -> tuple[str, int]:
    """`{"amount": "1000", "precision": 3, "nai": …}` as symbol and thousandths."""
    coin = COIN_BY_NAI[raw["nai"]]
    if raw["precision"] != coin.precision:
        raise ValueError("a coin with another precision")
    return coin.symbol, int(raw["amount"])
