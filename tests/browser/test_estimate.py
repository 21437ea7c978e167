"""js/lib/estimate.js: the estimate of an order equals what the rules do on the same book."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page

from settlement.core.journal import lines
from settlement.core.parsing.amounts import show_units
from settlement.core.venue import PRICE_POLICIES, SELF_TRADE_POLICIES, PairRules
from tests.browser.venue import venue
from tests.unit.core.ledger import Ledger
from tests.unit.core.ledger import venue as ledger_venue

ASKS: list[tuple[int, ...]] = [(12_000, 500), (12_300, 1000), (12_500, 90_000)]


def run(
    page: Page,
    order: dict[str, Any],
    levels: list[tuple[int, ...]],
    own: Sequence[tuple[int, int]] = (),
    **pair: Any,
) -> dict[str, Any]:
    """The estimate; a BigInt is returned as int."""
    script = """async ([venue, order, levels, changes, own]) => {
      const { market } = await import("/js/lib/amounts.js");
      const { estimate, minimumReceived } = await import("/js/lib/estimate.js");
      const whole = (one) => (one === null ? null : BigInt(one));
      const asked = { ...order, ticks: whole(order.ticks ?? null) };
      if ("lots" in order) asked.lots = whole(order.lots);
      if ("budget" in order) asked.budget = whole(order.budget);
      const pair = { ...market(venue, "PEK", "SWAP.HIVE"), ...changes };
      const level = ([ticks, lots, orders]) => ({ ticks: BigInt(ticks), lots: BigInt(lots), orders });
      const found = estimate(pair, asked, levels.map(level), own.map(level));
      const minimum = asked.ticks === null ? null : minimumReceived(pair, asked, found);
      return JSON.stringify({ ...found, minimum }, (_, one) => (typeof one === "bigint" ? `${one}n` : one));
    }"""
    found = json.loads(page.evaluate(script, [venue(), order, levels, pair, list(own)]))
    return {
        key: int(one[:-1]) if isinstance(one, str) and one.endswith("n") else one
        for key, one in found.items()
    }


def test_a_limit_buy_fills_what_crosses(modules: Page) -> None:
    found = run(modules, {"side": "buy", "ticks": 12_400, "lots": 100_000}, ASKS)
    assert (found["lots"], found["restLots"], found["rests"]) == (1500, 98_500, 98_500)
    assert found["quote"] == found["paid"] == 500 * 12_000 + 1000 * 12_300
    assert found["gross"] == 1500 * 10**6
    assert found["fee"] == found["gross"] * 20 // 10_000
    assert found["received"] == found["gross"] - found["fee"]
    assert found["average"] == "0.01220000"
    assert found["crosses"]


def test_a_market_buy_spends_its_budget_in_whole_lots(modules: Page) -> None:
    found = run(modules, {"side": "buy", "budget": 12_000 * 500 + 12_300 * 2 + 100}, ASKS)
    assert (found["lots"], found["restBudget"]) == (502, 100)
    poor = run(modules, {"side": "buy", "budget": 100, "isMarket": True}, ASKS)
    assert (poor["lots"], poor["average"], poor["code"]) == (0, None, "E_NO_LIQUIDITY")


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


CASES = 150
FEES = [(10, 250), (500, 20), (0, 0)]
"""Of maker and taker, in basis points: large, so that each shows in small amounts."""


def price_of(random: Random) -> int:
    """One of few prices, so that orders meet."""
    return random.randint(99, 102)


def incoming(random: Random) -> dict[str, Any]:
    """An order of the trader, as the ticket makes it."""
    side = random.choice(["buy", "sell"])
    if random.random() < 0.3:
        ticks = random.choice([None, price_of(random)])
        quantity = {"budget": random.randint(1, 6000)} if side == "buy" else {"lots": random.randint(1, 40)}
        return {"side": side, "ticks": ticks, "isMarket": True, **quantity}
    force = random.choice(["GTC", "IOC", "FOK"])
    post = force == "GTC" and random.random() < 0.4
    lots = random.randint(1, 40)
    return {"side": side, "ticks": price_of(random), "lots": lots, "timeInForce": force, "postOnly": post}


def signed(order: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Its action and payload: ticks of 10^-4, lots of 10^-2, and a quote unit of 10^-8."""
    payload: dict[str, Any] = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    if order["ticks"] is not None:
        payload["price"] = show_units(order["ticks"], 4)
    if "budget" in order:
        payload["quantity"] = show_units(order["budget"] * 100, 8)
    else:
        payload["quantity"] = show_units(order["lots"], 2)
    if order.get("isMarket"):
        return f"market{order['side'].capitalize()}", payload
    payload["timeInForce"] = order["timeInForce"]
    if order["postOnly"]:
        payload["postOnly"] = True
    return order["side"], payload


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_the_rules_do(modules: Page, seed: int) -> None:
    random = Random(seed)
    for case in range(CASES):
        try:
            compare(modules, random)
        except AssertionError as error:
            raise AssertionError(f"case {case} of seed {seed}") from error


