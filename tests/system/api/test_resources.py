"""Each resource, with the values expected from the protocol."""

from __future__ import annotations

from typing import Any

from settlement.net.node_pool import report_json
from settlement.store.indexer_status import IndexerStatus, write_status
from tests.support.api_client import ApiClient
from tests.system.api.world import START_BLOCK, World, transaction


def get(client: ApiClient, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, answer.json
    return answer.json


def test_venue_is_the_file_and_what_was_listed_since(fresh: World) -> None:
    fresh.apply(
        fresh.action(
            *("peakecoin", "listToken"),
            symbol="DOGE",
            precision=8,
            escrow="peakedex.btc",
            minWithdrawal="2.5",
        ),
        fresh.action(
            "peakecoin", "listPair", symbol="PEK", quote="DOGE", priceDecimals=4, quantityDecimals=2
        ),
        fresh.action("peakecoin", "updateVenue", maxOpenOrders=50, feeAccount="bob"),
        fresh.action("peakecoin", "updatePair", symbol="PEK", quote="HBD", status="paused", takerFeeBps=7),
    )
    venue = get(fresh.client(), "/api/venue")
    assert venue["network"] == "devnet"
    assert (venue["name"], venue["start_block"], venue["operator"]) == ("Peake DEX", START_BLOCK, "peakecoin")
    assert (venue["max_open_orders"], venue["fee_account"]) == (50, "bob")
    assert venue["venue_hash"] == fresh.rules.state.venue_hash
    assert venue["tokens"][-1] == {
        "symbol": "DOGE",
        "precision": 8,
        "chain": "hive-engine",
        "escrow": "peakedex.btc",
        "min_withdrawal": "2.50000000",
    }
    assert venue["escrows"] == ["peakedex.btc", "peakedex.hbd", "peakedex.hive", "peakedex.pek"]
    assert (venue["protocol"], venue["checkpoint_account"]) == (2, "peakecoin")
    assert (venue["pairs"][-1]["quote"], venue["pairs"][-1]["price_decimals"]) == ("DOGE", 4)
    assert (venue["pairs"][2]["status"], venue["pairs"][2]["taker_fee_bps"]) == ("paused", 7)


def test_an_intent_is_accepted_rejected_or_unknown(world: World, client: ApiClient) -> None:
    accepted = get(client, f"/api/intents/{transaction(12)}")
    assert accepted["intents"] == [
        {
            "id": transaction(12),
            "user": "bob",
            "by": "active",
            "action": "buy",
            "status": "accepted",
            "code": None,
            "error": None,
            "order": transaction(12),
            "fired": None,
            "ref": "my-1",
            "ts": "2026-09-21T14:13:35Z",
            "block": 1004,
        }
    ]
    rejected = get(client, f"/api/intents/{transaction(18)}")["intents"][0]
    assert (rejected["status"], rejected["code"]) == ("rejected", "E_FUNDS")
    assert rejected["error"] == "Insufficient funds."
    assert rejected["order"] is None
    unknown = get(client, f"/api/intents/{'0' * 40}", 404)
    assert "irreversible" in unknown["error"]
    assert unknown["code"] == "E_NOT_FOUND"


def test_an_intent_is_found_by_its_signer_s_reference(world: World, client: ApiClient) -> None:
    """For a trader whose wallet's answer was lost. Nothing known is an empty list: whoever asks is waiting."""
    [found] = get(client, "/api/intents?user=bob&ref=my-1")["intents"]
    assert found == get(client, f"/api/intents/{transaction(12)}")["intents"][0]
    assert get(client, "/api/intents?user=alice&ref=my-1")["intents"] == []
    assert get(client, "/api/intents?user=nobody&ref=my-1")["intents"] == []
    assert get(client, "/api/intents?user=bob&ref=my-2")["intents"] == []
    assert get(client, "/api/intents?user=bob", 400)["code"] == "E_INPUT"
    assert get(client, "/api/intents?user=bob&ref=a%20b", 400)["code"] == "E_INPUT"


def test_every_intent_of_a_reference_accepted_or_not(fresh: World) -> None:
    order: dict[str, Any] = {
        "symbol": "PEK",
        "quote": "SWAP.HIVE",
        "quantity": "1",
        "price": "1",
        "ref": "same",
    }
    fresh.apply(fresh.deposit("alice", "PEK", "1"))
    rejected, placed = fresh.action("alice", "sell", **order), fresh.action("alice", "sell", **order)
    fresh.apply(fresh.action("alice", "buy", **order), rejected, placed, fresh.action("bob", "buy", **order))
    client = fresh.client()
    rows = get(client, "/api/intents?user=alice&ref=same")["intents"]
    assert [row["code"] for row in rows] == ["E_FUNDS", None, "E_FUNDS"]
    first = get(client, "/api/intents?user=alice&ref=same&limit=2")
    rest = get(client, f"/api/intents?user=alice&ref=same&limit=2&cursor={first['next_cursor']}")
    assert first["intents"] + rest["intents"] == rows


def test_a_transaction_of_several_intents(fresh: World) -> None:
    first = fresh.order("alice", "sell", "1", "1")
    events = [first._replace(id=f"{first.id}-{index}") for index in ("0-0", "0-1", "0-10", "2")]
    fresh.apply(*events)
    client = fresh.client()
    ids = [event.id for event in events]
    assert [row["id"] for row in get(client, f"/api/intents/{first.id}")["intents"]] == ids
    assert [row["id"] for row in get(client, f"/api/intents/{first.id}-0")["intents"]] == ids[:3]
    assert [row["id"] for row in get(client, f"/api/intents/{first.id}-0-1")["intents"]] == [ids[1]]
    assert get(client, f"/api/intents/{first.id.upper()}", 404)
    page = get(client, f"/api/intents/{first.id}?limit=3")
    rest = get(client, f"/api/intents/{first.id}?limit=3&cursor={page['next_cursor']}")
    assert [row["id"] for row in page["intents"] + rest["intents"]] == ids
    assert rest["next_cursor"] is None


def test_ids_that_share_their_look_up_key_are_told_apart(fresh: World) -> None:
    first = fresh.order("alice", "sell", "1", "1")
    other = first._replace(id=f"{first.id[:16]}{'0' * 24}", signer="bob")
    fresh.apply(first, other)
    assert [row["user"] for row in get(fresh.client(), f"/api/intents/{other.id}")["intents"]] == ["bob"]


def test_rejected_orders(world: World, client: ApiClient) -> None:
    rows = get(client, "/api/orders?user=carol&status=rejected")["orders"]
    assert [(row["code"], row["status"]) for row in rows] == [
        ("E_PRECISION", "rejected"),
        ("E_FUNDS", "rejected"),
    ]
    one = get(client, f"/api/orders/{rows[1]['id']}")
    assert one["order"] == rows[1]
    assert [line["line"] for line in one["journal"]] == [f"reject {rows[1]['id']} carol buy - E_FUNDS"]
    assert get(client, "/api/orders?user=alice&status=rejected")["orders"] == []
    assert get(client, "/api/orders?user=nobody.yet&status=rejected")["orders"] == []


def test_a_rejected_withdrawal_is_no_order(fresh: World) -> None:
    withdrawal = fresh.action("alice", "withdraw", symbol="PEK", quantity="1")
    fresh.apply(withdrawal)
    client = fresh.client()
    assert get(client, "/api/orders?user=alice&status=rejected")["orders"] == []
    assert get(client, f"/api/orders/{withdrawal.id}", 404)["code"] == "E_NOT_FOUND"
    assert get(client, f"/api/intents/{withdrawal.id}")["intents"][0]["code"] == "E_FUNDS"


def test_an_order_settled_to_the_wallet_shows_its_withdrawal(world: World, client: ApiClient) -> None:
    body = get(client, f"/api/orders/{transaction(14)}")
    assert body["order"]["settle"] == "wallet"
    kinds = [row["line"].split(" ")[0] for row in body["journal"]]
    assert kinds == ["accept", "order", "trade", "close", "withdraw"]


def test_an_expired_order(world: World, client: ApiClient) -> None:
    body = get(client, f"/api/orders/{transaction(15)}")
    order = body["order"]
    assert (order["status"], order["expires"], order["closed_ts"]) == (
        "expired",
        "2026-09-21T14:13:50Z",
        "2026-09-21T14:13:50Z",
    )
    assert [row["line"].split(" ")[0] for row in body["journal"]] == ["accept", "order", "expire", "close"]


def test_an_order_id_in_a_strangers_memo_is_not_its_journal(fresh: World) -> None:
    order = fresh.order("alice", "sell", "1", "1")
    fresh.apply(fresh.deposit("alice", "PEK", "5"), fresh.deposit("bob", "PEK", "5"))
    fresh.apply(order, fresh.action("bob", "withdraw", symbol="PEK", quantity="1", memo=order.id))
    lines = [row["line"].split(" ")[0] for row in get(fresh.client(), f"/api/orders/{order.id}")["journal"]]
    assert lines == ["accept", "order"]


def test_an_action_that_changed_nothing_has_a_block_at_least(fresh: World) -> None:
    nothing = fresh.action("alice", "cancelAll")
    fresh.apply(nothing)
    intent = get(fresh.client(), f"/api/intents/{nothing.id}")["intents"][0]
    assert (intent["status"], intent["block"]) == ("accepted", fresh.block)


def test_strangers_text_comes_out_decoded_and_as_data(fresh: World) -> None:
    """A signer that no chain would let through is shown as the text it is, inside JSON."""
    odd = '</script><script>alert("é\x00")'
    order = fresh.order("alice", "sell", "1", "1")
    fresh.apply(
        fresh.deposit(odd, "PEK", "1"),
        fresh.deposit(odd, odd, odd),
        order._replace(signer="<b>"),
        fresh.action("alice", odd, symbol="PEK"),
    )
    answer = fresh.client().get(f"/api/intents/{order.id}")
    assert answer.json["intents"][0]["user"] == "<b>"
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/api/pairs", "/api/orders", "/api/health"):
        assert fresh.client().get(path).status_code == 200


def test_health_and_ready_before_the_first_block(fresh: World) -> None:
    client = fresh.client()
    health = get(client, "/api/health")
    assert (health["block"], health["ts"], health["age_seconds"]) == (START_BLOCK - 1, None, None)
    assert health["last_trade"] is None
    assert get(client, "/api/ready", 503)["error"] == "No block has been read yet."
    assert get(client, "/api/pairs")["ts"] is None


def test_health_tells_what_the_indexer_waits_for(fresh: World) -> None:
    node: dict[str, object] = {"url": "https://a.example", "kind": "Hive"}
    fresh.apply()
    status = IndexerStatus(
        fresh.time,
        "following",
        fresh.block + 21,
        "node https://a.example: timed out",
        fresh.time - 60,
        report_json([{**node, "state": "resting", "error": "timed out", "rested_until": fresh.time}]),
    )
    write_status(fresh.engine, status)
    health = get(fresh.client(), "/api/health")
    assert health["indexer"] == {
        "mode": "following",
        "liveness": "unknown",
        "ts": health["ts"],
        "age_seconds": 2,
        "irreversible": fresh.block + 21,
        "lag": 21,
        "waiting_for": "node https://a.example: timed out",
        "waiting_since": "2026-09-21T14:12:23Z",
        "nodes": [{**node, "state": "resting", "error": "timed out", "rested_until": "2026-09-21T14:13:23Z"}],
    }
    behind = get(fresh.client(), "/api/ready", 503)
    assert (behind["code"], behind["error"]) == ("E_BEHIND", "The database is 21 blocks behind the chain.")
    patient = fresh.client(max_lag_blocks=21)
    assert get(patient, "/api/ready", 503)["code"] == "E_NOT_READY"  # no heartbeat seen yet
    write_status(fresh.engine, status._replace(updated=fresh.time + 2))
    assert get(patient, "/api/ready")["ready"] is True


def test_unknown_pairs_and_orders(client: ApiClient) -> None:
    for path in ("/api/orderbook", "/api/history", "/api/price", "/api/orders"):
        assert get(client, f"{path}?base=PEK&quote=NOPE", 404)["code"] == "E_PAIR"
    assert get(client, "/api/orders/abc", 404)["code"] == "E_NOT_FOUND"
    assert get(client, "/api/balances?user=nobody.yet")["balances"] == []
    assert get(client, "/api/orders?user=nobody.yet")["orders"] == []
