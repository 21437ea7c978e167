"""Slow nodes, lying nodes and nodes of another chain: nothing waits for long, the majority counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.venue import EXAMPLE, read_venue
from settlement.net.chain_id import MAINNET, ExpectedChain
from settlement.net.http_client import Limits
from settlement.payouts.chain.nodes import ChainNodes, WrongChainError
from settlement.payouts.signing.transactions import Key, SignedTransaction, Transaction
from tests.support.waiting import TIMEOUT_SECONDS
from tests.system.sources.server import Node, Text, hanging, rpc_error, serve

LIMITS = Limits(connect_seconds=60, read_seconds=600)
"""Much longer than any of these tests may take."""
DRIPS = [
    (b"", b""),
    (b"HTTP/1.1 200 OK\r\n", b"x"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" "),
]


@pytest.fixture(scope="module")
def server() -> Iterator[NodeServer]:
    node = DevNode(Chain(sign=False))
    node.prepare(read_venue(EXAMPLE.read_text()))
    for _ in range(6):
        node.tick()
    node.faucet("alice", "HIVE", "3")
    node.faucet("alice", "PEK", "7")
    node.faucet("bobby")
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


def signed(server: NodeServer, memo: str) -> SignedTransaction:
    at = server.node.chain
    operation = ("transfer", {"from": "alice", "to": "bobby", "amount": "0.001 HIVE", "memo": memo})
    made = Transaction.after(at.id_of(at.irreversible).hex(), at.head_time + 60, operation)
    key = Key(at.accounts.private_key("alice", "active").wif)
    return SignedTransaction(made, (key.sign(made, at.chain_id.hex()),))


@pytest.mark.parametrize(("head", "drip"), DRIPS)
def test_a_node_that_drips_stops_nothing(server: NodeServer, head: bytes, drip: bytes) -> None:
    """It is the first of two of each kind, and never waited for."""
    with hanging(head, drip) as slow:
        nodes = ChainNodes([slow, server.url], [slow, server.engine_url], LIMITS, slow_seconds=0.2)
        began = time.monotonic()
        for turn in range(4):
            assert nodes.head_time() == server.node.chain.head_time
            assert "alice" in nodes.accounts(["alice"])
            assert nodes.balances(["alice"], ["PEK"]) == {("alice", "PEK"): "7.00000000"}
            assert nodes.broadcast(signed(server, f"{head!r} {turn}")).status == "sent"
        assert nodes.devnet_chain_id() == server.node.chain.chain_id.hex()
        assert time.monotonic() - began < TIMEOUT_SECONDS


def liar(url: str, change: Callable[[str, Any], Any]) -> Node:
    """A proxy of a node that replaces results by `change(method, result)`."""

    def answer(method: str, params: Any) -> Any:
        body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        reply = requests.post(url, json=body, timeout=60).json()
        return rpc_error(str(reply["error"])) if "error" in reply else change(method, reply["result"])

    return Node(answer)


def test_one_node_among_three_cannot_hide_an_account_or_a_balance(server: NodeServer) -> None:
    def hide(method: str, result: Any) -> Any:
        return {"accounts": []} if method == "database_api.find_accounts" else result

    def empty(method: str, result: Any) -> Any:
        return Text(b"[]") if method == "find" else result

    good = NodeServer(server.node)
    good.start()
    with ExitStack() as stack:
        stack.callback(good.stop)
        hiding = stack.enter_context(serve(liar(server.url, hide)))
        emptying = stack.enter_context(serve(liar(f"{server.engine_url}/contracts", empty)))
        nodes = ChainNodes(
            [hiding.url, server.url, good.url], [emptying.url, server.engine_url, good.engine_url]
        )
        assert list(nodes.accounts(["alice", "nobody.there"])) == ["alice"]
        assert nodes.balances(["alice"], ["PEK"]) == {("alice", "PEK"): "7.00000000"}


def test_nodes_of_another_chain_are_never_used(server: NodeServer, caplog: pytest.LogCaptureFixture) -> None:
    own = server.node.chain.chain_id.hex()
    other = NodeServer(DevNode(Chain(seed=9, sign=False)))
    other.start()
    try:
        nodes = ChainNodes([other.url, server.url], chain=ExpectedChain(own))
        for turn in range(2):
            assert nodes.head_time() == server.node.chain.head_time
            assert nodes.broadcast(signed(server, f"other {turn}")).status == "sent"
        complaint = f"Hive node refused: {other.url} is a node of another chain: its chain id is "
        assert [message.startswith(complaint) for message in caplog.messages] == [True]
    finally:
        other.stop()
    nodes = ChainNodes([server.url], chain=ExpectedChain())
    with pytest.raises(WrongChainError, match=rf"its chain id is {own}, expected {MAINNET}"):
        nodes.head_time()
    outcome = nodes.broadcast(signed(server, "nowhere"))
    assert (outcome.status, outcome.reason[:8]) == ("unknown", "not sent")
