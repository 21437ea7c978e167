"""The devnet against recorded answers of real nodes: the same requests get answers of the same form and text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from indexer.devnet.hive.authority import Authority
from indexer.devnet.hive.chain import MAX_EXPIRATION_SECONDS, Chain
from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.hive.operations import Coin, CustomJson, Operation, Transfer
from indexer.devnet.hive.serialization import Transaction
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.sidechain.chain import Sidechain
from tests.support import real_nodes

ACCOUNTS = ("alice-test", "bobby-test", "carol-test", "david-test", "venue-test", "issuer-test")
TOKENS = {"BEE": 8, "SWAP.HIVE": 8, "TESTA": 3, "TESTB": 8, "TESTC": 0}
HOLDINGS = {
    "alice-test": {"BEE": "10000", "SWAP.HIVE": "1000", "TESTA": "1000", "TESTB": "1000", "TESTC": "100"},
    "bobby-test": {"BEE": "10000", "TESTB": "1000"},
    "carol-test": {"BEE": "10000"},
    "david-test": {"BEE": "10000"},
}


@pytest.fixture(scope="module")
def node() -> DevNode:
    node = DevNode(Chain(sign=False, check_json=False), Sidechain(heartbeat=0))
    for symbol, precision in TOKENS.items():
        node.sidechain.create_token(symbol, precision)
    for name in ACCOUNTS:
        node.faucet(name, "HIVE", "1000")
        node.faucet(name, "HBD", "1000")
        for symbol, quantity in HOLDINGS.get(name, {}).items():
            node.faucet(name, symbol, quantity)
    node.faucet("honey-swap")
    node.tick()
    return node


# ------------------------------------------------------------------ what the sidechain executes

EXECUTED = [
    line["case"].removesuffix("/engine-block")
    for line in real_nodes.lines("engine_tokens")
    if line["case"].endswith("/engine-block")
]
WITHOUT_SUCH_A_CONTRACT = "hive-memo/hivepegged-buy"


def transactions(block: dict[str, Any] | None, transaction_id: str) -> list[tuple[Any, ...]]:
    """What the block did: suffix of the id, sender, contract, action, payload, logs."""
    return [
        (
            row["transactionId"].removeprefix(transaction_id),
            *(row[name] for name in ("sender", "contract", "action")),
            json.loads(row["payload"]),
            json.loads(row["logs"]),
        )
        for row in (block or {"transactions": ()})["transactions"]
    ]


@pytest.mark.parametrize("case", [case for case in EXECUTED if case != WITHOUT_SUCH_A_CONTRACT])
def test_the_sidechain_executes_an_operation_as_recorded(node: DevNode, case: str) -> None:
    [signed] = real_nodes.exchange("engine_tokens", f"{case}/signed")["request"]["params"]
    recorded = real_nodes.result("engine_tokens", f"{case}/engine-block")
    ident = node.broadcast(signed["operations"])
    block = node.tick()
    assert block is not None
    raw = node.sidechain.block_of_hive(block.number)
    ours = None if raw is None else json.loads(raw)
    theirs = recorded["transactions"][0]["transactionId"][:40] if recorded else ""
    assert transactions(ours, ident) == transactions(recorded, theirs)
    if ours is not None:
        assert list(ours) == list(recorded), "the same members in the same order"
        assert list(ours["transactions"][0]) == list(recorded["transactions"][0])


# ------------------------------------------------------------------ reads of the sidechain


@pytest.fixture(scope="module")
def server(node: DevNode) -> Iterator[NodeServer]:
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


NOT_SIMULATED = {
    "find/project-arbitrary",  # no projections
    "block/genesis",  # the devnet's sidechain begins at block 1
    "block/no-params",  # an internal error of the published node
    "form/id-large",  # rounded as a JavaScript number
}
REFUSED = [
    line["case"]
    for line in real_nodes.lines("engine_reads")
    if line["to"] in ("engine/blockchain", "engine/contracts")
    and line["case"] not in NOT_SIMULATED
    and (
        line["response"] == "" or (isinstance(line["response"], dict) and not line["response"].get("result"))
    )
]


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_or_nothing_is_told_as_recorded(server: NodeServer, case: str) -> None:
    line = real_nodes.exchange("engine_reads", case)
    reply = requests.post(f"{server.url}/{line['to']}", json=line["request"], timeout=60)
    assert reply.status_code == line["status"]
    if line["response"] == "":
        assert reply.content == b""
    else:
        assert reply.json() == line["response"]


def call(server: NodeServer, path: str, method: str, **params: object) -> Any:
    request: Any = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
    return requests.post(f"{server.engine_url}/{path}", json=request, timeout=60).json()["result"]


def find_one(server: NodeServer, table: str, contract: str = "tokens", **query: object) -> Any:
    return call(server, "contracts", "findOne", contract=contract, table=table, query=query)


def test_status_blocks_and_rows_have_the_recorded_members(node: DevNode, server: NodeServer) -> None:
    def pay(quantity: str) -> dict[str, Any]:
        payload = {"symbol": "BEE", "to": "bobby-test", "quantity": quantity}
        return {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}

    both = json.dumps([pay("1"), pay("2")])
    ident = node.broadcast([CustomJson(("alice-test",), (), "ssc-mainnet-hive", both)])
    node.tick()
    ours = {
        "status": call(server, "blockchain", "getStatus"),
        "transaction/array-whole": call(server, "blockchain", "getTransactionInfo", txid=ident),
        "transaction/array-member": call(server, "blockchain", "getTransactionInfo", txid=f"{ident}-0"),
        "findOne/token": find_one(server, "tokens", symbol="TESTA"),
        "findOne/balance": find_one(server, "balances", account="alice-test", symbol="BEE"),
        "params/tokens": find_one(server, "params"),
        "params/resourcemanager": call(
            server, "contracts", "find", contract="resourcemanager", table="params", query={}
        ),
        "block/array": call(server, "blockchain", "getBlockInfo", blockNumber=node.sidechain.block_number),
    }
    for case, answer in ours.items():
        recorded = real_nodes.result("engine_reads", case)
        assert members(answer) == members(recorded), case
    assert ours["params/tokens"] == real_nodes.result("engine_reads", "params/tokens")
    for name in ("SSCnodeVersion", "domain", "chainId", "disabledMethods", "lightNode"):
        assert ours["status"][name] == real_nodes.result("engine_reads", "status")[name]


def members(value: Any) -> Any:
    """Names and types of the members, in order."""
    if isinstance(value, list):
        return [members(value[0])] if value else []
    return {name: type(each) for name, each in value.items()} if isinstance(value, dict) else type(value)


# ------------------------------------------------------------------ hived


@pytest.fixture
def hived() -> Iterator[NodeServer]:
    node = DevNode(Chain(sign=False))
    for name in ("alice-test", "bobby-test", "carol-test"):
        node.faucet(name, "HIVE", "1000")
    weights = tuple((PrivateKey(name).public_key, 1) for name in ("k1", "k2", "k3"))
    node.faucet("multi-test", "HIVE", "1", {"active": Authority(2, weights)})
    for _ in range(3):
        node.tick()
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


Make = Callable[[DevNode], Transaction]


def pay(sender: str = "alice-test", to: str = "bobby-test", mils: int = 1, memo: str = "") -> Transfer:
    return Transfer(sender, to, Coin(mils, "HIVE"), memo)


def posted(text: str = "{}", ident: str = "test", *active: str, posting: tuple[str, ...] = ()) -> CustomJson:
    return CustomJson(tuple(sorted(active)), posting, ident, text)


def signed(*operations: Operation, keys: tuple[tuple[str, str], ...] = (("alice-test", "active"),)) -> Make:
    """A transaction signed with the keys of accounts and roles."""

    def make(node: DevNode) -> Transaction:
        chain = node.chain
        transaction = replace(chain.build([pay()]), operations=operations)
        digest = transaction.digest(chain.chain_id)
        signatures = (chain.accounts.private_key(*key).sign(digest) for key in keys)
        return replace(transaction, signatures=tuple(signatures))

    return make


def changed(make: Make, change: Callable[[DevNode, Transaction], Transaction]) -> Make:
    """The transaction changed before it is signed by alice-test."""

    def remake(node: DevNode) -> Transaction:
        transaction = change(node, make(node))
        digest = transaction.digest(node.chain.chain_id)
        key = node.chain.accounts.private_key("alice-test", "active")
        return replace(transaction, signatures=(key.sign(digest),))

    return remake


def sent_before(node: DevNode) -> Transaction:
    transaction = signed(pay())(node)
    node.push(transaction)
    return transaction


def in_a_block(node: DevNode) -> Transaction:
    transaction = sent_before(node)
    node.tick()
    return transaction


def by_one_of_three_keys(node: DevNode) -> Transaction:
    transaction = node.chain.build([pay("multi-test")])
    digest = transaction.digest(node.chain.chain_id)
    return replace(transaction, signatures=(PrivateKey("k1").sign(digest),))


def without_rc(node: DevNode) -> Transaction:
    node.chain.without_rc = frozenset(("alice-test",))
    return signed(pay())(node)


def other_chain(node: DevNode) -> Transaction:
    transaction = node.chain.build([pay()])
    key = node.chain.accounts.private_key("alice-test", "active")
    return replace(transaction, signatures=(key.sign(transaction.digest(bytes(32))),))


REFUSALS: dict[str, Make] = {
    "signature/owner-for-active": signed(pay(), keys=(("alice-test", "owner"),)),
    "signature/active-for-posting": signed(posted(posting=("alice-test",))),
    "signature/none": signed(pay(), keys=()),
    "signature/wrong-key": signed(pay(), keys=(("bobby-test", "active"),)),
    "signature/twice": signed(pay(), keys=(("alice-test", "active"),) * 2),
    "signature/other-chain": other_chain,
    "custom_json/8193": signed(posted('"' + "x" * 8191 + '"', "test", "alice-test")),
    "custom_json/id-33": signed(posted("{}", "i" * 33, "alice-test")),
    "custom_json/no-auths": signed(posted()),
    "custom_json/two-auths-one-signed": signed(posted("{}", "test", "alice-test", "bobby-test")),
    "duplicate/in-mempool": sent_before,
    "duplicate/in-block": in_a_block,
    "expired/10-s-ago": changed(
        signed(pay()), lambda node, made: replace(made, expiration=node.chain.head_time - 10)
    ),
    "expiration/too-far": changed(
        signed(pay()),
        lambda node, made: replace(made, expiration=node.chain.head_time + MAX_EXPIRATION_SECONDS + 60),
    ),
    "tapos/wrong-prefix": changed(
        signed(pay()), lambda _, made: replace(made, ref_block_prefix=made.ref_block_prefix ^ 1)
    ),
    "balance/hive": signed(pay(mils=999_999_000)),
    "account/unknown-recipient": signed(pay(to="no-such-account")),
    "account/unknown-sender": signed(pay("no-such-account")),
    "account/invalid-recipient": signed(pay(to="Bobby-Test")),
    "account/invalid-recipient-short": signed(pay(to="ab")),
    "account/recipient-too-long": signed(pay(to="abcdefghijklmnopq")),
    "memo/2048": signed(pay(memo="m" * 2048)),
    "rc/none": without_rc,
    "several-operations/none": signed(),
    "multisig/keys-one": by_one_of_three_keys,
    "amount/negative": signed(pay(mils=-1)),
    "amount/zero": signed(pay(mils=0)),
}


def told(error: dict[str, Any]) -> dict[str, Any]:
    """The parts of an error that do not depend on the chain: amounts, accounts and a repetition left out."""
    data = error["data"]
    message = re.sub(r'"amount":"(-?)[0-9]+"', r'"amount":"\1N"', error["message"])
    message = message.replace("poor-test", "alice-test").partition("\n    {")[0]
    return {"code": error["code"], "message": message, "name": data["name"], "number": data["code"]}


def broadcast(server: NodeServer, transaction: dict[str, object], *, ascii_only: bool = False) -> Any:
    request = {"jsonrpc": "2.0", "method": "condenser_api.broadcast_transaction", "id": 1}
    body = json.dumps(request | {"params": [transaction]}, ensure_ascii=ascii_only)
    return requests.post(server.url, data=body.encode(), timeout=60).json()


@pytest.mark.parametrize("case", REFUSALS)
def test_a_transaction_is_refused_as_recorded(hived: NodeServer, case: str) -> None:
    transaction = REFUSALS[case](hived.node).condenser()
    error = broadcast(hived, transaction)["error"]
    recorded = real_nodes.exchange("hive_broadcast", f"{case}/condenser")["response"]["error"]
    assert told(error) == told(recorded)


def test_json_that_is_none_is_refused_as_recorded(hived: NodeServer) -> None:
    transaction = signed(posted("{", "test", "alice-test"))(hived.node).condenser()
    recorded = real_nodes.exchange("hive_broadcast", "custom_json/json-not-json")["response"]["error"]
    assert told(broadcast(hived, transaction)["error"]) == told(recorded)


def test_a_memo_in_ascii_escapes_no_longer_fits_its_signature(hived: NodeServer) -> None:
    """hived's JSON reader drops the backslash of an escape such as \\u00fc."""
    line = real_nodes.exchange("hive_broadcast", "memo/non-ascii-escapes")
    assert "\\u" in line["request_text"]
    transaction = signed(pay(memo="ü€😀 ñ"))(hived.node).condenser()
    refused = broadcast(hived, transaction, ascii_only=True)
    assert told(refused["error"]) == told(line["response"]["error"])
    assert broadcast(hived, transaction)["result"] == {}
    block = hived.node.tick()
    assert block is not None
    assert "ü€😀 ñ" in json.dumps(block.condenser(), ensure_ascii=False)


