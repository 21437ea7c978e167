"""Notifications of what the exchange did with own orders later than they were placed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.browser.practice import toast, use_practice_account
from tests.browser.test_trading import OpenPage, place
from tests.browser.watch import notified
from tests.browser.world import World

PAIR = {"symbol": "PEK", "quote": "SWAP.HIVE"}


def between(world: World) -> int:
    """A price in ticks of 0.000001 between the best bid and ask: an order there rests, and trades first."""
    while True:
        book = world.get("orderbook?base=PEK&quote=SWAP.HIVE&depth=1")
        bid, ask = (round(float(book[side][0]["price"]) * 10**6) for side in ("bids", "asks"))
        if ask - bid > 1:
            return (bid + ask) // 2
        best = {"quantity": book["asks"][0]["amount"][:-6], "price": book["asks"][0]["price"]}
        taker = world.trader()
        world.act(taker, "buy", **PAIR, **best)  # what other tests left
        world.wait(f"orders?user={taker}", lambda body: body["orders"])


def price(ticks: int) -> str:
    return f"{ticks / 10**6:.6f}"


def open_orders(world: World, name: str, count: int, status: str = "open") -> list[dict[str, Any]]:
    body = world.wait(f"orders?user={name}&status={status}", lambda body: len(body["orders"]) == count)
    orders: list[dict[str, Any]] = body["orders"]
    return orders


def live(watched: Callable[..., Any]) -> Page:
    page: Page = watched("portfolio.html").page
    notified(page)
    return page


def test_a_resting_order_that_fills_is_announced(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name, other = use_practice_account(context, world), world.trader()
    page = live(watched)
    at = price(between(world))
    world.act(name, "sell", **PAIR, quantity="10", price=at)
    open_orders(world, name, 1)
    world.act(other, "buy", **PAIR, quantity="4", price=at)
    world.wait(f"orders?user={name}", lambda body: body["orders"][0]["filled"] == "4.00000000")
    assert page.locator(".toast").count() == 0
    world.act(other, "buy", **PAIR, quantity="6", price=at)
    text = toast(page, "Filled: Sell 10 PEK")
    assert f"10 of 10 PEK filled at an average price of {at.rstrip('0')} SWAP.HIVE" in text


def test_an_order_that_fills_at_once_is_announced_once(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    use_practice_account(context, world)
    other = world.trader()
    at = price(between(world))
    world.act(other, "sell", **PAIR, quantity="3", price=at)
    open_orders(world, other, 1)
    page = watched("trade.html?base=PEK&quote=SWAP.HIVE").page
    notified(page)
    place(page, "Buy", at, "3")
    toast(page, "Filled: Buy 3.00 PEK")
    assert page.evaluate("toastsSeen.filter(([title]) => title.startsWith('Filled'))") == []
