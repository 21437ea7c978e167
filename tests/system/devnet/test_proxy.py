"""The devnet proxy: POST to three routes is forwarded to the node, everything else goes to the API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.proxy import MAX_BODY_BYTES, ROUTES, DevnetProxy
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
def proxy(node: NodeServer) -> Client:
    return client_of(node.url)


def client_of(node: str) -> Client:
    return Client(DevnetProxy(api, node))


def told(answer: TestResponse) -> dict[str, Any]:
    found: dict[str, Any] | None = answer.json
    assert found is not None, answer.text
    return found


def api(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Stands for the API."""
    return Response("api", 405)(environ, start_response)


def test_each_route_answers_as_the_node_does(proxy: Client, node: NodeServer) -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": "database_api.get_config", "params": {}}
    answer = proxy.post("/api/devnet/rpc", json=asked)
    assert told(answer)["result"]["HIVE_CHAIN_ID"] == node.node.chain.chain_id.hex()
    assert answer.headers["Cache-Control"] == "no-store"
    rows = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "find",
        "params": {"contract": "tokens", "table": "balances", "query": {}},
    }
    assert told(proxy.post("/api/devnet/engine", json=rows))["result"] == []
    assert told(proxy.post("/api/devnet/practice", json={}))["account"].startswith("practice-")
    refused = proxy.post("/api/devnet/practice", json={"account": "alice"})
    assert refused.status_code == 400
    assert "is not a practice account" in told(refused)["error"]


@pytest.mark.parametrize("route", ["faucet", "keys", "faults", "fork", "broadcast", "dev", "..", "rpc/x", ""])
def test_there_is_no_way_to_other_calls(proxy: Client, route: str) -> None:
    assert route not in ROUTES
    assert proxy.post(f"/api/devnet/{route}", json={}).text == "api"


def test_only_posts_are_forwarded(proxy: Client) -> None:
    assert proxy.get("/api/devnet/rpc").text == "api"
    assert proxy.post("/api/pairs", json={}).text == "api"
    assert proxy.get("/rpc").text == "api"


def test_a_body_is_bounded(proxy: Client) -> None:
    answer = proxy.post("/api/devnet/rpc", data=b"x" * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, told(answer)["code"]) == (413, "E_TOO_LARGE")


def test_an_unreachable_node_is_a_502() -> None:
    answer = client_of("http://127.0.0.1:9").post("/api/devnet/rpc", json={})
    assert (answer.status_code, told(answer)["code"]) == (502, "E_DEVNET")


@pytest.mark.parametrize("network", ["hive", "mainnet", "Devnet", ""])
def test_on_another_network_the_server_does_not_start_with_it(tmp_path: Path, network: str) -> None:
    run = peakedex(
        *("serve", "--db", f"sqlite:///{tmp_path}/dex.db", "--network", network),
        *("--practice-node", "http://127.0.0.1:9"),
    )
    assert run.code == MISUSED
    assert "--practice-node requires --network devnet" in run.complaint
