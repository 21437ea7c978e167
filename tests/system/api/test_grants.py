"""Grants and cancel-all timers: what is in force, what is left today, and when they end (protocol, section 6)."""

from __future__ import annotations

from typing import Any

import pytest

from settlement.core.events import Action
from settlement.core.journal.lines import iso_time
from tests.support.api_client import ApiClient
from tests.system.api.world import World

DAY = 86_400
FOR_ALICE: dict[str, Any] = {"for": "alice"}


@pytest.fixture
def market(fresh: World) -> World:
    """A market with a mark of 0.01."""
    fresh.apply(
        *(fresh.deposit(name, "PEK", "1000") for name in ("alice", "carol")),
        fresh.deposit("alice", "SWAP.HIVE", "1000"),
        fresh.deposit("bob", "SWAP.HIVE", "1000"),
        fresh.order("carol", "sell", "10", "0.01"),
        fresh.order("bob", "buy", "10", "0.01"),
    )
    return fresh


def get(client: ApiClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.json
    return answer.json


def grant(world: World, signer: str, to: str, seconds: int = 10 * DAY, **more: object) -> Action:
    payload: dict[str, Any] = {
        "to": to,
        "pairs": ["PEK/SWAP.HIVE", "PEK/HBD"],
        "perDay": {"SWAP.HIVE": "2.5", "PEK": "100"},
        "bandBps": 500,
        "until": world.time + seconds,
    }
    return world.action(signer, "grant", **payload | more)


def given(world: World, user: str) -> list[Any]:
    rows: list[Any] = get(world.client(), f"/api/grants?user={user}")["given"]
    return rows


def test_a_grant_is_shown_to_both_sides(market: World) -> None:
    market.apply(grant(market, "alice", "bob"))
    client = market.client()
    body = get(client, "/api/grants?user=alice")
    assert (body["user"], body["received"], body["next_cursor"]) == ("alice", [], None)
    [row] = body["given"]
    unused = {"used_today": "0.00000000"}
    assert row == {
        "user": "alice",
        "to": "bob",
        "pairs": [{"base": "PEK", "quote": "HBD"}, {"base": "PEK", "quote": "SWAP.HIVE"}],
        "allowances": [
            {"symbol": "PEK", "per_day": "100.00000000", **unused, "left_today": "100.00000000"},
            {"symbol": "SWAP.HIVE", "per_day": "2.50000000", **unused, "left_today": "2.50000000"},
        ],
        "band_bps": 500,
        "until": f"{iso_time(market.time - 3 + 10 * DAY)}Z",
        "ts": f"{iso_time(market.time)}Z",
        "block": market.block,
    }
    other = get(client, "/api/grants?user=bob")
    assert (other["given"], other["received"]) == ([], [row])
    assert get(client, "/api/grants?user=nobody") == {**other, "user": "nobody", "received": []}


def test_what_is_used_counts_for_one_day(market: World) -> None:
    market.apply(grant(market, "alice", "posting"))
    market.apply(
        market.order("alice", "sell", "30", "0.0102", active=False),
        market.order("alice", "buy", "50", "0.0099", active=False),
    )
    [row] = given(market, "alice")
    figures = {each["symbol"]: (each["used_today"], each["left_today"]) for each in row["allowances"]}
    assert figures == {"PEK": ("30.00000000", "70.00000000"), "SWAP.HIVE": ("0.49500000", "2.00500000")}
    market.apply(seconds=DAY - market.time % DAY)  # the first block of the next day, with nothing of ours
    [row] = given(market, "alice")
    assert [each["left_today"] for each in row["allowances"]] == ["100.00000000", "2.50000000"]
    market.apply(market.order("alice", "sell", "1", "0.0102", active=False))
    [row] = given(market, "alice")
    assert row["allowances"][0]["used_today"] == "1.00000000"


def test_a_grant_ends_without_a_line(market: World) -> None:
    """At its end, also in a block without anything of ours; its timer goes with it."""
    market.apply(grant(market, "alice", "posting", 60))
    market.apply(
        market.action("alice", "cancelAllAfter", active=False, seconds=600),
        market.action("alice", "cancelAllAfter", seconds=900),
    )
    client = market.client()

    def timers() -> list[str]:
        return [row["by"] for row in get(client, "/api/timers?user=alice")["timers"]]

    assert timers() == ["posting", "active"]
    market.apply(seconds=53)
    assert len(given(market, "alice")) == 1
    market.apply(seconds=1)
    assert given(market, "alice") == []
    assert timers() == ["active"]
    market.apply(grant(market, "alice", "posting"))  # a new one does not bring the old timer back
    assert (len(given(market, "alice")), timers()) == (1, ["active"])


def test_one_for_the_same_account_replaces_the_old_one(market: World) -> None:
    market.apply(grant(market, "alice", "bob"), grant(market, "alice", "carol"))
    market.apply(market.order("bob", "sell", "30", "0.0102", **FOR_ALICE))
    market.apply(grant(market, "alice", "bob", perDay={"PEK": "7"}))
    rows = given(market, "alice")
    assert [row["to"] for row in rows] == ["bob", "carol"]
    assert [each["left_today"] for each in rows[0]["allowances"]] == ["7.00000000"]
    market.apply(market.action("alice", "revoke", to="bob"))
    assert [row["to"] for row in given(market, "alice")] == ["carol"]


def test_an_order_under_a_grant_says_who_placed_it(market: World) -> None:
    order = market.order("bob", "sell", "30", "0.0102", **FOR_ALICE)
    market.apply(grant(market, "alice", "bob"), order)
    client = market.client()
    [row] = get(client, "/api/orders?user=alice")["orders"]
    assert (row["user"], row["by"]) == ("alice", "bob")
    [intent] = get(client, f"/api/intents/{order.id}")["intents"]
    assert (intent["user"], intent["by"]) == ("alice", "bob")


def test_received_grants_are_paged(market: World) -> None:
    givers = ["alice", "carol", "dave", "erin", "frank"]
    market.apply(*(grant(market, name, "bob") for name in givers))
    client = market.client()
    whole = get(client, "/api/grants?user=bob")["received"]
    assert [row["user"] for row in whole] == givers[::-1]
    rows: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(client, f"/api/grants?user=bob&limit=2{cursor}")
        assert page["given"] == []
        rows += page["received"]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert rows == whole


def test_an_account_named_posting_receives_none(market: World) -> None:
    """The word means the signer's own posting key (protocol, section 6)."""
    market.apply(grant(market, "alice", "posting"))
    assert get(market.client(), "/api/grants?user=posting")["received"] == []


def test_timers(market: World) -> None:
    market.apply(
        market.action("alice", "cancelAllAfter", seconds=60), market.order("alice", "sell", "1", "1")
    )
    client = market.client()
    body = get(client, "/api/timers?user=alice")
    due, now = f"{iso_time(market.time + 60)}Z", f"{iso_time(market.time)}Z"
    assert body["timers"] == [{"by": "active", "due": due, "ts": now, "block": market.block}]
    assert get(client, "/api/timers?user=bob")["timers"] == []
    market.apply(market.action("alice", "cancelAllAfter", seconds=600))
    [row] = get(client, "/api/timers?user=alice")["timers"]
    assert row["due"] == f"{iso_time(market.time + 600)}Z"
    market.apply(seconds=600)
    assert get(client, "/api/timers?user=alice")["timers"] == []
    assert get(client, "/api/orders?user=alice")["orders"][0]["status"] == "cancelled"
    market.apply(market.action("alice", "cancelAllAfter", seconds=60))
    market.apply(market.action("alice", "cancelAllAfter", seconds=0))
    assert get(client, "/api/timers?user=alice")["timers"] == []
