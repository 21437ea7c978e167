"""Resource credits as hived tells them: regeneration, prices, and the Hive Power that gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
import pytest

from indexer.ops.doctor.golive import resources
from indexer.ops.doctor.golive.resources import Credits, Prices
from settlement.net.http_client import NodeError
from settlement.net.json_rpc import JsonRpcClient, RpcError

MAINNET = {
    "total_vesting_fund_hive": {"amount": "214631379968", "precision": 3, "nai": "@@000000021"},
    "total_vesting_shares": {"amount": "346307992691989491", "precision": 6, "nai": "@@000000037"},
}
"""Of the main network at block 109,235,598."""
DAY = 86_400


class Node:
    """A node with these results by method; it refuses the others."""

    def __init__(self, results: Mapping[str, object]) -> None:
        self.url = "https://node"
        self._results = results

    def call(self, method: str, params: object, type_: Any) -> Any:
        if method not in self._results:
            raise RpcError(self.url, "Could not find API rc_api", -32003)
        return msgspec.convert(self._results[method], type_)


def node(**results: object) -> JsonRpcClient:
    named = {f"{'rc' if 'rc' in name else 'database'}_api.{name}": value for name, value in results.items()}
    return cast(JsonRpcClient, Node(named))


@pytest.mark.parametrize(
    ("passed", "expected"), [(0, 100), (DAY, 300), (4 * DAY, 900), (30 * DAY, 1000), (-60, 100)]
)
def test_credits_regenerate_in_five_days_up_to_the_maximum(passed: int, expected: int) -> None:
    mana = {"current_mana": "100", "last_update_time": 1_700_000_000}
    row = {"account": "alice", "rc_manabar": mana, "max_rc": 1000, "delegated_rc": 0}
    found = resources.read_credits(
        node(find_rc_accounts={"rc_accounts": [row]}), ["alice", "alice"], 1_700_000_000 + passed
    )
    assert found == {"alice": Credits(1000, expected)}


def test_prices_are_the_node_s_averages_or_the_recorded_cost() -> None:
    ops = {"transfer_operation": {"count": 9, "avg_cost": 120}, "custom_json_operation": {"avg_cost": "80"}}
    stats = {"rc_stats": {"block": 1, "regen": "5", "ops": ops, "payers": []}}
    assert resources.read_prices(node(get_rc_stats=stats)) == Prices(120, 80, is_measured=True)
    recorded = Prices(resources.RECORDED_COST, resources.RECORDED_COST, is_measured=False)
    assert resources.read_prices(node()) == recorded
    assert resources.read_prices(node(get_rc_stats={"rc_stats": {}})) == recorded


def test_hive_power_of_credits_is_rounded_up() -> None:
    chain = node(get_dynamic_global_properties=MAINNET)
    one = 1_613_501_217
    assert resources.read_hive_power(chain, 0) == "0.0"
    assert resources.read_hive_power(chain, 1) == "0.1"
    assert resources.read_hive_power(chain, one - 10) == "1.0"
    assert resources.read_hive_power(chain, 100 * resources.RECORDED_COST) == "9.2"
    empty = MAINNET | {"total_vesting_shares": {"amount": "0"}}
    with pytest.raises(NodeError, match="no Hive Power"):
        resources.read_hive_power(node(get_dynamic_global_properties=empty), 1)