def test_accounts_have_the_recorded_members(hived: NodeServer) -> None:
    def rows(method: str, params: object) -> Any:
        request: Any = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        return requests.post(hived.url, json=request, timeout=60).json()["result"]

    [ours] = rows("condenser_api.get_accounts", [["alice-test"]])
    [theirs] = real_nodes.result("hive_reads", "accounts/condenser-existing")
    assert ours.keys() == theirs.keys()
    assert ours["witness_votes"] == []
    [ours] = rows("database_api.find_accounts", {"accounts": ["alice-test"]})["accounts"]
    [theirs] = real_nodes.result("hive_reads", "accounts/database_api-existing")["accounts"]
    assert ours.keys() == theirs.keys()


UNLIKE = {
    # Malformed requests, whose texts no client reads.
    *(f"accounts/condenser-{each}" for each in ("number", "not-nested")),
    *(f"keys/{each}" for each in ("malformed", "bad-checksum", "other-prefix")),
    *(f"params/{each}" for each in ("missing", "null", "text", "too-many", "wrong-type")),
    *(f"json/{each}" for each in ("malformed", "garbage", "empty-body", "scalar", "bom", "not-utf8")),
    *(f"json/{each}" for each in ("trailing-garbage", "trailing-comma", "single-quotes")),
    *(f"block-range/{each}" for each in ("start-float", "missing-start")),
    *("batch/empty", "batch/junk-member", "long/nested-90", "long/nested-150", "id/large", "call/two-params"),
    *("dgpo/condenser-params-object", "block/condenser-no-args", "transaction-hex/unknown-operation"),
    *("transaction-status/malformed-id", "json/duplicate-member", "verify-authority/missing"),
    # APIs that the recorded node did not offer, or that the devnet does not.
    *(f"method/disabled-{each}" for each in ("account-history", "ops-in-block", "get-transaction")),
    *("rc/condenser", "is-known-transaction/unknown", "verify-authority/enough"),
}
PLAYED = [
    line
    for line in real_nodes.lines("hive_reads")
    if not {"http_method", "request_headers"} & line.keys()
    and not (isinstance(line["request"], dict) and "text_begins" in line["request"])
]


