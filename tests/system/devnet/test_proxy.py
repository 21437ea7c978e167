"""The door to a devnet: before an API that only reads, there where it was asked for, to three rooms alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.proxy import MAX_BODY_BYTES, ROOMS, Door
from indexer.devnet.server import NodeServer
from tests.system.cli.command import MISUSED, peakedex


@pytest.fixture(scope="module")
def node() -> Iterator[NodeServer]:
    server = NodeServer(DevNode(Chain(sign=False)))
    server.node.tick()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def door(node: NodeServer) -> Client:
    return Client(Door(behind, node.url))


def behind(environ, start_response):
    """Stands for the API, which answers all that the door does not take."""
    return Response("behind", 405)(environ, start_response)


def test_each_room_answers_as_the_node_does(door: Client, node: NodeServer) -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": "database_api.get_config", "params": {}}
    answer = door.post("/api/devnet/rpc", json=asked)
    assert answer.json["result"]["HIVE_CHAIN_ID"] == node.node.chain.chain_id.hex()
    assert answer.headers["Cache-Control"] == "no-store"
    rows = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "find",
        "params": {"contract": "tokens", "table": "balances", "query": {}},
    }
    assert door.post("/api/devnet/engine", json=rows).json["result"] == []
    assert door.post("/api/devnet/practice", json={}).json["account"].startswith("practice-")
    refused = door.post("/api/devnet/practice", json={"account": "alice"})
    assert refused.status_code == 400
    assert "not an account to practise with" in refused.json["error"]


@pytest.mark.parametrize("room", ["faucet", "keys", "faults", "fork", "broadcast", "dev", "..", "rpc/x", ""])
def test_there_is_no_way_to_other_calls(door: Client, room: str) -> None:
    assert room not in ROOMS
    assert door.post(f"/api/devnet/{room}", json={}).text == "behind"


def test_the_door_takes_posts_alone_and_all_else_goes_to_the_api(door: Client) -> None:
    assert door.get("/api/devnet/rpc").text == "behind"
    assert door.post("/api/pairs", json={}).text == "behind"
    assert door.get("/rpc").text == "behind"


def test_a_body_is_bounded(door: Client) -> None:
    answer = door.post("/api/devnet/rpc", data=b"x" * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.json["code"]) == (413, "E_TOO_LARGE")


def test_a_node_that_is_away_is_said_so() -> None:
    answer = Client(Door(behind, "http://127.0.0.1:9")).post("/api/devnet/rpc", json={})
    assert (answer.status_code, answer.json["code"]) == (502, "E_DEVNET")


@pytest.mark.parametrize("network", ["hive", "mainnet", "Devnet", ""])
def test_on_another_network_the_server_does_not_start_with_it(tmp_path, network: str) -> None:
    run = peakedex(
        *("serve", "--db", f"sqlite:///{tmp_path}/dex.db", "--network", network),
        *("--practice-node", "http://127.0.0.1:9"),
    )
    assert run.code == MISUSED
    assert "there is nothing to practise on the network" in run.complaint
