"""The API on PostgreSQL: lost connections, and a standby. Other tests run on both kinds of database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.settings import ApiSettings
from settlement.store.indexer_status import IndexerStatus, write_status
from tests.support.api_client import ApiClient
from tests.support.ports import free_port
from tests.support.postgres import Server, execute
from tests.support.waiting import wait_until
from tests.system.api.world import World, small_world

SECONDS = 30
REPLICATED = {"wal_level": "replica", "max_wal_senders": "3", "hot_standby": "on", "synchronous_commit": "on"}


@pytest.fixture
def primary() -> Iterator[Server]:
    server = Server(free_port(), **REPLICATED)
    server.create()
    server.start()
    execute(server.url("postgres"), "CREATE DATABASE dex")
    yield server
    server.stop()


@pytest.fixture
def world(primary: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("tests.support.databases.url", lambda _: primary.url("dex"))
    world = small_world(tmp_path)
    yield world
    world.close()


def client_of(server: Server, world: World, **settings: Any) -> ApiClient:
    clock = {"clock": lambda: world.time, "monotonic": lambda: world.time}
    given: dict[str, Any] = {"network": "devnet", **clock, **settings}
    return ApiClient(create_app(ApiSettings(database_url=server.url("dex"), **given)))


def test_the_api_outlives_its_server(primary: Server, world: World) -> None:
    """503 with Retry-After while the server is down, then the same responses as before."""
    client = client_of(primary, world)
    before = client.get("/api/pairs")
    assert before.status_code == 200
    primary.kill()
    wait_until(lambda: client.get("/api/pairs").status_code == 503)
    for address in ("/api/pairs", "/api/balances?user=alice", "/api/state", "/api/ready"):
        began = time.monotonic()
        refused = client.get(address)
        assert refused.status_code == 503, address
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.json["code"] in ("E_BUSY", "E_NOT_READY")
        assert time.monotonic() - began < 20
    health = client.get("/api/health")
    assert (health.status_code, health.json["block"]) == (200, None)
    primary.start()
    wait_until(lambda: client.get("/api/pairs").status_code == 200)
    assert client.get("/api/pairs").data == before.data
    assert client.get("/api/ready").status_code == 200


def test_a_standby_tells_how_old_it_is(primary: Server, world: World) -> None:
    """It shows each commit soon, and once it gets none it grows old, and says so in every answer."""
    standby = Server(free_port(), **REPLICATED)
    try:
        standby.copy(primary, "standby")
        standby.start()
        client = client_of(standby, world)
        assert client_of(primary, world).get("/api/health").json["standby_age_seconds"] is None
        world.apply(world.order("alice", "sell", "1", "0.5"))
        wait_until(lambda: client.get("/api/pairs").json["block"] == world.block)
        assert client.get("/api/health").json["standby_age_seconds"] <= SECONDS
        write_status(world.engine, IndexerStatus(int(world.time), "following", world.block, None, None))
        wait_until(lambda: client.get("/api/health").json["indexer"] is not None)
        assert "warning" not in client.get("/api/pairs").json
        primary.kill()
        world.time += 61
        wait_until(lambda: "warning" in client.get("/api/pairs").json)
        assert client.get("/api/pairs").json["warning"].startswith("The indexer is not running")
        assert client.get("/api/ready").json["code"] == "E_BEHIND"
        wait_until(lambda: client.get("/api/health").json["standby_age_seconds"] >= 1)
        execute(standby.url("postgres"), "SELECT pg_promote()")
        wait_until(lambda: client.get("/api/health").json["standby_age_seconds"] is None)
        assert client.get("/api/pairs").json["block"] == world.block
    finally:
        standby.stop()
