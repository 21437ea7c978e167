"""Statistics of the last 24 hours of block time."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.http.formatting import percent
from settlement.store.database import open_reader
from settlement.store.read.market.ticker import first_trade_since
from tests.system.api.world import World

DAY = 86_400


def trade(world: World, price: str, seconds: int) -> int:
    """A trade of 1 PEK at that price, in a block so many seconds after the last one. Its time."""
    world.apply(
        world.order("alice", "sell", "1", price), world.order("bob", "buy", "1", price), seconds=seconds
    )
    return world.time


@pytest.fixture
def market(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.apply(world.deposit("alice", "PEK", "1000"), world.deposit("bob", "SWAP.HIVE", "1000"))
    return world


def figures(world: World) -> dict[str, object]:
    first: dict[str, object] = world.client().get("/api/pairs").json["pairs"][0]
    return first


def test_first_trade_since_finds_every_border(market: World) -> None:
    times = [trade(market, "0.01", seconds) for seconds in (3, 3, 3000, 3, 90_000, 3)]
    reader = open_reader(market.url)
    with reader.connect() as connection:
        for n, time in enumerate(times, start=1):
            assert first_trade_since(connection, time, len(times)) == n
            assert first_trade_since(connection, time + 1, len(times)) == n + 1
        assert first_trade_since(connection, 0, len(times)) == 1
        assert first_trade_since(connection, 0, 0) == 1
    reader.dispose()
    market.close()


def test_change_is_from_the_price_24_hours_ago(market: World) -> None:
    trade(market, "0.010000", 3)
    trade(market, "0.020000", 3)  # the price 24 hours before the last block
    trade(market, "0.030000", DAY)
    trade(market, "0.025000", 3)
    market.apply(seconds=DAY - 60)
    shown = figures(market)
    assert shown["last_price"] == "0.025000"
    assert shown["change_24h_percent"] == "25.00"
    assert (shown["high_24h"], shown["low_24h"]) == ("0.030000", "0.025000")
    assert (shown["base_volume_24h"], shown["quote_volume_24h"]) == ("2.00000000", "0.05500000")
    assert shown["trades_24h"] == 2
    market.close()


def test_a_young_market_changes_since_its_first_trade(market: World) -> None:
    trade(market, "0.020000", 3)
    assert figures(market)["change_24h_percent"] == "0.00"
    trade(market, "0.015000", 3)
    assert figures(market)["change_24h_percent"] == "-25.00"
    market.close()


def test_a_quiet_day_keeps_the_last_price(market: World) -> None:
    trade(market, "0.020000", 3)
    market.apply(seconds=2 * DAY)
    shown = figures(market)
    assert shown["last_price"] == "0.020000"
    assert shown["change_24h_percent"] == "0.00"
    assert (shown["high_24h"], shown["low_24h"], shown["trades_24h"]) == (None, None, 0)
    assert shown["base_volume_24h"] == "0.00000000"
    market.close()


def test_no_trade_yet(market: World) -> None:
    shown = figures(market)
    assert [shown[name] for name in ("last_price", "change_24h_percent", "best_bid", "best_ask")] == [
        None
    ] * 4
    market.close()


@pytest.mark.parametrize(
    ("change", "of", "shown"),
    [
        (1, 3, "33.33"),
        (-1, 3, "-33.33"),
        (2, 3, "66.67"),
        (0, 7, "0.00"),
        (-1, 10**9, "0.00"),
        (7, 1, "700.00"),
    ],
)
def test_percent(change: int, of: int, shown: str) -> None:
    assert percent(change, of) == shown
