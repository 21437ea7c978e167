"""The door to a devnet: there where it was asked for, on a devnet alone, and to three rooms alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from api.devnet import MAX_BODY_BYTES, ROOMS
from api.settings import SettingsError
from indexer.devnet.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from tests.api.world import World


@pytest.fixture(scope="module")
def node() -> Iterator[NodeServer]:
    server = NodeServer(DevNode(Chain(sign=False)))
    server.node.tick()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def door(world: World, node: NodeServer) -> FlaskClient:
    return world.client(practice_node=node.url)


def test_each_room_answers_as_the_node_does(door: FlaskClient, node: NodeServer) -> None:
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


@pytest.mark.parametrize("room", ["faucet", "keys", "faults", "fork", "broadcast", "dev", "..", "rpc/x"])
def test_there_is_no_way_to_other_calls(door: FlaskClient, room: str) -> None:
    assert room not in ROOMS
    assert door.post(f"/api/devnet/{room}", json={}).status_code in (404, 405)


def test_the_door_only_takes_posts_of_a_bounded_size(door: FlaskClient) -> None:
    assert door.get("/api/devnet/rpc").status_code in (404, 405)
    answer = door.post("/api/devnet/rpc", data=b"x" * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.json["code"]) == (413, "E_TOO_LARGE")


def test_a_node_that_is_away_is_said_so(world: World) -> None:
    answer = world.client(practice_node="http://127.0.0.1:9").post("/api/devnet/rpc", json={})
    assert (answer.status_code, answer.json["code"]) == (502, "E_DEVNET")


def test_without_the_setting_there_is_no_door(client: FlaskClient) -> None:
    assert client.post("/api/devnet/rpc", json={}).status_code == 405
    assert client.post("/api/pairs", json={}).status_code == 405


@pytest.mark.parametrize("network", ["hive", "mainnet", "Devnet", ""])
def test_on_another_network_the_server_does_not_start_with_it(world: World, network: str) -> None:
    with pytest.raises(SettingsError, match="practice_node: there is nothing to practise"):
        world.client(practice_node="http://127.0.0.1:9", network=network)
