"""beem and lighthive sign and trade on the devnet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from beem import Hive
from beem.account import Account
from beemapi.exceptions import UnhandledRPCError

from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.operations import Coin, Transfer
from indexer.devnet.hive.serialization import Packing, Transaction
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.venue import EXAMPLE, read_venue


@pytest.fixture
def server() -> Iterator[NodeServer]:
    node = DevNode(Chain(sign=False))
    node.prepare(read_venue(EXAMPLE.read_text()))
    for _ in range(6):
        node.tick()
    node.faucet("alice", "HBD", "10")
    node.faucet("alice", "PEK", "10")
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


def beem_for(server: NodeServer, role: str = "active") -> Hive:
    return Hive(node=[server.url], keys=[server.node.chain.accounts.private_key("alice", role).wif])


def test_beem_deposits_coins_and_tokens_and_places_an_order(server: NodeServer) -> None:
    hive = beem_for(server)
    assert str(Account("alice", blockchain_instance=hive).balances["available"][1]) == "10.000 HBD"
    sent = Account("alice", blockchain_instance=hive).transfer("peakedex.hbd", 1.5, "HBD", memo="deposit")
    transfer = {
        "contractName": "tokens",
        "contractAction": "transfer",
        "contractPayload": {"symbol": "PEK", "to": "peakedex.pek", "quantity": "2.5"},
    }
    order = {"contractName": "peakedex", "contractAction": "sell", "contractPayload": {"symbol": "PEK"}}
    both = hive.custom_json("ssc-mainnet-hive", [transfer, order], required_auths=["alice"])
    block = server.node.tick()
    assert block is not None
    assert [tx.id for tx in block.transactions] == [sent["trx_id"], both["trx_id"]]
    assert server.node.chain.accounts.balance("peakedex.hbd", "HBD") == 1500
    assert server.node.sidechain.balance("peakedex.pek", "PEK") == 250_000_000
    receipt = json.loads(server.node.sidechain.block_of_hive(block.number) or b"")
    assert [row["transactionId"] for row in receipt["transactions"]] == [
        f"{both['trx_id']}-0",
        f"{both['trx_id']}-1",
    ]


def signed(server: NodeServer, *, packing: Packing, memo: str = "") -> Transaction:
    chain = server.node.chain
    transaction = chain.build([Transfer("alice", "peakedex.hbd", Coin(1000, "HBD"), memo)])
    transaction = replace(transaction, packing=packing)
    key = chain.accounts.private_key("alice", "active")
    return replace(transaction, signatures=(key.sign(transaction.digest(chain.chain_id)),))


def post(server: NodeServer, method: str, params: object) -> dict[str, Any]:
    body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer: dict[str, Any] = requests.post(server.url, json=body, timeout=60).json()
    return answer


@pytest.mark.parametrize("packing", ["legacy", "nai"])
def test_each_broadcast_takes_its_shape_under_either_packing(server: NodeServer, packing: Packing) -> None:
    first = signed(server, packing=packing)
    answer = post(server, "network_broadcast_api.broadcast_transaction", {"trx": first.block_api()})
    assert answer["result"] == {}
    second = signed(server, packing=packing, memo="second")
    answer = post(server, "condenser_api.broadcast_transaction_synchronous", [second.condenser()])
    assert answer["result"] == {"id": second.id, "block_num": 7, "trx_num": 0, "expired": False}
    block = server.node.tick()
    assert block is not None
    assert [tx.id for tx in block.transactions] == [first.id, second.id]
    again = post(server, "condenser_api.broadcast_transaction", [second.condenser()])
    assert "Duplicate transaction check failed" in again["error"]["message"]


def test_a_lost_or_doubled_reply_leaves_the_transaction_in_the_chain(server: NodeServer) -> None:
    lost = signed(server, packing="legacy")
    server.faults.lost_replies = 1
    with pytest.raises(requests.ConnectionError):
        post(server, "condenser_api.broadcast_transaction", [lost.condenser()])
    assert server.node.chain.is_pending(lost.id)
    server.faults.duplicate_replies = 1
    doubled = signed(server, packing="legacy")
    answer = post(server, "condenser_api.broadcast_transaction", [doubled.condenser()])
    assert "Duplicate transaction check failed" in answer["error"]["message"]
    assert server.node.chain.is_pending(doubled.id)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"operations": []},
        {"operations": [["vote", {}]], "signatures": []},
        {
            "operations": [],
            "signatures": ["xyz"],
            "ref_block_num": 1,
            "ref_block_prefix": 1,
            "expiration": "x",
        },
        {"operations": [], "ref_block_num": 1, "ref_block_prefix": 1, "expiration": "2999-01-01T00:00:00"},
        {"operations": [], "ref_block_num": {}, "ref_block_prefix": 1, "expiration": "2020-01-01T00:00:00"},
    ],
)
def test_what_is_no_transaction_is_an_error(server: NodeServer, broken: object) -> None:
    assert "error" in post(server, "condenser_api.broadcast_transaction", [broken])
    assert server.node.chain.pending_count == 0


def test_beem_hears_what_the_chain_refuses(server: NodeServer) -> None:
    account = Account("alice", blockchain_instance=beem_for(server))
    with pytest.raises(UnhandledRPCError, match="does not have sufficient funds"):
        account.transfer("peakedex.hbd", 11, "HBD")
    posting = beem_for(server, "posting")
    posting.custom_json("ssc-mainnet-hive", {"a": 1}, required_posting_auths=["alice"])
    assert server.node.chain.pending_count == 1
