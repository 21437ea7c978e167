"""Stops and protective stops: while they wait, when they fire, and what became of them (protocol, section 7)."""

from __future__ import annotations

from typing import Any

import pytest

from settlement.core.events import Action
from tests.support.api_client import ApiClient
from tests.system.api.world import World

PAIR = "base=PEK&quote=SWAP.HIVE"


@pytest.fixture
def market(fresh: World) -> World:
    """A market with a mark of 0.01, and a buyer at 0.009."""
    fresh.apply(
        fresh.deposit("alice", "PEK", "1000"),
        fresh.deposit("bob", "SWAP.HIVE", "1000"),
        fresh.order("alice", "sell", "10", "0.01"),
        fresh.order("bob", "buy", "10", "0.01"),
        fresh.order("bob", "buy", "100", "0.009"),
    )
    return fresh


def get(client: ApiClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.json
    return answer.json


def sell_stop(world: World, quantity: str = "20", price: str = "0.008", **more: Any) -> Action:
    return world.order("alice", "sell", quantity, price, triggerPrice="0.0095", triggerWhen="below", **more)


def fall(world: World) -> None:
    """A trade at 0.009 of 100 times the quantity that the mark is made of: the mark falls below 0.0095."""
    world.apply(world.deposit("carol", "PEK", "60"), world.order("carol", "sell", "60", "0.009"))


def test_a_waiting_stop_locks_and_is_in_no_book(market: World) -> None:
    stop = sell_stop(market, postOnly=True, expiration=500)
    market.apply(stop)
    client = market.client()
    [shown] = get(client, "/api/orders?user=alice&status=waiting")["orders"]
    assert shown["id"] == stop.id
    assert (shown["status"], shown["type"], shown["price"]) == ("waiting", "limit", "0.008000")
    assert (shown["trigger_price"], shown["trigger_when"]) == ("0.009500", "below")
    assert (shown["time_in_force"], shown["post_only"]) == ("GTC", True)
    assert (shown["locked"], shown["gives"], shown["fired"]) == ("20.00000000", "PEK", None)
    assert shown["expires"] is not None
    assert get(client, "/api/orders?user=alice&status=open")["orders"] == []
    assert get(client, f"/api/orders?{PAIR}&status=waiting")["orders"] == [shown]
    assert get(client, "/api/orders?status=waiting")["orders"] == [shown]
    assert get(client, f"/api/orderbook?{PAIR}")["asks"] == []
    assert get(client, f"/api/price?{PAIR}")["ask"] is None
    assert get(client, "/api/coinmarketcap/orderbook/PEK_SWAP.HIVE?level=3")["asks"] == []
    balances = get(client, "/api/balances?user=alice")["balances"]
    assert {row["symbol"]: row["locked"] for row in balances}["PEK"] == "20.00000000"
    one = get(client, f"/api/orders/{stop.id}")
    assert (one["order"], one["stop"], one["trades"]) == (shown, None, [])
    assert [row["line"].split(" ")[0] for row in one["journal"]] == ["accept", "stop"]
    [intent] = get(client, f"/api/intents/{stop.id}")["intents"]
    assert (intent["order"], intent["fired"]) == (stop.id, None)


def test_a_stop_that_fires_becomes_an_order_with_its_id(market: World) -> None:
    stop = sell_stop(market)
    market.apply(stop)
    waiting = market.block
    fall(market)
    client = market.client()
    order, fired = get(client, "/api/orders?user=alice")["orders"][:2]
    assert (order["id"], order["status"], order["trigger_price"]) == (stop.id, "filled", None)
    assert (fired["id"], fired["status"], fired["locked"]) == (stop.id, "triggered", "0.00000000")
    assert fired["fired"] == {"order": stop.id, "code": None, "error": None}
    assert (fired["stop_of"], order["stop_of"]) == (None, stop.id)
    assert order["seq"] > fired["seq"]
    one = get(client, f"/api/orders/{stop.id}")
    assert (one["order"], one["stop"]) == (order, fired)
    assert len(one["trades"]) == 1
    kinds = [row["line"].split(" ")[0] for row in one["journal"]]
    assert kinds == ["accept", "stop", "trigger", "close", "order", "trade", "close"]
    [intent] = get(client, f"/api/intents/{stop.id}")["intents"]
    assert intent["fired"] == {"order": stop.id, "code": None, "error": None}
    assert get(client, "/api/orders?user=alice&status=triggered")["orders"] == [fired]
    assert get(client, "/api/orders?user=alice&status=waiting")["orders"] == []
    before = get(client, f"/api/orders/{stop.id}?block={waiting}")
    assert (before["order"]["status"], before["order"]["fired"], before["stop"]) == ("waiting", None, None)
    [then] = get(client, f"/api/orders?user=alice&status=waiting&block={waiting}")["orders"]
    assert then == before["order"]


def test_a_fired_stop_whose_order_is_rejected(market: World) -> None:
    """A post-only order that would trade: E_POST_ONLY, and what the stop had locked is available."""
    stop = sell_stop(market, postOnly=True)
    market.apply(stop)
    fall(market)
    client = market.client()
    [shown] = get(client, "/api/orders?user=alice&status=triggered")["orders"]
    rejection = {
        "order": None,
        "code": "E_POST_ONLY",
        "error": "Post-only order would execute immediately.",
    }
    assert (shown["fired"], shown["released"]) == (rejection, "20.00000000")
    one = get(client, f"/api/orders/{stop.id}")
    assert (one["order"], one["stop"]) == (shown, None)
    assert one["journal"][-1]["line"] == f"reject {stop.id} alice sell - E_POST_ONLY"
    [intent] = get(client, f"/api/intents/{stop.id}")["intents"]
    assert (intent["status"], intent["code"], intent["fired"]) == ("accepted", None, rejection)
    assert get(client, "/api/orders?user=alice&status=rejected")["orders"] == []


def test_a_protective_stop_that_fires(market: World) -> None:
    """The order closes as cancelled, and a market order `<id>~stop` is placed."""
    order = market.order("alice", "sell", "30", "0.02", stopPrice="0.0095", stopLimit="0.005")
    market.apply(order)
    client = market.client()
    [open_] = get(client, "/api/orders?user=alice&status=open")["orders"]
    assert (open_["stop_price"], open_["stop_limit"], open_["fired"]) == ("0.009500", "0.005000", None)
    fall(market)
    one = get(client, f"/api/orders/{order.id}")
    assert (one["order"]["status"], one["stop"], one["trades"]) == ("cancelled", None, [])
    assert one["order"]["fired"] == {"order": f"{order.id}~stop", "code": None, "error": None}
    kinds = [row["line"].split(" ")[0] for row in one["journal"]]
    assert kinds == ["accept", "order", "trigger", "close"]
    placed = get(client, f"/api/orders/{order.id}~stop")
    assert (placed["order"]["type"], placed["order"]["price"]) == ("market", "0.005000")
    assert (placed["order"]["quantity"], placed["order"]["status"]) == ("30.00000000", "filled")
    assert (placed["order"]["stop_of"], placed["order"]["average_price"]) == (order.id, "0.0090000000")
    assert [row["line"].split(" ")[0] for row in placed["journal"]] == ["order", "trade", "close"]
    [trade] = placed["trades"]
    assert trade["taker_order"] == f"{order.id}~stop"
    assert get(client, f"/api/history?{PAIR}&limit=1")["trades"] == [trade]
    rows = get(client, "/api/orders?user=alice")["orders"]
    assert [row["id"] for row in rows[:2]] == [f"{order.id}~stop", order.id]
    [intent] = get(client, f"/api/intents/{order.id}")["intents"]
    assert intent["fired"]["order"] == f"{order.id}~stop"


def test_a_protective_stop_whose_order_is_rejected(market: World) -> None:
    """No buyer at the worst price: E_NO_LIQUIDITY."""
    order = market.order("alice", "sell", "30", "0.02", stopPrice="0.0095", stopLimit="0.0094")
    market.apply(order)
    fall(market)
    client = market.client()
    one = get(client, f"/api/orders/{order.id}")
    assert one["order"]["status"] == "cancelled"
    assert one["order"]["fired"] == {
        "order": None,
        "code": "E_NO_LIQUIDITY",
        "error": "No matching orders in the order book.",
    }
    assert one["journal"][-1]["line"] == f"reject {order.id}~stop alice marketSell - E_NO_LIQUIDITY"
    assert client.get(f"/api/orders/{order.id}~stop").status_code == 404


def test_a_market_stop_shows_its_budget(market: World) -> None:
    stop = market.action(
        *("bob", "marketBuy"),
        symbol="PEK",
        quote="SWAP.HIVE",
        quantity="3",
        price="0.02",
        triggerPrice="0.015",
        triggerWhen="above",
    )
    market.apply(stop)
    [shown] = get(market.client(), "/api/orders?user=bob&status=waiting")["orders"]
    assert (shown["type"], shown["quantity"], shown["quantity_symbol"]) == (
        "market",
        "3.00000000",
        "SWAP.HIVE",
    )
    assert (shown["locked"], shown["gives"]) == ("3.00000000", "SWAP.HIVE")
    assert (shown["trigger_when"], shown["time_in_force"]) == ("above", "IOC")


@pytest.mark.parametrize("id_", ["~stop", "a~", "a~stop~stop", "a~STOP", "a~stop0"])
def test_ids_that_no_order_can_have(fresh: World, id_: str) -> None:
    answer = fresh.client().get(f"/api/orders/{id_}")
    assert (answer.status_code, answer.json["code"]) == (400, "E_INPUT")
