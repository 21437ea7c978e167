"""Paging: no row is skipped or repeated, also while new rows arrive."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiClient
from tests.system.api.world import World

PAIR = "base=PEK&quote=SWAP.HIVE"


@pytest.fixture
def busy(fresh: World) -> World:
    fresh.apply(fresh.deposit("alice", "PEK", "100000"), fresh.deposit("bob", "SWAP.HIVE", "100000"))
    for _ in range(12):
        trade_once(fresh)
    return fresh


def trade_once(world: World) -> None:
    world.apply(world.order("alice", "sell", "1", "0.01"), world.order("bob", "buy", "1", "0.01"))


def reject_once(world: World) -> None:
    world.apply(world.order("carol", "sell", "1", "0.01"))


def send_once(world: World) -> None:
    """One that is credited, one that goes back, and one that is ignored."""
    astray = world.deposit("mallory", "PEK", "1")._replace(recipient="peakedex.hive")
    world.apply(world.deposit("mallory", "PEK", "1"), astray, world.deposit("mallory", "DOGE", "1"))


def withdraw_once(world: World) -> None:
    world.apply(world.action("alice", "withdraw", symbol="PEK", quantity="1"))


@pytest.mark.parametrize(
    ("path", "name", "key", "more"),
    [
        (f"/api/history?{PAIR}", "trades", "id", trade_once),
        ("/api/history?user=bob", "trades", "id", trade_once),
        (f"/api/history?user=alice&{PAIR}", "trades", "id", trade_once),
        ("/api/orders?", "orders", "id", trade_once),
        ("/api/orders?user=bob", "orders", "id", trade_once),
        (f"/api/orders?{PAIR}&status=filled", "orders", "id", trade_once),
        ("/api/orders?user=carol&status=rejected", "orders", "id", reject_once),
        ("/api/deposits?user=mallory", "deposits", "id", send_once),
        ("/api/withdrawals?", "withdrawals", "id", withdraw_once),
        ("/api/withdrawals?user=alice&status=pending", "withdrawals", "id", withdraw_once),
        ("/api/transfers?user=alice", "transfers", "n", trade_once),
    ],
)
def test_pages_stay_while_rows_arrive(
    busy: World, path: str, name: str, key: str, more: Callable[[World], None]
) -> None:
    for _ in range(5):
        reject_once(busy)
        more(busy)
    client = busy.client()
    before = [row[key] for row in client.get(f"{path}&limit=1000").json[name]]
    seen, cursor = [], ""
    while True:
        body = client.get(f"{path}&limit=3{cursor}").json
        seen += [row[key] for row in body[name]]
        if body["next_cursor"] is None:
            break
        cursor = f"&cursor={body['next_cursor']}"
        more(busy)
    assert seen == before
    assert len(client.get(f"{path}&limit=1000").json[name]) > len(before)


def test_a_cursor_is_of_one_list_only(busy: World) -> None:
    client = busy.client()
    cursor = client.get(f"/api/history?{PAIR}&limit=1").json["next_cursor"]
    for path in ("/api/orders?", "/api/history?base=PEK&quote=HBD&"):
        refused = client.get(f"{path}cursor={cursor}")
        assert (refused.status_code, refused.json["code"]) == (400, "E_INPUT")
    assert client.get(f"/api/history?{PAIR}&limit=5&cursor={cursor}").status_code == 200


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "A" * 16, "A" * 64, "_" * 16, "!!!!", "é", "%00", "=" * 8, "a" * 10_000]
)
def test_a_cursor_that_we_did_not_make(busy: World, cursor: str) -> None:
    refused = busy.client().get(f"/api/history?{PAIR}&cursor={cursor}")
    assert (refused.status_code, refused.json["code"]) == (400, "E_INPUT")


def test_an_exact_page_has_no_next_one(busy: World) -> None:
    client: ApiClient = busy.client()
    body = client.get(f"/api/history?{PAIR}&limit=12").json
    assert (len(body["trades"]), body["next_cursor"]) == (12, None)
    assert client.get(f"/api/history?{PAIR}&limit=11").json["next_cursor"] is not None


def test_default_limit_is_a_hundred(fresh: World) -> None:
    fresh.apply(fresh.deposit("alice", "PEK", "100000"))
    fresh.apply(*(fresh.order("alice", "sell", "1", "1") for _ in range(101)))
    assert len(fresh.client().get("/api/orders").json["orders"]) == 100


def test_an_order_of_many_trades(fresh: World) -> None:
    big = fresh.order("alice", "sell", "50", "0.01")
    fresh.apply(fresh.deposit("alice", "PEK", "100"), fresh.deposit("bob", "SWAP.HIVE", "100"), big)
    for _ in range(10):
        fresh.apply(fresh.order("bob", "buy", "5", "0.01"))
    client = fresh.client()
    first = client.get(f"/api/orders/{big.id}?limit=6").json
    rest = client.get(f"/api/orders/{big.id}?limit=6&cursor={first['next_cursor']}").json
    assert [row["id"] for row in first["trades"] + rest["trades"]] == list(range(10, 0, -1))
    assert rest["next_cursor"] is None
    lines = {row["line"] for row in first["journal"] + rest["journal"]}
    assert len(lines) == 13