@pytest.fixture(scope="module")
def long_chain() -> Iterator[NodeServer]:
    """As many blocks as the recorded chain had."""
    node = DevNode(Chain(sign=False, check_json=False), Sidechain(heartbeat=0))
    for name in (*ACCOUNTS, "multi-test", "team-test", "poor-test"):
        node.faucet(name, "HIVE", "1000")
    while node.chain.head < real_nodes.result("hive_reads", "dgpo/condenser")["head_block_number"]:
        node.tick()
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


def kind(reply: Any) -> Any:
    """What a reply says beside amounts and names: an error's code and text, or the kind of the result."""
    if isinstance(reply, list):
        return [kind(each) for each in reply]
    if not isinstance(reply, dict):
        return reply
    if "error" in reply:
        return reply["error"]["code"], reply["error"]["message"].partition("\n")[0], reply["id"]
    return type(reply["result"]), reply["id"]


def test_every_read_is_answered_as_recorded(long_chain: NodeServer) -> None:
    """Except for the cases of UNLIKE, which say in which way the devnet is none of hived."""
    unlike = set()
    for line in PLAYED:
        compact = json.dumps(line["request"], ensure_ascii=False, separators=(",", ":"))
        text = line.get("request_text") or (line["request"] if isinstance(line["request"], str) else compact)
        body = bytes.fromhex(line["request_hex"]) if "request_hex" in line else text.encode()
        reply = requests.post(long_chain.url, data=body, timeout=30)
        answer = reply.json() if isinstance(line["response"], dict | list) else reply.text
        if reply.status_code != line["status"] or kind(answer) != kind(line["response"]):
            unlike.add(line["case"])
    assert unlike == UNLIKE
