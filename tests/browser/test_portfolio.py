"""Stops and pending withdrawals on the Portfolio screen."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.practice import toast, use_practice_account
from tests.browser.watch import Watch
from tests.browser.world import World

OpenPage = Callable[[str], Watch]


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
    stop = rows.filter(has_text="Waiting")
    expect(stop).to_contain_text("▼ Sell Stop-limit0.00001050 PEK0 %WaitingMark ≤ 0.000012")
    expect(stop.get_by_role("button", name="Replace")).to_have_count(0)
    order = rows.filter(has_text="Stop loss 0.000012")
    expect(order.locator(".tag")).to_have_attribute(
        "title",
        "When the mark price is ≤ 0.000012, the order is cancelled and what is left is sold at market, "
        "worst price 0.000010.",
    )
    expect(order.get_by_role("button", name="Replace")).to_be_visible()

    stop.get_by_role("button", name=re.compile("^Cancel")).click()
    toast(page, "Cancelled: Sell 50 PEK")
    expect(rows).to_have_count(1)
    history = page.locator("section", has=page.locator("#history-title"))
    expect(history).to_contain_text("▼ Sell Stop-limit0.000010")


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
    text = toast(page, "Accepted: Cancel withdrawal of 2.5 HBD")
    assert "Available again in one hour, unless it is paid before." in text
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
    assert page.locator("main h2").all_inner_texts() == ["Withdrawal steps", "Withdrawals", "Deposits"]


# -- terms of orders that only the signature tells ---------------------------------------------------------------

NO_FUNDS = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "99999999.50", "price": "1.000000"}
TERMS = "PEK/SWAP.HIVE▲ Buy Limit1.000000–99,999,999.50 PEK–"


def submit(page: Page, action: str, more: str = "") -> None:
    """Sign an order as the ticket would, without its checks."""
    page.evaluate(
        f"""async () => {{
          const {{ readVenue }} = await import("./js/data/api.js");
          const {{ account }} = await import("./js/data/session.js");
          const {{ limitOrder }} = await import("./js/wallet/intents.js");
          const {{ submit }} = await import("./js/wallet/submit.js");
          const order = {{ side: "{action}", base: "PEK", quote: "SWAP.HIVE", {more} }};
          await submit(limitOrder(await readVenue(), account(), order));
        }}"""
    )


def test_a_rejected_order_of_this_browser_shows_its_terms(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    """Also after its notification was dismissed, which removes the intent, and a reload."""
    use_practice_account(context, world)
    page = watched("portfolio.html").page
    expect(page.locator("#history-title")).to_be_visible()
    submit(page, "buy", "lots: 9999999950n, ticks: 1000000n")
    toast(page, "Rejected")
    page.locator(".toast").get_by_role("button", name="Dismiss").first.click()
    expect(page.locator(".toast")).to_have_count(0)
    page.reload()
    row = page.locator("section", has=page.locator("#history-title")).locator("tbody tr", has_text="Rejected")
    expect(row).to_contain_text(TERMS)
    expect(row.get_by_role("button")).to_have_count(0)


def test_a_rejected_order_of_another_wallet_shows_its_terms(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    world.act(name, "buy", **NO_FUNDS)
    world.wait(f"orders?user={name}&status=rejected", lambda body: body["orders"])
    for path in (f"account.html?user={name}", "portfolio.html"):
        page = watched(path).page
        row = page.locator("section", has=page.locator("#history-title")).locator(
            "tbody tr", has_text="Rejected"
        )
        expect(row).to_contain_text(TERMS)


def test_a_post_only_order_is_marked(watched: OpenPage, context: BrowserContext, world: World) -> None:
    use_practice_account(context, world)
    page = watched("trade.html?base=PEK&quote=SWAP.HIVE").page
    expect(page.get_by_role("tab", name="Open orders")).to_be_visible()
    submit(page, "sell", "lots: 10000n, ticks: 900000n, postOnly: true")
    row = page.locator("#account tbody tr:not(.skeleton-row)")
    expect(row).to_contain_text("Post-only")
    page.get_by_role("button", name="Cancel all (1)").click()
    expect(page.locator("dialog .sentence")).to_contain_text(
        "CANCEL ALL open orders and stops: 1 at the moment"
    )
    page.reload()
    expect(row).to_contain_text("Post-only")


def test_an_order_that_settles_to_the_wallet_is_marked(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "50"}
    world.act(name, "sell", **pair, price="0.900000", settle="wallet")
    page = watched("portfolio.html").page
    orders = page.locator("section", has=page.locator("#open-title"))
    expect(orders.locator(".tag", has_text="To wallet")).to_be_visible()


# -- statement ---------------------------------------------------------------------------------------------------


def test_a_statement_is_downloaded_for_the_chosen_period(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    page = watched("portfolio.html").page
    section = page.locator("section", has=page.locator("#statement-title"))
    section.get_by_label("Format").select_option("koinly")
    with page.expect_download() as started:
        section.get_by_role("button", name="Download statement").click()
    assert started.value.suggested_filename == f"peakedex-{name}-koinly.csv"
    lines = started.value.path().read_text("utf-8").splitlines()
    assert lines[0].startswith("Date,Sent Amount,Sent Currency,Received Amount")
    assert any(line.endswith(tuple("0123456789abcdef")) and ",deposit," in line for line in lines[1:])

    section.get_by_label("To").fill("2000-01-01")
    section.get_by_role("button", name="Download statement").click()
    expect(section).to_contain_text("The first day is after the last one.")


def test_the_account_s_feed_is_linked(watched: OpenPage, context: BrowserContext, world: World) -> None:
    name = use_practice_account(context, world)
    link = watched("portfolio.html").page.get_by_role("link", name="Feed")
    address = f"{world.site}/api/atom?user={name}"
    assert link.evaluate("link => link.href") == address
    answer = context.request.get(address)
    assert answer.headers["content-type"].startswith("application/atom+xml")
    assert "<title>Deposit of " in answer.text()
