"""Book side: price-time priority and totals of price levels (protocol, section 7)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.core.accounts import Account
from settlement.core.state import State
from settlement.core.trading.order_book import BookSide, Order, Pair
from tests.unit.core.ledger import venue


def a_pair() -> Pair:
    (pair,) = State(venue()).pairs.values()
    return pair


def an_order(pair: Pair, seq: int, price: int, remaining: int, is_buy: bool) -> Order:
    order = Order(
        f"o{seq}",
        Account("alice"),
        pair,
        is_buy=is_buy,
        market=False,
        price=price,
        quantity=remaining,
        expiry=None,
        to_wallet=False,
    )
    order.seq = seq
    return order


def orders_of(side: BookSide) -> list[str]:
    """All orders in priority order."""
    found = []
    for level in side.levels.ascending():
        order = level.head
        while order is not None:
            found.append(order.id)
            order = order.newer
    return found


def test_bids_trade_from_high_to_low_and_asks_from_low_to_high() -> None:
    pair = a_pair()
    for seq, price in enumerate((5, 7, 6, 7, 5), 1):
        pair.bids.add(an_order(pair, seq, price, 10, True))
        pair.asks.add(an_order(pair, seq, price, 10, False))
    assert orders_of(pair.bids) == ["o2", "o4", "o3", "o1", "o5"]
    assert orders_of(pair.asks) == ["o1", "o5", "o3", "o2", "o4"]


def test_an_empty_side_has_no_best() -> None:
    assert a_pair().bids.best() is None


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_removing_the_first_a_middle_and_the_last_order(gone: int) -> None:
    pair = a_pair()
    orders = [an_order(pair, seq, 5, 10 * seq, False) for seq in (1, 2, 3)]
    for order in orders:
        pair.asks.add(order)
    left = [order for order in orders if order is not orders[gone]]
    pair.asks.remove(orders[gone])
    (level,) = pair.asks.levels.items.values()
    assert orders_of(pair.asks) == [order.id for order in left]
    assert (level.remaining, level.count) == (sum(order.remaining for order in left), 2)
    assert (level.head, level.tail) == (left[0], left[1])
    assert (orders[gone].level, orders[gone].older, orders[gone].newer) == (None, None, None)


def test_an_empty_level_is_removed() -> None:
    pair = a_pair()
    order = an_order(pair, 1, 5, 10, True)
    pair.bids.add(order)
    pair.bids.remove(order)
    assert len(pair.bids.levels) == 0
    assert pair.bids.best() is None


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 50), st.booleans()), max_size=40), st.booleans())
def test_random_adds_and_removals_keep_price_time_priority(
    steps: list[tuple[int, int, bool]], is_buy: bool
) -> None:
    pair = a_pair()
    side: Any = pair.bids if is_buy else pair.asks
    resting: list[Order] = []
    for seq, (price, remaining, leaves) in enumerate(steps, 1):
        if leaves and resting:
            side.remove(resting.pop(remaining % len(resting)))
        order = an_order(pair, seq, price, remaining, is_buy)
        side.add(order)
        resting.append(order)
        expected = sorted(resting, key=lambda o: ((-1 if is_buy else 1) * (o.price or 0), o.seq))
        assert orders_of(side) == [o.id for o in expected]
        assert side.best() is expected[0]
        for level in side.levels.items.values():
            there = [o for o in resting if o.price == level.price]
            assert (level.remaining, level.count) == (sum(o.remaining for o in there), len(there))


def test_value_and_affordable_are_exact_for_any_decimals() -> None:
    """With lots of 1,000 and 11 price decimals, one lot at one tick is one quote unit."""
    state = State(venue())
    pek, hive = state.tokens["PEK"], state.tokens["SWAP.HIVE"]
    pair = Pair(pek, hive, 11, -3)
    lot = 1000 * 10**8
    assert pair.value(1, lot) == 1
    assert pair.value(123, 7 * lot) == 861
    assert pair.affordable(123, 861) == 7 * lot
    assert pair.affordable(123, 860) == 6 * lot
    assert Pair(pek, hive, 4, 2).value(5000, 2 * 10**8) == 10**8  # 2 PEK at 0.5
    assert Pair(pek, state.tokens["HBD"], 3, 0).value(1500, 2 * 10**8) == 3000  # 2 PEK at 1.500 HBD
