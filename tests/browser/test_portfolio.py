"""Stops and pending withdrawals on the Portfolio screen."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.practice import toast, use_practice_account
from tests.browser.watch import Watch
from tests.browser.world import World

OpenPage = Callable[[str], Watch]


def sign(page: Page, sentence: str) -> None:
    expect(page.locator("dialog .sentence")).to_have_text(sentence)
    page.get_by_role("button", name="Sign", exact=True).click()


def test_a_waiting_stop_is_an_open_order_with_its_condition(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    sell = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "50"}
    world.act(name, "sell", **sell, price="0.000010", triggerPrice="0.000012", triggerWhen="below")
    world.act(name, "sell", **sell, price="0.900000", stopPrice="0.000012", stopLimit="0.000010")
    page = watched("portfolio.html").page
    rows = page.locator("section", has=page.locator("#open-title")).locator("tbody tr:not(.skeleton-row)")
    expect(rows).to_have_count(2)
    stop = rows.filter(has_text="if")
    expect(stop).to_contain_text("0.000010 if ≤ 0.000012")
    expect(stop.get_by_role("button", name="Replace")).to_have_count(0)
    order = rows.filter(has_not_text="if")
    expect(order.locator("td").nth(2)).to_have_attribute(
        "title", "Protective stop at 0.000012, worst price 0.000010"
    )
    expect(order.get_by_role("button", name="Replace")).to_be_visible()

    stop.get_by_role("button", name=re.compile("^Cancel")).click()
    sign(
        page,
        "Peake DEX: CANCEL order “Sell 50 PEK at 0.000010 SWAP.HIVE, once the price is ≤ 0.000012 SWAP.HIVE”",
    )
    toast(page, "Cancelled: Sell 50 PEK")
    expect(rows).to_have_count(1)
    history = page.locator("section", has=page.locator("#history-title"))
    expect(history).to_contain_text("0.000010 if ≤ 0.000012")


def test_a_waiting_stop_is_in_no_book(watched: OpenPage, context: BrowserContext, world: World) -> None:
    name = use_practice_account(context, world)
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "50"}
    best = world.get("orderbook?base=PEK&quote=SWAP.HIVE&depth=2")["asks"]
    first, second = (level["price"] for level in best)
    world.act(name, "sell", **pair, price=first, triggerPrice="0.000012", triggerWhen="below")
    world.act(name, "sell", **pair, price=second)
    page = watched("trade.html?base=PEK&quote=SWAP.HIVE").page
    expect(page.get_by_role("tab", name="Open orders (2)")).to_be_visible()
    marked = page.locator("#book .asks .levels tr", has=page.locator(".own-order"))
    expect(marked).to_have_count(1)
    expect(marked).to_contain_text(second)


def test_a_pending_withdrawal_is_taken_back(watched: OpenPage, context: BrowserContext, world: World) -> None:
    """It waits, because its recipient does not exist."""
    name = use_practice_account(context, world)
    world.act(name, "withdraw", symbol="HBD", quantity="2.5", to="no-such-account")
    world.wait(f"withdrawals?user={name}", lambda body: body["withdrawals"])
    page = watched("portfolio.html").page
    withdrawals = page.locator("section", has=page.locator("#withdrawals-title"))
    withdrawals.get_by_role("button", name="Cancel the withdrawal of 2.5 HBD").click()
    sign(
        page,
        "Peake DEX: CANCEL the withdrawal of 2.5 HBD to @no-such-account: available again in one hour, "
        "unless it is paid before",
    )
    toast(page, "Accepted: Cancel withdrawal of 2.5 HBD")
    expect(page.locator(".toast").first).to_contain_text(
        "Available again in one hour, unless it is paid before."
    )
    [row] = world.get(f"withdrawals?user={name}")["withdrawals"]
    assert (row["status"], row["returning"]) == ("pending", True)
    expect(withdrawals).to_contain_text(re.compile(r"Returning at \d\d:\d\d"))
    expect(withdrawals.get_by_role("button")).to_have_count(0)


def test_the_minimum_is_shown_before_signing(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    use_practice_account(context, world)
    [hbd] = [token for token in world.get("venue")["tokens"] if token["symbol"] == "HBD"]
    page = watched("transfer.html?do=withdraw&symbol=HBD").page
    form = page.locator("form.form")
    expect(form).to_contain_text(f"Minimum{hbd['min_withdrawal'].rstrip('0').rstrip('.')} HBD")
