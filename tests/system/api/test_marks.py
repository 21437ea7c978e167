"""/api/marks: the last ten blocks with trades between different accounts, at the resting orders' prices."""

from __future__ import annotations

from typing import Any

from tests.system.api.past_world import PRECISION, PRICE_DECIMALS, QUOTES, PastWorld, show
from tests.system.api.world import World


def mark_of(world: World, quote: str = "SWAP.HIVE") -> Any:
    rows = world.client().get("/api/marks").json["marks"]
    [row] = [row for row in rows if (row["base"], row["quote"]) == ("PEK", quote)]
    return row


def trade(world: World, price: str, quantity: str = "1", seller: str = "alice") -> None:
    world.apply(world.order(seller, "sell", quantity, price), world.order("bob", "buy", quantity, "0.05"))


def start(world: World) -> None:
    world.apply(
        world.deposit("alice", "PEK", "1000"),
        world.deposit("bob", "PEK", "1000"),
        world.deposit("bob", "SWAP.HIVE", "1000"),
    )


def test_a_pair_without_a_trade_has_no_mark(fresh: World) -> None:
    start(fresh)
    assert mark_of(fresh) == {
        "base": "PEK",
        "quote": "SWAP.HIVE",
        "mark": None,
        "amount": "0.00000000",
        "quote_amount": "0.00000000",
        "window": [],
    }
    assert fresh.client().get("/api/pairs").json["pairs"][0]["mark"] is None


def test_the_window_is_ten_blocks(fresh: World) -> None:
    start(fresh)
    for n in range(12):
        trade(fresh, f"0.0{10 + n}", quantity="3" if n == 11 else "1")
        fresh.apply()
    row = mark_of(fresh)
    # The trades at 0.010 and 0.011 have left the window: 9 of one at 0.012 … 0.020, and one of three at 0.021.
    assert [each["quote_amount"] for each in row["window"][:2]] == ["0.01200000", "0.01300000"]
    assert (len(row["window"]), row["window"][-1]["amount"]) == (10, "3.00000000")
    assert (row["amount"], row["quote_amount"]) == ("12.00000000", "0.20700000")
    assert row["mark"] == "0.0172500000"
    assert fresh.client().get("/api/pairs").json["pairs"][0]["mark"] == row["mark"]


def test_a_trade_with_oneself_does_not_count(fresh: World) -> None:
    """Under `allow` it is a trade, but it does not move the mark."""
    start(fresh)
    fresh.apply(fresh.action("peakecoin", "updatePair", symbol="PEK", quote="SWAP.HIVE", selfTrade="allow"))
    trade(fresh, "0.02", seller="bob")
    assert fresh.client().get("/api/history?base=PEK&quote=SWAP.HIVE").json["trades"]
    assert mark_of(fresh)["mark"] is None


def test_the_mark_is_rounded_half_up_to_four_more_decimals(fresh: World) -> None:
    start(fresh)
    trade(fresh, "0.01", quantity="1")
    trade(fresh, "0.010001", quantity="2")
    # (0.01 + 2 x 0.010001) / 3 = 0.01000066666…
    assert mark_of(fresh)["mark"] == "0.0100006667"


def test_marks_are_those_of_the_state(past_world: PastWorld) -> None:
    state = past_world.state(None)
    for quote in QUOTES:
        row, window = mark_of(past_world.world, quote), state.marks[f"PEK/{quote}"]
        assert [(each["block"], each["amount"], each["quote_amount"]) for each in row["window"]] == [
            (block, show(base, 8), show(amount, PRECISION[quote])) for block, base, amount in window
        ]
        base, amount = (sum(each[place] for each in window) for place in (1, 2))
        decimals = PRICE_DECIMALS[quote] + 4
        assert window
        assert abs(float(row["mark"]) - amount / 10 ** PRECISION[quote] / (base / 10**8)) < 10.0**-decimals