def compare(modules: Page, random: Random) -> None:
    """Estimate one order on a random book, then let the rules decide about it."""
    order = incoming(random)
    opposite = "sell" if order["side"] == "buy" else "buy"
    policy, self_trade = random.choice(PRICE_POLICIES), random.choice(SELF_TRADE_POLICIES)
    maker_bps, taker_bps = random.choice(FEES)
    rules = PairRules("PEK", "SWAP.HIVE", 4, 2, maker_bps, taker_bps, policy, self_trade)
    ledger = Ledger(ledger_venue(rules))
    ledger.fund(["me", "anna", "bert"])
    for _ in range(random.randint(1, 8)):
        who = random.choice(["me", "anna", "me", "bert", "anna"])
        side = random.choice([opposite, opposite, opposite, order["side"]])
        lots, price = random.randint(1, 20), price_of(random)
        ledger.block(ledger.order(who, side, show_units(lots, 2), show_units(price, 4)))
    pair = ledger.state.pairs["PEK/SWAP.HIVE"]
    other = [row for row in pair.open_orders() if row.is_buy == (order["side"] == "sell")]
    prices = sorted({row.price for row in other}, reverse=order["side"] == "sell")
    at_price = [[row for row in other if row.price == price] for price in prices]
    lot = 10**6
    found = run(
        modules,
        {**order, "budget": order["budget"] * 100} if "budget" in order else order,
        [(rows[0].price, sum(row.remaining for row in rows) // lot, len(rows)) for rows in at_price],
        own=[(row.price, row.remaining // lot) for row in other if row.account.name == "me"],
        pricePolicy=policy,
        selfTrade=self_trade,
        makerFeeBps=maker_bps,
        takerFeeBps=taker_bps,
        priceDecimals=4,
    )
    action = ledger.act("me", *signed(order))
    done = list(ledger.block(action).lines())
    codes = [line.code for line in done if isinstance(line, lines.Reject)]
    trades = [line for line in done if isinstance(line, lines.Trade)]
    is_buy = order["side"] == "buy"
    filled = sum(trade.quantity for trade in trades) // lot
    gross = sum(trade.quantity if is_buy else trade.quote_amount for trade in trades)
    paid_fee = sum(trade.buyer_fee if is_buy else trade.seller_fee for trade in trades)
    rest = ledger.state.orders.get(action.id)
    rests = rest.remaining // lot if rest else 0

    if found["mayStop"]:
        assert codes in ([[found["code"]]] if found["code"] else [[], ["E_SELF_TRADE"], ["E_FOK"]])
        assert filled >= (0 if codes else found["lots"])
    else:
        assert codes == ([found["code"]] if found["code"] else [])
        assert filled == (0 if codes else found["lots"])
    if codes:
        return
    assert rests == found["rests"]
    if not found["mayStop"]:
        assert sum(trade.quote_amount for trade in trades) == found["quote"]
        assert found["fee"] - len(trades) <= paid_fee <= found["fee"]
        assert gross == found["gross"]
    own_before = {row.id for row in other if row.account.name == "me"}
    if own_before - set(ledger.state.orders):
        assert found["meetsOwn"] or self_trade == "allow"
    if order["ticks"] is not None:
        still = 0
        if rest:
            worth = rest.remaining if is_buy else pair.value(rest.price, rest.remaining)
            still = worth - worth * maker_bps // 10_000
        assert gross - paid_fee + still >= found["minimum"]
