"""Order books with sums above 64 bits, which any user can create."""

from __future__ import annotations

from pathlib import Path

import pytest

from settlement.core.parsing.amounts import MAX_UNITS
from settlement.store.read.wide_sums import join_parts
from tests.system.api.world import World


@pytest.mark.parametrize("amounts", [[0], [1], [MAX_UNITS], [MAX_UNITS] * 5, [2**32 - 1, 2**32, 2**32 + 1]])
def test_joined_parts_are_the_sum(amounts: list[int]) -> None:
    high = sum(amount >> 32 for amount in amounts)
    low = sum(amount & (2**32 - 1) for amount in amounts)
    assert join_parts(high, low) == sum(amounts)


def test_a_level_of_more_than_63_bits(tmp_path: Path) -> None:
    """Lots of 1,000 PEK at one unit of SWAP.BTC each: 90,000,000,000 PEK cost 0.9 SWAP.BTC."""
    world = World(tmp_path)
    try:
        world.apply(world.deposit("bob", "SWAP.BTC", "100"))
        world.apply(
            *(world.order("bob", "buy", "90000000000", "0.00000000001", quote="SWAP.BTC") for _ in range(3))
        )
        assert len(world.rules.state.orders) == 3
        book = world.client().get("/api/orderbook?base=PEK&quote=SWAP.BTC")
        assert book.status_code == 200
        assert book.json["bids"] == [
            {
                "price": "0.00000000001",
                "amount": "270000000000.00000000",
                "orders": 3,
                "total": "2.70000000",
            }
        ]
    finally:
        world.close()
