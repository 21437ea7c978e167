"""While the database is behind the chain, answers say so; and they are other answers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from settlement.store.indexer_status import IndexerStatus, write_status
from tests.system.api.described import Described
from tests.system.api.world import World


def tell(world: World, irreversible: int | None, ago: int = 0) -> None:
    status = IndexerStatus(world.time - ago, "following", irreversible, None, None, None)
    write_status(world.engine, status)


@pytest.fixture
def client(fresh: World) -> FlaskClient:
    fresh.apply(fresh.deposit("alice", "PEK", "5"))
    return fresh.client()


def test_an_answer_far_behind_carries_a_warning(fresh: World, client: FlaskClient) -> None:
    tell(fresh, fresh.block + 20)
    fine = client.get("/api/pairs")
    assert "Warning" not in fine.headers
    assert "warning" not in fine.json
    tell(fresh, fresh.block + 21)
    late = client.get("/api/pairs", headers={"If-None-Match": fine.headers["ETag"]})
    sentence = "The database is 21 blocks behind the chain."
    assert late.status_code == 200
    assert late.headers["Warning"] == f'199 peakedex "{sentence}"'
    assert list(late.json.items())[2:4] == [("warning", sentence), ("lag", 21)]
    Described(client).check_answer("/api/pairs", late)
    tell(fresh, fresh.block + 22)
    assert client.get("/api/pairs").json["lag"] == 22
    tell(fresh, fresh.block + 1)
    assert client.get("/api/pairs").json == fine.json


def test_text_carries_it_as_a_header_alone(fresh: World, client: FlaskClient) -> None:
    tell(fresh, fresh.block)
    fine = client.get("/api/journal").text
    tell(fresh, fresh.block + 100)
    late = client.get("/api/journal")
    assert "100 blocks behind" in late.headers["Warning"]
    assert late.text == fine


def test_an_indexer_that_is_silent_is_told_too(fresh: World, client: FlaskClient) -> None:
    tell(fresh, fresh.block, ago=50)
    assert "warning" not in client.get("/api/pairs").json
    assert client.get("/api/ready").status_code == 200
    tell(fresh, fresh.block, ago=70)
    late = client.get("/api/pairs").json
    assert late["warning"] == "The indexer is not running: the newest blocks are missing."
    assert late["lag"] == 0
    ready = client.get("/api/ready")
    assert (ready.status_code, ready.json["code"]) == (503, "E_BEHIND")
    assert client.get("/api/health").json["warning"] == late["warning"]


def test_before_an_indexer_ever_told_there_is_nothing_to_warn_of(client: FlaskClient) -> None:
    assert "warning" not in client.get("/api/pairs").json
    assert client.get("/api/ready").status_code == 200


def test_the_limit_is_a_setting(fresh: World, client: FlaskClient) -> None:
    tell(fresh, fresh.block + 6)
    assert "warning" not in client.get("/api/pairs").json
    assert fresh.client(max_lag_blocks=5).get("/api/pairs").json["lag"] == 6
