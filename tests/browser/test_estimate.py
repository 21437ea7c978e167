"""js/trade/estimate.js: the estimate of an order equals what the rules do on the same book."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page

from tests.browser.venue import venue
from tests.support.examples import examples

ASKS = [(12_000, 500), (12_300, 1000), (12_500, 90_000)]


def run(page: Page, order: dict[str, Any], levels: list[tuple[int, int]], **pair: Any) -> dict[str, Any]:
    """The estimate; a BigInt is returned as int."""
    script = """async ([venue, order, levels, changes]) => {
      const { market } = await import("/js/lib/amounts.js");
      const { estimate } = await import("/js/trade/estimate.js");
      const whole = (one) => (one === null ? null : BigInt(one));
      const asked = { side: order.side, ticks: whole(order.ticks ?? null) };
      if ("lots" in order) asked.lots = whole(order.lots);
      if ("budget" in order) asked.budget = whole(order.budget);
      const pair = { ...market(venue, "PEK", "SWAP.HIVE"), ...changes };
      const found = estimate(pair, asked, levels.map(([ticks, lots]) => ({ ticks: BigInt(ticks), lots: BigInt(lots) })));
      return JSON.stringify(found, (_, one) => (typeof one === "bigint" ? `${one}n` : one));
    }"""
    found = json.loads(page.evaluate(script, [venue(), order, levels, pair]))
    return {
        key: int(one[:-1]) if isinstance(one, str) and one.endswith("n") else one
        for key, one in found.items()
    }


def test_a_limit_buy_fills_what_crosses(modules: Page) -> None:
    found = run(modules, {"side": "buy", "ticks": 12_400, "lots": 100_000}, ASKS)
    assert (found["lots"], found["restLots"], found["worst"]) == (1500, 98_500, 12_300)
    assert found["quote"] == found["paid"] == 500 * 12_000 + 1000 * 12_300
    assert found["gross"] == 1500 * 10**6
    assert found["fee"] == found["gross"] * 20 // 10_000
    assert found["received"] == found["gross"] - found["fee"]
    assert found["average"] == "0.01220000"
    assert found["crosses"]
    assert not found["complete"]


def test_a_market_buy_spends_its_budget_in_whole_lots(modules: Page) -> None:
    found = run(modules, {"side": "buy", "budget": 12_000 * 500 + 12_300 * 2 + 100}, ASKS)
    assert (found["lots"], found["restBudget"], found["complete"]) == (502, 100, True)
    poor = run(modules, {"side": "buy", "budget": 100}, ASKS)
    assert (poor["lots"], poor["average"], poor["worst"], poor["complete"]) == (0, None, None, False)


def test_a_sell_receives_quote(modules: Page) -> None:
    found = run(
        modules, {"side": "sell", "ticks": 11_000, "lots": 30}, [(11_500, 10), (11_000, 10), (10_999, 10)]
    )
    assert (found["lots"], found["gross"], found["paid"], found["restLots"]) == (20, 225_000, 20 * 10**6, 10)


def test_an_empty_book_fills_nothing(modules: Page) -> None:
    found = run(modules, {"side": "buy", "ticks": 5, "lots": 7}, [])
    assert (found["lots"], found["restLots"], found["crosses"]) == (0, 7, False)


@pytest.mark.parametrize(
    ("policy", "price"), [("maker", 12_000), ("ask", 12_000), ("bid", 12_400), ("midpoint", 12_200)]
)
def test_the_pair_s_price_policy_applies(modules: Page, policy: str, price: int) -> None:
    order = {"side": "buy", "ticks": 12_400, "lots": 500}
    assert run(modules, order, ASKS, pricePolicy=policy)["quote"] == 500 * price


@examples(25)
@given(
    levels=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), max_size=8),
    lots=st.integers(1, 200),
    limit=st.integers(1, 50),
)
def test_it_agrees_with_the_rules(
    modules: Page, levels: list[tuple[int, int]], lots: int, limit: int
) -> None:
    asks = sorted(levels)
    left, paid = lots, 0
    for price, size in asks:
        take = min(left, size) if price <= limit else 0
        left, paid = left - take, paid + take * price
    found = run(modules, {"side": "buy", "ticks": limit, "lots": lots}, asks)
    assert (found["lots"], found["quote"], found["restLots"]) == (lots - left, paid, left)
