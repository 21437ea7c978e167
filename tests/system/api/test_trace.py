"""Request ids, and an access log into which clients cannot inject lines."""

from __future__ import annotations

import logging

import pytest

from tests.system.api.world import World


@pytest.mark.parametrize("path", ["/api/pairs", "/api/nothing", "/api/pairs?x=1", "/metrics", "/"])
def test_every_answer_names_its_request(world: World, path: str) -> None:
    client = world.client(trusted_proxies=("10.0.0.1",))
    first, second = (client.get(path).headers["X-Request-Id"] for _ in range(2))
    assert first != second
    assert len(first) == 32
    named = client.get(
        path, headers={"X-Request-Id": "from-our-proxy"}, environ_base={"REMOTE_ADDR": "10.0.0.1"}
    )
    assert named.headers["X-Request-Id"] == "from-our-proxy"


def test_the_access_log_has_one_line_a_request(world: World, caplog: pytest.LogCaptureFixture) -> None:
    client = world.client(access_log=True, trusted_proxies=("127.0.0.1",))
    with caplog.at_level(logging.INFO, "peakedex.access"):
        answer = client.get("/api/price?base=PEK&quote=HBD", headers={"X-Forwarded-For": "198.51.100.7"})
        client.get("/api/price?base=PEK&quote=NOPE")
    records = [record for record in caplog.records if record.name == "peakedex.access"]
    assert records[0].getMessage().startswith("198.51.100.7 GET /api/price?base=PEK&quote=HBD 200 ")
    first, second = map(vars, records)
    assert (first["status"], first["method"], first["client"]) == (200, "GET", "198.51.100.7")
    assert (first["target"], first["bytes"]) == ("/api/price?base=PEK&quote=HBD", len(answer.data))
    assert first["request"] == answer.headers["X-Request-Id"]
    assert 0 < first["ms"] < 10_000
    assert second["status"] == 404


@pytest.mark.parametrize("path", ["/api/%0d%0aINFO%20forged", "/api/pairs?%0a=1", "/%1b%5b31m", "/é\u2028"])
def test_nobody_writes_lines_of_his_own(world: World, caplog: pytest.LogCaptureFixture, path: str) -> None:
    with caplog.at_level(logging.INFO, "peakedex.access"):
        world.client(access_log=True).get(path)
    [record] = [record for record in caplog.records if record.name == "peakedex.access"]
    assert record.getMessage().isascii()
    assert record.getMessage().isprintable()


def test_there_is_no_access_log_unless_it_was_asked_for(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        world.client().get("/api/pairs")
    assert [record for record in caplog.records if record.name == "peakedex.access"] == []
