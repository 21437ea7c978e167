"""Fault injection: refused and silent nodes, gaps, false blocks; and hived's error frames."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from indexer.devnet.hive.authority import Authority
from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.operations import Coin, Transfer
from indexer.devnet.hive.serialization import Packing, Transaction, iso_time
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer

Call = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[NodeServer]:
    node = DevNode(Chain(sign=False, lag=3))
    for _ in range(12):
        node.tick()
    for name in ("alice", "bobby"):
        node.faucet(name, "HIVE", "10")
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def call(server: NodeServer) -> Call:
    def call(method: str, params: object) -> Any:
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = requests.post(server.url, json=body, timeout=60).json()
        return answer["result"] if "result" in answer else answer["error"]

    return call


def signed(node: DevNode, *signers: str, packing: Packing = "legacy", mils: int = 1000) -> Transaction:
    """A transfer of alice's, signed with the active keys of these accounts."""
    transaction = node.chain.build([Transfer("alice", "bobby", Coin(mils, "HIVE"), "")])
    transaction = replace(transaction, packing=packing)
    digest = transaction.digest(node.chain.chain_id)
    keys = [node.chain.accounts.private_key(name, "active") for name in signers]
    return replace(transaction, signatures=tuple(key.sign(digest) for key in keys))


# -- faults ---------------------------------------------------------------------------------------


def test_a_node_may_refuse_or_say_nothing(server: NodeServer, call: Call) -> None:
    server.faults.set({"refuses": True})
    body = b'{"jsonrpc":"2.0","id":1,"method":"condenser_api.get_version","params":[]}'
    assert requests.post(server.url, data=body, timeout=60).status_code == 503
    # The sidechain node has its own faults.
    body = b'{"jsonrpc":"2.0","id":1,"method":"getStatus","params":{}}'
    assert requests.post(f"{server.engine_url}/blockchain", data=body, timeout=60).status_code == 200
    server.faults.set({"refuses": False, "silent": True})
    with pytest.raises(requests.Timeout):
        requests.post(server.url, data=b"{}", timeout=0.3)
    server.faults.set({"silent": False})
    assert call("condenser_api.get_version", [])["blockchain_version"]


def test_a_range_may_have_gaps(server: NodeServer, call: Call) -> None:
    server.faults.set({"gaps": 3})
    blocks = call("block_api.get_block_range", {"starting_block_num": 1, "count": 9})["blocks"]
    assert [int(block["block_id"][:8], 16) for block in blocks] == [1, 2, 3, 5, 6, 7, 9]


def test_a_lie_and_staleness_show_in_the_condenser_too(server: NodeServer, call: Call) -> None:
    server.node.broadcast([["transfer", transfer_of("1.234 HIVE")]])
    server.node.tick()
    honest = call("condenser_api.get_block", [13])
    server.faults.set({"lie": "amount"})
    lying = call("condenser_api.get_block", [13])
    assert lying["block_id"] == honest["block_id"]
    assert lying["transactions"][0]["operations"][0][1]["amount"] == "12.340 HIVE"
    server.faults.set({"lie": "drop"})
    assert call("condenser_api.get_block", [13])["transactions"] == []
    server.faults.set({"lie": "", "stale": 2})
    assert call("condenser_api.get_block", [13]) is None
    assert call("condenser_api.get_block", [11])["block_id"].startswith("0000000b")


def transfer_of(amount: str) -> dict[str, str]:
    return {"from": "alice", "to": "bobby", "amount": amount, "memo": ""}


# -- hived's error messages -----------------------------------------------------------------------


def test_who_has_too_little_is_told_so_in_the_frame_that_wallets_read(server: NodeServer, call: Call) -> None:
    error = call(
        "condenser_api.broadcast_transaction", [signed(server.node, "alice", mils=10_001).condenser()]
    )
    assert error["code"] == -32003
    assert error["message"] == (
        "Assert Exception:available >= -delta: Account alice does not have sufficient funds for balance "
        'adjustment. Required: {"amount":"-10001","precision":3,"nai":"@@000000021"}, '
        'Available: {"amount":"10000","precision":3,"nai":"@@000000021"}'
    )
    assert (error["data"]["code"], error["data"]["name"]) == (10, "assert_exception")
    [frame] = error["data"]["stack"]
    assert frame["context"]["method"] == "adjust_balance"
    assert frame["data"]["acc"] == "alice"
    assert frame["data"]["a"] == {"amount": "10000", "precision": 3, "nai": "@@000000021"}
    assert "${acc}" in frame["format"]


