"""/api/history of an account: exactly its trades, its side in each, and paging."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from settlement.store.read.market.trades import AccountTradeRow, list_account_trades
from settlement.store.read.venue import find_account
from tests.support.api_client import ApiClient
from tests.system.api.world import VENUE, World

NAMES = ("alice", "bob", "carol")
QUOTES = ("SWAP.HIVE", "HBD")
ALLOWS = VENUE.replace('quote = "SWAP.HIVE"\n', 'quote = "SWAP.HIVE"\nself_trade = "allow"\n')


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three accounts that trade two pairs, on one of them with themselves as well."""
    world, chance = World(tmp_path, ALLOWS), Random(5)
    for name in NAMES:
        world.apply(*(world.deposit(name, symbol, "100000") for symbol in ("PEK", *QUOTES)))
    for _ in range(60):
        side, price = chance.choice((("buy", "2"), ("sell", "1")))
        quantity = str(chance.randrange(1, 4))
        world.apply(world.order(chance.choice(NAMES), side, quantity, price, chance.choice(QUOTES)))
    return world


def everything(client: ApiClient, query: str) -> list[dict[str, Any]]:
    rows, cursor = [], ""
    while True:
        body = client.get(f"/api/history?{query}{cursor}").json
        rows += body["trades"]
        if body["next_cursor"] is None:
            return rows
        cursor = f"&cursor={body['next_cursor']}"


def expected(client: ApiClient, name: str) -> list[dict[str, Any]]:
    """The same out of the pairs' trades and of who placed the orders."""
    owners = {row["id"]: row["user"] for row in client.get("/api/orders?limit=1000").json["orders"]}
    found = []
    for quote in QUOTES:
        for trade in everything(client, f"base=PEK&quote={quote}&limit=1000"):
            roles = [role for role in ("taker", "maker") if owners[trade[f"{role}_order"]] == name]
            if roles:
                taker_side = trade["taker_side"]
                maker_side = {"buy": "sell", "sell": "buy"}[taker_side]
                side = taker_side if "taker" in roles else maker_side
                role = "both" if len(roles) == 2 else roles[0]
                found.append({**trade, "base": "PEK", "quote": quote, "side": side, "role": role})
    return sorted(found, key=lambda trade: -trade["id"])


def test_trades_of_an_account(world: World) -> None:
    client = world.client()
    roles = set()
    for name in NAMES:
        mine = expected(client, name)
        roles |= {trade["role"] for trade in mine}
        assert everything(client, f"user={name}&limit=3") == mine
        assert everything(client, f"user={name}&limit=1000") == mine
        for quote in QUOTES:
            of_pair = [trade for trade in mine if trade["quote"] == quote]
            assert everything(client, f"user={name}&base=PEK&quote={quote}&limit=3") == of_pair
            assert of_pair
    assert roles == {"taker", "maker", "both"}
    world.close()


def test_pages_that_scan_few_trades_are_short_and_lose_none(world: World) -> None:
    """Of one pair of an account's two, where a page scans four trades."""
    with world.engine.connect() as connection:
        for name in NAMES:
            account = find_account(connection, name)
            assert account is not None
            whole = list_account_trades(connection, account, 1, None, 1000).rows
            found: list[AccountTradeRow] = []
            lengths, before = set(), None
            while True:
                page = list_account_trades(connection, account, 1, before, 3, scan_limit=4)
                found += page.rows
                lengths.add(len(page.rows))
                before = page.next_key
                if before is None:
                    break
            assert found == whole
            assert lengths & {0, 1, 2}
    world.close()


def test_who_never_traded_has_none(world: World) -> None:
    body = world.client().get("/api/history?user=nobody.here").json
    assert (body["user"], body["trades"], body["next_cursor"]) == ("nobody.here", [], None)
    world.close()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "give base and quote for the trades of a pair, or user for the trades of an account."),
        ("base=PEK", "give base and quote for the trades of a pair, or user for the trades of an account."),
        ("user=bob&base=PEK", "give base and quote together, or neither."),
        ("user=bob&quote=HBD", "give base and quote together, or neither."),
    ],
)
def test_half_a_pair(world: World, query: str, says: str) -> None:
    answer = world.client().get(f"/api/history?{query}")
    assert (answer.status_code, answer.json["error"]) == (400, says)
    world.close()


def test_a_cursor_is_of_its_own_list(world: World) -> None:
    client = world.client()
    cursor = client.get("/api/history?user=alice&limit=1").json["next_cursor"]
    for query in ("user=bob", "user=alice&base=PEK&quote=HBD", "base=PEK&quote=HBD"):
        assert client.get(f"/api/history?{query}&cursor={cursor}").status_code == 400
    world.close()
