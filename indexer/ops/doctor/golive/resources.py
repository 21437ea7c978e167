"""Resource credits (RC) of accounts, and what the venue's transactions cost. docs/go-live.md explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from settlement.net.http_client import HttpError, NodeError
from settlement.net.json_rpc import JsonRpcClient

REGENERATION_DAYS: Final = 5
"""Days in which an account's RC regenerate from nothing to the maximum (HIVE_RC_REGEN_TIME)."""
PAYMENTS_A_DAY: Final = 20
CHECKPOINTS_A_DAY: Final = 24
ACTIONS_A_DAY: Final = 2
RECORDED_COST: Final = 147_527_684
"""RC of a transfer of 121 bytes, as hived 1.28 named it in a refusal (tests/data/real_nodes): used where a
node has no statistics of costs."""
_DAY: Final = 86_400

_Number = int | str


class _Manabar(msgspec.Struct):
    current_mana: _Number
    last_update_time: int


class _RcAccount(msgspec.Struct):
    account: str
    rc_manabar: _Manabar
    max_rc: _Number


class _RcAccounts(msgspec.Struct):
    rc_accounts: list[_RcAccount]


class _Average(msgspec.Struct):
    avg_cost: _Number = 0


class _Statistics(msgspec.Struct):
    ops: dict[str, _Average] = {}


class _Stats(msgspec.Struct):
    rc_stats: _Statistics


class _Amount(msgspec.Struct):
    amount: str


class _Properties(msgspec.Struct):
    total_vesting_fund_hive: _Amount  # thousandths of HIVE
    total_vesting_shares: _Amount  # millionths of VESTS, which RC are counted in


class Credits(NamedTuple):
    """An account's RC."""

    most: int
    current: int


class Prices(NamedTuple):
    """RC that an operation costs."""

    transfer: int
    custom_json: int
    is_measured: bool  # by the node's statistics; else RECORDED_COST for both


def read_credits(node: JsonRpcClient, names: Iterable[str], now: int) -> dict[str, Credits]:
    """RC of the accounts at a time (seconds since 1970). Raises NodeError."""
    answer = node.call("rc_api.find_rc_accounts", {"accounts": sorted(set(names))}, _RcAccounts)
    found = {}
    for row in answer.rc_accounts:
        most, mana = int(row.max_rc), int(row.rc_manabar.current_mana)
        passed = max(0, now - row.rc_manabar.last_update_time)
        regained = most * passed // (REGENERATION_DAYS * _DAY)
        found[row.account] = Credits(most, min(most, mana + regained))
    return found


def read_prices(node: JsonRpcClient) -> Prices:
    """The average costs of the node's last blocks. Raises NodeError where it does not answer."""
    try:
        averages = node.call("rc_api.get_rc_stats", {}, _Stats).rc_stats.ops
    except HttpError:
        averages = {}
    transfer, custom_json = _average(averages, "transfer"), _average(averages, "custom_json")
    if transfer and custom_json:
        return Prices(transfer, custom_json, is_measured=True)
    return Prices(RECORDED_COST, RECORDED_COST, is_measured=False)


def _average(averages: Mapping[str, _Average], name: str) -> int:
    found = averages.get(f"{name}_operation") or averages.get(name)
    return 0 if found is None else int(found.avg_cost)


def read_hive_power(node: JsonRpcClient, credits: int) -> str:
    """The Hive Power that gives so many RC, rounded up to a tenth. Raises NodeError."""
    properties = node.call("database_api.get_dynamic_global_properties", {}, _Properties)
    fund, shares = (
        int(each.amount) for each in (properties.total_vesting_fund_hive, properties.total_vesting_shares)
    )
    if shares <= 0:
        raise NodeError(f"{node.url}: no Hive Power exists")
    tenths = -(-credits * fund // (shares * 100))
    return f"{tenths // 10}.{tenths % 10}"
