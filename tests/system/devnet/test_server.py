"""The node over HTTP: call styles, batches, hived's errors, ranges, the sidechain, the faucet, faults."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests
from lighthive.client import Client

from indexer.devnet.hive.chain import Chain
from indexer.devnet.hive.errors import ChainError
from indexer.devnet.node import DevNode
from indexer.devnet.server import Devnet, NodeServer, start_devnet
from indexer.devnet.venue import EXAMPLE, read_venue
from tests.support.ports import free_port
from tests.support.waiting import wait_until

Call = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[NodeServer]:
    node = DevNode(Chain(sign=False, lag=2), buffer=2)
    node.prepare(read_venue(EXAMPLE.read_text()))
    for _ in range(12):
        node.tick()
    node.faucet("alice", "HIVE", "10")
    node.faucet("alice", "PEK", "10.5")
    server = NodeServer(node)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def call(server: NodeServer, session: requests.Session) -> Call:
    def call(method: str, params: object = None, path: str = "/") -> Any:
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {} if params is None else params}
        response = session.post(server.url + path, json=body, timeout=60)
        assert response.status_code == 200
        answer = response.json()
        assert answer["id"] == 1
        return answer["result"] if "result" in answer else answer["error"]

    return call


@pytest.fixture
def dev(server: NodeServer, session: requests.Session) -> Call:
    def dev(name: str, status: int = 200, **body: Any) -> Any:
        response = session.post(f"{server.url}/dev/{name}", json=body, timeout=60)
        assert response.status_code == status
        return response.json()

    return dev


def custom(text: str, account: str = "alice") -> list[object]:
    return [
        "custom_json",
        {"required_auths": [account], "required_posting_auths": [], "id": "ssc-mainnet-hive", "json": text},
    ]


def transfer(amount: str = "1.000 HIVE", to: str = "peakecoin") -> list[object]:
    return ["transfer", {"from": "alice", "to": to, "amount": amount, "memo": "hi"}]


def test_both_call_styles_and_both_kinds_of_params_give_the_same(call: Call) -> None:
    plain = call("block_api.get_block", {"block_num": 3})
    assert plain["block"]["block_id"].startswith("00000003")
    assert call("block_api.get_block", [3]) == plain
    assert call("call", ["block_api", "get_block", {"block_num": 3}]) == plain
    condenser = call("condenser_api.get_block", [3])
    assert call("call", ["condenser_api", "get_block", [3]]) == condenser
    assert condenser["block_id"] == plain["block"]["block_id"]
    assert call("call", ["condenser_api", "get_dynamic_global_properties"])["head_block_number"] == 12


def test_properties_in_both_apis(call: Call) -> None:
    plain = call("database_api.get_dynamic_global_properties")
    condenser = call("condenser_api.get_dynamic_global_properties", [])
    for properties in (plain, condenser):
        assert properties["head_block_number"] == 12
        assert properties["last_irreversible_block_num"] == 10
    assert plain["current_supply"]["nai"] == "@@000000021"
    assert condenser["current_supply"].endswith(" HIVE")


def test_blocks_past_head_are_absent_in_the_way_of_each_api(call: Call) -> None:
    assert call("block_api.get_block", {"block_num": 13}) == {}
    assert call("block_api.get_block_header", {"block_num": 13}) == {}
    assert call("condenser_api.get_block", [13]) is None
    assert call("condenser_api.get_block_header", [13]) is None
    header = call("block_api.get_block_header", {"block_num": 5})["header"]
    assert header == call("condenser_api.get_block_header", [5])
    assert set(header) == {"previous", "timestamp", "witness", "transaction_merkle_root", "extensions"}


def test_ranges_are_cut_at_head_and_refuse_what_hived_refuses(call: Call) -> None:
    def numbers(start: int, count: int) -> list[int]:
        blocks = call("block_api.get_block_range", {"starting_block_num": start, "count": count})["blocks"]
        return [int(block["block_id"][:8], 16) for block in blocks]

    assert numbers(1, 3) == [1, 2, 3]
    assert numbers(11, 1000) == [11, 12]
    assert numbers(13, 10) == []
    assert numbers(1, 5000) == list(range(1, 13)), "more than 1,000 are refused only where they exist"
    error = call("block_api.get_block_range", {"starting_block_num": 0, "count": 1})
    assert (error["code"], "Invalid starting block number" in error["message"]) == (-32003, True)
    assert call("block_api.get_block_range", {"starting_block_num": "x", "count": 1})["code"] == -32003


def test_batches_answer_each_call_by_itself(server: NodeServer, session: requests.Session) -> None:
    batch: Any = [
        {"jsonrpc": "2.0", "id": 7, "method": "condenser_api.get_version", "params": []},
        {"jsonrpc": "2.0", "id": "b", "method": "nope.nope"},
        {"jsonrpc": "1.0", "id": 9, "method": "x"},
        5,
    ]
    answers = session.post(server.url, json=batch, timeout=60).json()
    assert [answer["id"] for answer in answers] == [7, "b", 9, None]
    assert "result" in answers[0]
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32002, -32600, -32700]


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b"{", -32700, "Parse Error"),
        (b"[" * 5000, -32700, "Parse Error"),
        (b"[]", -32600, "Array is invalid"),
        (b'{"jsonrpc":"2.0","id":1}', -32600, 'A member "method" does not exist'),
        (b'{"jsonrpc":"2.0","id":{},"method":"x"}', -32600, "Only integer value or string"),
        (b'{"jsonrpc":"2.0","id":1,"method":"call"}', -32001, 'A member "params" does not exist'),
        (b'{"jsonrpc":"2.0","id":1,"method":"call","params":[1]}', -32002, "params should be"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x"}', -32002, "method specification invalid"),
        (b'{"jsonrpc":"2.0","id":1,"method":"foo.bar"}', -32002, "Could not find API foo"),
        (b'{"jsonrpc":"2.0","id":1,"method":"block_api.bar"}', -32002, "Could not find method bar"),
        (b'{"jsonrpc":"2.0","id":1,"method":"block_api.get_block","params":7}', -32003, "Bad Cast"),
    ],
)
def test_errors_come_as_http_200(
    server: NodeServer, session: requests.Session, body: bytes, code: int, text: str
) -> None:
    response = session.post(server.url, data=body, timeout=60)
    assert response.status_code == 200
    assert response.json()["error"]["code"] == code
    assert text in response.json()["error"]["message"]


def test_browsers_may_ask_from_anywhere(server: NodeServer, session: requests.Session) -> None:
    response = session.options(server.url, timeout=60)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert session.post(server.url, data=b"{}", timeout=60).headers["Access-Control-Allow-Origin"] == "*"


def test_a_connection_stays_open(server: NodeServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    sockets = set()
    for _ in range(3):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "condenser_api.get_version", "params": []})
        connection.request("POST", "/", body)
        assert connection.getresponse().read()
        sockets.add(connection.sock)
    assert len(sockets) == 1
    assert None not in sockets
    connection.close()


def test_bad_http_is_refused(server: NodeServer, session: requests.Session) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("POST", "/")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
    assert session.post(f"{server.url}/nope", data=b"{}", timeout=60).status_code == 404
    assert session.get(f"{server.url}/nope", timeout=60).status_code == 404


def test_accounts_in_both_apis(call: Call) -> None:
    [account] = call("condenser_api.get_accounts", [["alice", "nobody"]])
    assert account["name"] == "alice"
    assert account["balance"] == "10.000 HIVE"
    [found] = call("database_api.find_accounts", {"accounts": ["alice"]})["accounts"]
    assert found["balance"] == {"amount": "10000", "precision": 3, "nai": "@@000000021"}
    [[key, weight]] = found["active"]["key_auths"]
    assert weight == 1
    assert call("account_by_key_api.get_key_references", {"keys": [key, "STM1"]})["accounts"] == [
        ["alice"],
        [],
    ]
    assert call("condenser_api.get_key_references", [[key]]) == [["alice"]]
    assert call("condenser_api.lookup_accounts", ["peak", 2]) == ["peakecoin", "peakecoin.fees"]
    assert call("condenser_api.lookup_account_names", [["nobody"]]) == [None]
    names = [
        row["account"] for row in call("rc_api.find_rc_accounts", {"accounts": ["alice"]})["rc_accounts"]
    ]
    assert names == ["alice"]


def test_config_says_which_chain_this_is(call: Call, server: NodeServer) -> None:
    config = call("database_api.get_config")
    assert config["HIVE_CHAIN_ID"] == server.node.chain.chain_id.hex()
    assert config["HIVE_CHAIN_ID"] != "beeab0de" + "0" * 56
    assert config["HIVE_ADDRESS_PREFIX"] == "STM"
    assert config["HIVE_SYMBOL"] == {"nai": "@@000000021", "decimals": 3}
    assert call("condenser_api.get_version", [])["chain_id"] == config["HIVE_CHAIN_ID"]
    assert call("condenser_api.get_hardfork_version", [])
    assert "block_api.get_block_range" in call("jsonrpc.get_methods")


def test_operations_are_submitted_without_signatures_and_found_again(
    call: Call, dev: Call, server: NodeServer
) -> None:
    ident = dev("broadcast", operations=[transfer(), custom("{}")])["transaction_id"]
    find = "transaction_status_api.find_transaction"
    assert call(find, {"transaction_id": ident}) == {"status": "within_mempool"}
    assert dev("produce")["head"] == 13
    assert call(find, {"transaction_id": ident}) == {"status": "within_reversible_block", "block_num": 13}
    dev("produce", count=2)
    assert call(find, {"transaction_id": ident})["status"] == "within_irreversible_block"
    assert call(find, {"transaction_id": "0" * 40}) == {"status": "unknown"}
    old = {"transaction_id": "0" * 40, "expiration": "2020-01-01T00:00:00"}
    assert call(find, old) == {"status": "expired_irreversible"}

    found = call("account_history_api.get_transaction", {"id": ident})
    assert (found["block_num"], found["transaction_num"]) == (13, 0)
    assert found["operations"][0]["value"]["amount"]["amount"] == "1000"
    condenser = call("condenser_api.get_transaction", [ident])
    assert condenser["operations"][0] == transfer()
    assert "Unknown Transaction" in call("condenser_api.get_transaction", ["0" * 40])["message"]
    block = call("condenser_api.get_block", [13])
    assert block["transactions"][0]["operations"] == [transfer(), custom("{}")]
    assert block["transactions"][0]["transaction_id"] == ident

    ops = call("account_history_api.get_ops_in_block", {"block_num": 13, "only_virtual": False})["ops"]
    assert [(row["op"]["type"], row["virtual_op"]) for row in ops] == [
        ("transfer_operation", False),
        ("custom_json_operation", False),
        ("producer_reward_operation", True),
    ]
    assert [row["op"][0] for row in call("condenser_api.get_ops_in_block", [13, True])] == ["producer_reward"]
    history = call("condenser_api.get_account_history", ["alice", -1, 10])
    assert [(number, row["op"][0]) for number, row in history] == [(0, "transfer"), (1, "custom_json")]
    [[number, row]] = call(
        "account_history_api.get_account_history", {"account": "alice", "start": 0, "limit": 1}
    )["history"]
    assert (number, row["trx_id"]) == (0, ident)


def test_what_the_chain_refuses_is_said(dev: Call) -> None:
    for operations in (
        [transfer("99.000 HIVE")],
        [["vote", {}]],
        [],
        "x",
        [custom("{")],
        [custom("{}", "nobody")],
    ):
        assert dev("broadcast", status=400, operations=operations)["error"]
    assert dev("faucet", status=400, account="Not An Account")["error"]
    assert dev("faucet", status=400, account="alice", symbol="NOPE", quantity="1")["error"]
    assert dev("faucet", status=400, account="alice", symbol="HIVE", quantity="-1")["error"]
    assert dev("faucet", status=400, account="alice", symbol="HIVE")["error"]
    assert dev("nope", status=404)["error"]


def test_the_faucet_makes_accounts_and_fills_them(dev: Call, call: Call) -> None:
    assert dev("faucet", account="newcomer") == {"HIVE": "0.000", "HBD": "0.000"}
    dev("faucet", account="newcomer", symbol="HBD", quantity="1.5")
    dev("faucet", account="newcomer", symbol="PEK", quantity="0.00000001")
    assert dev("balances", account="newcomer") == {"HIVE": "0.000", "HBD": "1.500", "PEK": "0.00000001"}
    public = dev("keys", account="alice")["active"]["public_key"]
    dev("faucet", account="another", authorities={"active": public})
    [account] = call("condenser_api.get_accounts", [["another"]])
    assert account["active"]["key_auths"] == [[public, 1]]
    assert dev("faucet", status=400, account="another", authorities={"boss": public})["error"]


def test_the_sidechain_answers_under_engine(call: Call, dev: Call) -> None:
    blockchain, contracts = "/engine/blockchain", "/engine/contracts"
    payload = {"symbol": "PEK", "to": "peakedex.pek", "quantity": "2.5"}
    element = {"contractName": "tokens", "contractAction": "transfer", "contractPayload": payload}
    ident = dev("broadcast", operations=[custom(json.dumps(element))])["transaction_id"]
    dev("produce")
    assert call("getBlockInfoByHiveBlock", {"hiveBlockNumber": 13}, blockchain) is None
    dev("produce", count=2)
    block = call("getBlockInfoByHiveBlock", {"hiveBlockNumber": 13}, blockchain)
    assert [row["transactionId"] for row in block["transactions"]] == [ident]
    status = call("getStatus", {}, blockchain)
    assert status["lastParsedHiveBlockNumber"] == 16, "the next block to fetch"
    assert status["lastBlockRefHiveBlockNumber"] == 13
    assert call("getLatestBlockInfo", {}, blockchain)["refHiveBlockNumber"] == 13
    assert call("getBlockInfo", {"blockNumber": block["blockNumber"]}, blockchain) == block
    assert call("getTransactionInfo", {"txid": ident}, blockchain)["sender"] == "alice"
    assert call("getTransactionInfo", {"txid": "no"}, blockchain) is None
    assert call("getBlockInfoByHiveBlock", {}, blockchain)["code"] == 400
    assert call("nope", {}, blockchain)["code"] == -32601
    query = {"contract": "tokens", "table": "balances", "query": {"account": "peakedex.pek"}}
    [row] = call("find", query, contracts)
    assert (row["symbol"], row["balance"]) == ("PEK", "2.5"), "as the sender wrote it"
    assert call("findOne", query, contracts) == row
    both = {**query, "query": {"account": {"$in": ["alice", "peakedex.pek"]}, "symbol": "PEK"}, "limit": 1}
    assert len(call("find", both, contracts)) == 1
    token = call("findOne", {"contract": "tokens", "table": "tokens", "query": {"symbol": "PEK"}}, contracts)
    assert token["precision"] == 8
    assert call("find", {**query, "limit": 1001}, contracts)["code"] == 400
    assert call("find", {"contract": "tokens"}, contracts)["code"] == 400
    assert call("getBlockRangeInfo", {}, blockchain)["message"].endswith("getBlockRangeInfo is disabled")
    params = call("findOne", {"contract": "tokens", "table": "params", "query": {}}, contracts)
    assert "bittrex" in params["blacklist"]


def test_lighthive_reads_properties_and_blocks(server: NodeServer) -> None:
    client = Client(nodes=[server.url], backoff_max_tries=1)
    assert client.get_dynamic_global_properties()["head_block_number"] == 12
    blocks = client("block_api").get_block_range({"starting_block_num": 1, "count": 12})["blocks"]
    assert [block["previous"] for block in blocks[1:]] == [block["block_id"] for block in blocks[:-1]]
    assert client("condenser_api").get_block(4)["block_id"] == blocks[3]["block_id"]


def test_the_clock_makes_blocks_and_stops() -> None:
    blocks = threading.Semaphore(0)
    devnet = start_devnet(read_venue(EXAMPLE.read_text()), block_time=0.05, lag=1)
    try:
        status = requests.get(devnet.url, timeout=60).json()
        assert status["devnet"] is True
        assert status["head"] >= 5
    finally:
        devnet.stop()
    with Devnet(DevNode(Chain(sign=False)), block_time=0.01, after_block=blocks.release) as running:
        for _ in range(5):
            assert blocks.acquire(timeout=60)
        assert running.node.chain.head >= 5
    with pytest.raises(requests.ConnectionError):
        requests.get(running.url, timeout=1)


def test_requests_wait_until_the_prologue_has_made_its_blocks() -> None:
    port = free_port()
    asked: Future[Any]

    def prologue(node: DevNode) -> None:
        nonlocal asked
        # The port is open, but nobody answers yet.
        asked = pool.submit(lambda: requests.get(f"http://127.0.0.1:{port}", timeout=30).json())
        for day in range(1, 4):
            node.tick(1_700_000_000 + day * 86_400)
        assert not asked.done()

    with ThreadPoolExecutor(1) as pool:
        devnet = start_devnet(port=port, begin=1_700_000_000, block_time=60, prologue=prologue)
        try:
            assert asked.result(30)["head"] >= 8
            first = json.loads(devnet.node.chain.stored(1))
            assert first["timestamp"] == "2023-11-14T22:14:20"
        finally:
            devnet.stop()


def test_a_prologue_that_fails_frees_the_port() -> None:
    port = free_port()

    def fail(node: DevNode) -> None:
        raise ChainError("no")

    with pytest.raises(ChainError, match="no"):
        start_devnet(port=port, prologue=fail)
    start_devnet(port=port).stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_clock_that_ends_by_an_error_is_noticed() -> None:
    def fail() -> None:
        raise ChainError("no")

    with Devnet(DevNode(Chain(sign=False)), block_time=0.01, after_block=fail) as devnet:
        wait_until(lambda: not devnet.is_running)
        assert devnet.node.chain.head == 1


# -- faults ---------------------------------------------------------------------------------------


def test_counted_faults_happen_so_often_and_no_more(
    server: NodeServer, session: requests.Session, dev: Call, call: Call
) -> None:
    body: Any = {"jsonrpc": "2.0", "id": 1, "method": "condenser_api.get_version", "params": []}
    dev("faults", html_errors=1, too_many=1)
    assert [session.post(server.url, json=body, timeout=60).status_code for _ in range(3)] == [502, 429, 200]
    dev("faults", lock_errors=1)
    assert "Unable to acquire database lock" in call("condenser_api.get_version", [])["message"]
    assert "blockchain_version" in call("condenser_api.get_version", [])
    dev("faults", bad_json=1)
    with pytest.raises(requests.JSONDecodeError):
        session.post(server.url, json=body, timeout=60).json()
    dev("faults", lost_replies=1)
    with pytest.raises(requests.ConnectionError):
        requests.post(server.url, json=body, timeout=60)


def test_ranges_may_come_short_and_a_node_may_be_stale(dev: Call, call: Call) -> None:
    dev("faults", short_ranges=2)
    params = {"starting_block_num": 1, "count": 10}
    assert len(call("block_api.get_block_range", params)["blocks"]) == 2
    dev("faults", short_ranges=0, stale=5)
    assert call("condenser_api.get_dynamic_global_properties", [])["head_block_number"] == 7
    assert len(call("block_api.get_block_range", params)["blocks"]) == 7
    assert call("block_api.get_block", {"block_num": 8}) == {}
    dev("faults", stale=0)
    assert len(call("block_api.get_block_range", params)["blocks"]) == 10


def test_a_node_may_lie(dev: Call, call: Call) -> None:
    dev("broadcast", operations=[transfer("1.234 HIVE")])
    dev("broadcast", operations=[transfer("2.000 HIVE")])
    dev("produce")
    ask = {"starting_block_num": 12, "count": 2}
    honest = call("block_api.get_block_range", ask)["blocks"]

    def lying(lie: str) -> list[Any]:
        dev("faults", lie=lie)
        blocks: list[Any] = call("block_api.get_block_range", ask)["blocks"]
        return blocks

    assert lying("amount")[1]["transactions"][0]["operations"][0]["value"]["amount"]["amount"] == "12340"
    assert len(lying("drop")[1]["transactions"]) == 1
    assert len(lying("add")[1]["transactions"]) == 3
    assert lying("order") == honest[::-1]
    dev("faults", lie="irreversible")
    assert call("condenser_api.get_dynamic_global_properties", [])["last_irreversible_block_num"] == 13
    assert lying("") == honest
    assert dev("faults", status=400, lie="big")["error"]
    assert dev("faults", status=400, nope=1)["error"]
    assert dev("faults", status=400, stale=-1)["error"]


def test_an_honest_and_a_faulty_node_of_one_chain(server: NodeServer, session: requests.Session) -> None:
    other = NodeServer(server.node)
    other.start()
    other.faults.html_errors = 1
    body: Any = {"jsonrpc": "2.0", "id": 1, "method": "condenser_api.get_version", "params": []}
    assert session.post(server.url, json=body, timeout=60).status_code == 200
    assert session.post(other.url, json=body, timeout=60).status_code == 502
    other.stop()


def test_the_sidechain_may_refuse_hang_disagree_or_fall_behind(
    server: NodeServer, session: requests.Session, dev: Call, call: Call
) -> None:
    element = {
        "contractName": "tokens",
        "contractAction": "transfer",
        "contractPayload": {"symbol": "PEK", "to": "peakedex.pek", "quantity": "2.5"},
    }
    dev("broadcast", operations=[custom(json.dumps(element))])
    dev("produce", count=3)
    ask = ("getBlockInfoByHiveBlock", {"hiveBlockNumber": 13}, "/engine/blockchain")
    body: Any = {"jsonrpc": "2.0", "id": 1, "method": ask[0], "params": ask[1]}
    dev("faults", engine_disagrees=True)
    assert '"12.5"' in call(*ask)["transactions"][0]["logs"]
    dev("faults", engine_disagrees=False, engine_refuses=True)
    assert session.post(server.engine_url + "/blockchain", json=body, timeout=60).status_code == 503
    dev("faults", engine_refuses=False, engine_silent=True)
    with pytest.raises(requests.Timeout):
        requests.post(server.engine_url + "/blockchain", json=body, timeout=0.3)
    dev("faults", engine_silent=False)
    assert '"2.5"' in call(*ask)["transactions"][0]["logs"]
    assert dev("chain", behind=4)["sidechain_hive_block"] == 13
    assert dev("produce", count=4)["sidechain_hive_block"] == 13
    assert dev("chain", behind=0)["sidechain_hive_block"] == 17


def test_the_chain_lags_stalls_forks_and_misses_slots_on_demand(dev: Call, call: Call) -> None:
    assert dev("chain", stalled=True)["stalled"] is True
    assert dev("produce", count=3)["irreversible"] == 10
    before = call("block_api.get_block", {"block_num": 15})["block"]["block_id"]
    assert dev("fork", depth=3)["head"] == 12
    assert dev("produce", count=3)["head"] == 15
    assert call("block_api.get_block", {"block_num": 15})["block"]["block_id"] != before
    assert dev("chain", stalled=False, lag=0)["irreversible"] == 15
    assert dev("fork", status=400, depth=1)["error"]
    dev("chain", skip_slots=2)
    assert dev("produce", count=3)["head"] == 16
    assert dev("chain", status=400, lag=-1)["error"]