@pytest.mark.parametrize(
    ("signers", "code", "name", "text", "method"),
    [
        (
            [],
            3010000,
            "tx_missing_active_auth",
            "missing required active authority:s.check_authority( id ): Missing Active Authority alice",
            "operator()",
        ),
        (["bobby"], 3010000, "tx_missing_active_auth", "Missing Active Authority alice", "operator()"),
        (
            ["alice", "alice"],
            3060000,
            "tx_duplicate_sig",
            "duplicate signature included:",
            "compute_signature_keys",
        ),
    ],
)
def test_a_wrong_signature_has_its_name(
    server: NodeServer, call: Call, signers: list[str], code: int, name: str, text: str, method: str
) -> None:
    error = call("condenser_api.broadcast_transaction", [signed(server.node, *signers).condenser()])
    assert error["code"] == -32003
    assert (error["data"]["code"], error["data"]["name"]) == (code, name)
    assert text in error["message"]
    assert error["data"]["stack"][0]["context"]["method"] == method


def test_an_expired_transaction_has_its_name(server: NodeServer, call: Call) -> None:
    old = replace(signed(server.node, "alice"), expiration=server.node.chain.head_time)
    error = call("condenser_api.broadcast_transaction", [old.condenser()])
    assert error["message"].startswith("transaction expiration exception:now < full_transaction")
    assert error["data"]["stack"][0]["context"]["method"] == "validate_transaction"
    assert error["data"]["name"] == "transaction_expiration_exception"


# -- methods about signatures ---------------------------------------------------------------------


@pytest.mark.parametrize("packing", ["legacy", "nai"])
def test_authority_is_verified_without_a_broadcast(server: NodeServer, call: Call, packing: Packing) -> None:
    good = signed(server.node, "alice", packing=packing)
    assert call("condenser_api.verify_authority", [good.condenser()]) is True
    assert call("database_api.verify_authority", {"trx": good.block_api()}) == {"valid": True}
    bad = call("condenser_api.verify_authority", [signed(server.node, "bobby").condenser()])
    assert bad["data"]["name"] == "tx_missing_active_auth"
    assert server.node.chain.pending_count == 0


def test_who_could_sign_is_told(server: NodeServer, call: Call) -> None:
    accounts = server.node.chain.accounts
    keys = {name: accounts.private_key(name, "active").public_key for name in ("alice", "bobby")}
    transaction = signed(server.node).condenser()
    owner = accounts.private_key("alice", "owner").public_key
    assert call("condenser_api.get_potential_signatures", [transaction]) == sorted([keys["alice"], owner])
    needed = call("condenser_api.get_required_signatures", [transaction, list(keys.values())])
    assert needed == [keys["alice"]]
    # Keys of an account within alice's authority count too.
    server.node.faucet("alice", authorities={"active": Authority(1, (), (("bobby", 1),))})
    found = call("database_api.get_potential_signatures", {"trx": transaction})["keys"]
    assert found == sorted([keys["bobby"], owner])
    assert call("condenser_api.verify_authority", [signed(server.node, "bobby").condenser()]) is True
    packed = call("database_api.get_transaction_hex", {"trx": transaction})["hex"]
    assert packed == signed(server.node).unsigned_bytes.hex() + "00"


def test_what_became_of_a_transaction_that_is_nowhere(server: NodeServer, call: Call) -> None:
    chain, nowhere = server.node.chain, "0" * 40

    def status(expiration: int) -> str:
        params = {"transaction_id": nowhere, "expiration": iso_time(expiration)}
        return str(call("transaction_status_api.find_transaction", params)["status"])

    assert status(chain.irreversible_time - 1) == "expired_irreversible"
    # A fork could still include it.
    assert status(chain.irreversible_time) == "expired_reversible"
    assert status(chain.head_time) == "unknown"


# -- the command ----------------------------------------------------------------------------------


def test_several_nodes_of_one_chain_as_a_command() -> None:
    command = [
        sys.executable,
        "-m",
        "indexer.cli",
        "devnet",
        "--port",
        "0",
        "--nodes",
        "2",
        "--block-time",
        "1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            urls = [re.findall(r"http://[0-9.:]+", process.stdout.readline())[0] for _ in range(2)]
            requests.post(f"{urls[0]}/dev/faults", json={"refuses": True}, timeout=60).raise_for_status()
            heads = [requests.get(f"{url}/dev/status", timeout=60).json()["chain_id"] for url in urls]
            assert heads[0] == heads[1]
            assert requests.get(f"{urls[1]}/dev/faults", timeout=60).json()["refuses"] is False
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0
