"""The clients of Hive nodes against recorded answers of a real one: blocks, accounts, chain id, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from indexer.sources.escrow_balances import read_coins, read_head
from indexer.sources.hive_client import HiveClient
from settlement.net.chain_id import ExpectedChain, OtherChainError
from settlement.net.http_client import NodeError
from settlement.net.json_rpc import JsonRpcClient
from settlement.payouts.chain.nodes import ChainError, HiveNode
from tests.support import real_nodes
from tests.system.sources import server
from tests.system.sources.server import Node, Raw

CHAIN_ID = real_nodes.result("hive_reads", "version/database_api")["chain_id"]
ANSWERS = {
    json.dumps([line["request"]["method"], line["request"]["params"]]): line["response"]
    for line in real_nodes.lines("hive_reads")
    if isinstance(line["request"], dict) and {"method", "params", "id"} <= line["request"].keys()
}


def answer(method: str, params: Any) -> Any:
    """What the real node answered to this very request."""
    recorded = ANSWERS[json.dumps([method, params])]
    if "error" in recorded:
        return Raw(body=json.dumps(recorded).encode())
    return recorded["result"]


@pytest.fixture
def url() -> Iterator[str]:
    with server.serve(Node(answer)) as node:
        yield node.url


@pytest.mark.parametrize(
    ("case", "count"),
    [
        ("normal", 3),
        ("first", 2),
        ("head-short", 2),
        ("past-head", 0),
        ("next-block", 0),
        ("count-1000", 1000),
        ("count-5000-near-head", 3),
    ],
)
def test_a_range_has_the_blocks_that_exist(url: str, case: str, count: int) -> None:
    """A long list is trimmed in the recording; what it begins with is enough."""
    params = real_nodes.exchange("hive_reads", f"block-range/{case}")["request"]["params"]
    blocks = HiveClient([url]).block_range(params["starting_block_num"], params["count"])
    recorded = real_nodes.result("hive_reads", f"block-range/{case}")["blocks"]
    assert len(blocks) == len(recorded) <= count
    assert [json.loads(block)["block_id"] for block in blocks] == [block["block_id"] for block in recorded]


@pytest.mark.parametrize("case", ["start-0", "count-1001"])
def test_a_range_that_is_refused_is_one_line(url: str, case: str) -> None:
    params = real_nodes.exchange("hive_reads", f"block-range/{case}")["request"]["params"]
    with pytest.raises(NodeError) as refused:
        HiveClient([url]).block_range(params["starting_block_num"], params["count"])
    assert len(str(refused.value).splitlines()) == 1
    assert "Assert Exception" in str(refused.value)


def test_the_position_is_read_in_both_forms(url: str) -> None:
    properties = real_nodes.result("hive_reads", "dgpo/condenser")
    position = HiveNode(url).position()
    assert position.block_id == properties["head_block_id"], "all of it is irreversible"
    assert HiveNode(url).head_time() == position.time == 1795950399
    assert HiveClient([url]).last_irreversible() == properties["last_irreversible_block_num"]
    assert read_head(JsonRpcClient(url)) == properties["head_block_number"]


def test_an_account_is_read_with_its_authorities_and_balances(url: str) -> None:
    [recorded] = real_nodes.result("hive_reads", "accounts/database_api-existing")["accounts"]
    account = HiveNode(url).accounts(["alice-test"])["alice-test"]
    assert account.mils == {"HIVE": 10_000_000, "HBD": 1_000_000}
    assert account.active.threshold == 1
    assert account.active.keys == dict(recorded["active"]["key_auths"])
    assert account.others[recorded["memo_key"]] == "memo"
    coins = read_coins(JsonRpcClient(url), ["alice-test"])
    assert coins.amounts == {("alice-test", "HIVE"): "10000.000", ("alice-test", "HBD"): "1000.000"}


def test_an_account_that_is_missing_is_left_out_and_a_bad_request_is_one_line(url: str) -> None:
    assert HiveNode(url).accounts(["no-such-account"]) == {}
    names = real_nodes.exchange("hive_reads", "accounts/database_api-1001")["request"]["params"]["accounts"]
    for asked in (["abcdefghijklmnopq"], names):
        with pytest.raises(ChainError) as refused:
            HiveNode(url).accounts(asked)
        assert len(str(refused.value).splitlines()) == 1


def test_a_node_of_this_test_network_is_not_taken_for_the_main_one(url: str) -> None:
    assert ExpectedChain(CHAIN_ID).check(url)
    with pytest.raises(OtherChainError, match=f"its chain id is {CHAIN_ID}"):
        ExpectedChain().check(url)
