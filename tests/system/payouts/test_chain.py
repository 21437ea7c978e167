"""ChainNodes: several nodes, some away, behind or hostile; one request each, never repeated."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.venue import EXAMPLE, read_venue
from settlement.core.journal.lines import iso_time
from settlement.payouts.chain.accounts import Authority
from settlement.payouts.chain.nodes import (
    LIMITS,
    ChainError,
    ChainNodes,
    Outcome,
    SidechainNode,
)
from settlement.payouts.signing.transactions import Key, SignedTransaction, Transaction

AWAY = "http://127.0.0.1:9"


@pytest.fixture
def server() -> Iterator[NodeServer]:
    node = DevNode(Chain(sign=False))
    node.prepare(read_venue(EXAMPLE.read_text()))
    for _ in range(6):
        node.tick()
    for symbol, quantity in (("HIVE", "3"), ("HBD", "2.5"), ("PEK", "7.00000001"), ("SWAP.HIVE", "1")):
        node.faucet("alice", symbol, quantity)
    node.faucet("bobby", "PEK", "1")
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


def signed(server: NodeServer, memo: str = "", *, amount: str = "0.001 HBD") -> SignedTransaction:
    """A transfer from alice to bobby."""
    at, accounts = server.node.chain, server.node.chain.accounts
    operation = ("transfer", {"from": "alice", "to": "bobby", "amount": amount, "memo": memo})
    made = Transaction.after(at.id_of(at.irreversible).hex(), at.head_time + 60, operation)
    return SignedTransaction(
        made, (Key(accounts.private_key("alice", "active").wif).sign(made, at.chain_id.hex()),)
    )


def test_answers_of_nodes(server: NodeServer) -> None:
    nodes = ChainNodes([server.url], [server.engine_url])
    at = server.node.chain
    assert nodes.head_time() == at.head_time
    position = nodes.hive[0].position()
    assert (position.block_id, position.time) == (at.id_of(at.irreversible).hex(), at.head_time)
    found = nodes.accounts(["nobody.there", "alice", "alice"])
    assert list(found) == ["alice"]
    assert found["alice"].mils == {"HIVE": 3000, "HBD": 2500}
    assert found["alice"].active.keys == {at.accounts.private_key("alice", "active").public_key: 1}
    assert sorted(found["alice"].others.values()) == ["memo", "owner", "posting"]
    assert nodes.balances(["alice", "bobby"], ["PEK"]) == {
        ("alice", "PEK"): "7.00000001",
        ("bobby", "PEK"): "1.00000000",
    }
    assert nodes.hive[0].devnet_chain_id() == at.chain_id.hex()


def test_many_balances_come_in_pages(server: NodeServer) -> None:
    node = SidechainNode(server.engine_url, page_rows=1)
    assert len(node.balances(["alice", "bobby"], ["PEK", "SWAP.HIVE"])) == 3
    node = SidechainNode(server.engine_url, page_rows=1, max_pages=2)
    with pytest.raises(ChainError, match="more than 2 pages of balances"):
        node.balances(["alice", "bobby"], ["PEK", "SWAP.HIVE"])


def test_a_node_that_is_away_is_skipped_and_the_latest_head_counts(server: NodeServer) -> None:
    behind = NodeServer(server.node)
    behind.start()
    try:
        nodes = ChainNodes([AWAY, server.url, behind.url], [f"{AWAY}/engine", server.engine_url])
        assert nodes.head_time() == server.node.chain.head_time
        assert "alice" in nodes.accounts(["alice"])
        assert nodes.balances(["alice"], ["PEK"])
    finally:
        behind.stop()
    with pytest.raises(ChainError, match=r"127\.0\.0\.1:9 does not answer"):
        ChainNodes([AWAY]).head_time()
    with pytest.raises(ChainError, match="does not answer"):
        ChainNodes([AWAY], [AWAY]).balances(["alice"], ["PEK"])
    with pytest.raises(ChainError, match="no node is configured"):
        ChainNodes([AWAY]).balances(["alice"], ["PEK"])
    with pytest.raises(ValueError, match="no Hive nodes"):
        ChainNodes([])


def test_two_nodes_that_are_hours_apart_are_an_error(server: NodeServer) -> None:
    """One of three is outvoted; of two it is unknown which is wrong."""
    ahead = NodeServer(DevNode(Chain(sign=False, genesis=server.node.chain.head_time + 4000)))
    third = NodeServer(server.node)
    for each in (ahead, third):
        each.start()
    try:
        with pytest.raises(ChainError, match="hours apart"):
            ChainNodes([server.url, ahead.url]).head_time()
        assert ChainNodes([server.url, ahead.url, third.url]).head_time() == server.node.chain.head_time
    finally:
        for each in (ahead, third):
            each.stop()


@pytest.mark.parametrize(("times", "median"), [([7], 7), ([5, 9], 9), ([5, 6, 10**9], 6), ([1, 6, 7], 6)])
def test_one_node_among_three_cannot_change_the_time(times: list[int], median: int) -> None:
    """With the time of a node that is years ahead everything would be held, or expired."""
    with ExitStack() as stack:
        stubs = [stack.enter_context(stub_node()) for _ in times]
        for time, (_, say) in zip(times, stubs, strict=True):
            say["body"] = json.dumps({"result": {"time": iso_time(time)}}).encode()
        assert ChainNodes([url for url, _ in stubs]).head_time() == median


def test_one_node_among_three_cannot_change_keys_while_balances_move() -> None:
    """The others are a block apart: no two answers are the same as a whole. The liar is listed first."""
    thief = {"weight_threshold": 1, "key_auths": [["STM-thief", 1]], "account_auths": []}
    balances = [{"amount": amount, "precision": 3, "nai": "@@000000021"} for amount in ("9", "2", "3")]
    answers = [ACCOUNT | {"balance": balance} for balance in balances]
    answers[0] |= {"active": thief}
    with ExitStack() as stack:
        stubs = [stack.enter_context(stub_node()) for _ in answers]
        for answer, (_, say) in zip(answers, stubs, strict=True):
            say["body"] = result({"accounts": [answer]})
        found = ChainNodes([url for url, _ in stubs]).accounts(["alice"])
    assert found["alice"].active == Authority(1, {}, {})


def test_an_owner_authority_of_accounts_is_read_too(hostile: tuple[str, dict[str, Any]]) -> None:
    url, say = hostile
    owner = {"weight_threshold": 2, "key_auths": [], "account_auths": [["op-one", 1], ["op-two", 1]]}
    say["body"] = result({"accounts": [ACCOUNT | {"owner": owner}]})
    found = ChainNodes([url]).accounts(["alice"])["alice"]
    assert found.other_authorities[0] == Authority(2, {}, {"op-one": 1, "op-two": 1})


@pytest.mark.parametrize("logs", ["[]", "5", "null", '"x"', "[" * 5000])
def test_malformed_logs_of_a_receipt_are_an_error(hostile: tuple[str, dict[str, Any]], logs: str) -> None:
    url, say = hostile
    say["body"] = result({"transactionId": "ab", "refHiveBlockNumber": 5, "logs": logs})
    with pytest.raises(ChainError, match="receipts in another form"):
        ChainNodes([url], [url]).execution("ab")


def test_a_broadcast_goes_to_one_node_that_accepts_it(server: NodeServer) -> None:
    nodes = ChainNodes([server.url])
    one = signed(server)
    assert nodes.broadcast(one) == Outcome("sent")
    assert nodes.broadcast(one) == Outcome("sent", "the node has it already")
    assert server.node.chain.is_pending(one.id)
    server.node.tick()
    assert server.node.chain.accounts.balance("bobby", "HBD") == 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("lost_replies", "unknown"),
        ("bad_json", "unknown"),
        ("html_errors", "unknown"),
        ("too_many", "unknown"),
        ("lock_errors", "unknown"),
        ("duplicate_replies", "sent"),
    ],
)
def test_an_unknown_outcome_goes_on_to_the_next_node(server: NodeServer, fault: str, status: str) -> None:
    server.faults.set({fault: 1})
    assert ChainNodes([server.url]).broadcast(signed(server, fault)).status == status
    good = NodeServer(server.node)
    good.start()
    try:
        for turn in range(2):
            server.faults.set({fault: 1})
            outcome = ChainNodes([server.url, good.url]).broadcast(signed(server, f"{fault} {turn}"))
            assert outcome.status == "sent"
            server.faults.set({fault: 0})
    finally:
        good.stop()


def test_refused_only_if_all_refuse(server: NodeServer) -> None:
    too_much = signed(server, amount="9999.000 HBD")
    outcome = ChainNodes([server.url, server.url]).broadcast(too_much)
    assert outcome.status == "refused"
    assert "does not have sufficient funds" in outcome.reason
    assert ChainNodes([server.url, AWAY]).broadcast(too_much).status == "unknown"
    assert ChainNodes([AWAY, server.url]).broadcast(too_much).status == "unknown"


def test_each_broadcast_begins_with_another_node(server: NodeServer) -> None:
    with ExitStack() as stack:
        stubs = [stack.enter_context(stub_node()) for _ in range(3)]
        for _, say in stubs:
            say["body"] = b'{"result": {}}'
        nodes = ChainNodes([url for url, _ in stubs])
        one = signed(server)
        for _ in range(2):
            before = [say["requests"] for _, say in stubs]
            for _ in range(3):
                nodes.broadcast(one)
            assert [say["requests"] - count for count, (_, say) in zip(before, stubs, strict=True)] == [
                1,
                1,
                1,
            ]


# -- a hostile node -------------------------------------------------------------------------------


@contextmanager
def stub_node() -> Iterator[tuple[str, dict[str, Any]]]:
    """A node with the answers of the dictionary, in which it counts requests."""
    say: dict[str, Any] = {"requests": 0}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            say["requests"] += 1
            self.send_response(say.get("status", 200))
            for name, value in say.get("headers", {}).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(say["body"])

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", say
    server.shutdown()
    server.server_close()


@pytest.fixture
def hostile() -> Iterator[tuple[str, dict[str, Any]]]:
    with stub_node() as stub:
        yield stub


def result(value: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode()


ACCOUNT = {
    "name": "alice",
    "active": {"weight_threshold": 1, "key_auths": [], "account_auths": []},
    "owner": {"weight_threshold": 1, "key_auths": [], "account_auths": []},
    "posting": {"weight_threshold": 1, "key_auths": [], "account_auths": []},
    "memo_key": "STM1",
    "balance": {"amount": "1", "precision": 3, "nai": "@@000000021"},
    "hbd_balance": {"amount": "1", "precision": 3, "nai": "@@000000013"},
}
NONSENSE = [
    b"",
    b"null",
    b"[" * 100_000,
    b"\xff\xfe",
    b'{"result":' + b"[" * 100_000,
    result(None),
    result([]),
    result({}),
    result({"accounts": 5, "time": 5}),
    result({"accounts": [5], "time": "2026-13-01T00:00:00"}),
    result({"accounts": [{}], "time": "x"}),
    result({"accounts": [ACCOUNT | {"balance": {"amount": "1", "precision": 6, "nai": "@@000000021"}}]}),
    result({"accounts": [ACCOUNT | {"active": {"weight_threshold": "x"}}]}),
    result({"accounts": [ACCOUNT | {"balance": {"amount": "1" * 5000, "precision": 3, "nai": []}}]}),
    b'{"error": {"message": "\\u001b[31m red\\n"}}',
]


def test_a_malformed_answer_is_an_error_with_the_nodes_name(hostile: tuple[str, dict[str, Any]]) -> None:
    url, say = hostile
    nodes = ChainNodes([url], [url], LIMITS._replace(max_bytes=300_000))
    one = SignedTransaction(Transaction((), 1, 2, 3), ())
    for body in [*NONSENSE, b" " * 300_001]:
        say["body"] = body
        questions: list[Callable[[], object]] = [
            lambda: nodes.accounts(["alice"]),
            nodes.head_time,
            nodes.hive[0].position,
            nodes.hive[0].devnet_chain_id,
        ]
        if body != result([]):  # that is an answer of the sidechain's: no balances
            questions.append(lambda: nodes.balances(["alice"], ["PEK"]))
        for ask in questions:
            with pytest.raises(ChainError, match=url) as caught:
                ask()
            assert "\x1b" not in str(caught.value)
            assert "\n" not in str(caught.value)
        outcome = nodes.broadcast(one)
        assert outcome.status == "unknown" or body == result({}) or b'"accounts"' in body
    say |= {"status": 307, "headers": {"Location": f"{url}/elsewhere"}, "body": result({})}
    assert nodes.broadcast(one).status == "unknown"  # one request, to the node that was named
