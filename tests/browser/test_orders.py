"""Every order type in the ticket: placed with the practice wallet, seen waiting, fired by the mark, and filled."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import open_context
from tests.browser.practice import toast, use_practice_account
from tests.browser.watch import Watch, altered, routed, until
from tests.browser.world import World
from tests.support.waiting import wait_until

OpenPage = Callable[[str], Watch]
BASE, QUOTE = "PEK", "PIMP"
PAIR = {"symbol": BASE, "quote": QUOTE}
QUERY = f"base={BASE}&quote={QUOTE}"
TRADE = f"trade.html?{QUERY}"
TICK = Decimal("0.00001")
# The titles of all toasts from now on: some are gone before the mark has moved on.
TITLES = """() => {
  window.titles = [];
  new MutationObserver(() => titles.push(...[...document.querySelectorAll(".toast .title")].map((one) => one.textContent)))
    .observe(document.body, { subtree: true, childList: true });
}"""


@pytest.fixture(scope="module", autouse=True)
def movers(world: World) -> tuple[str, str]:
    """Two traders who trade with each other, in a book that a third one keeps: the bots and their stops leave it."""
    for status in ("open", "waiting"):
        path = f"orders?{QUERY}&status={status}&limit=200"
        for name in {row["user"] for row in world.get(path)["orders"]}:
            world.act(name, "cancelAll", **PAIR)
        world.wait(path, lambda body: not body["orders"])
    maker = world.trader()
    for level in range(12):
        world.act(maker, "sell", **PAIR, quantity="5000", price=f"0.041{level:02d}")
        world.act(maker, "buy", **PAIR, quantity="500", price=f"0.039{99 - level:02d}")
    world.wait(f"orders?user={maker}", lambda body: len(body["orders"]) == 24)
    return world.trader(), world.trader()


def spread(world: World) -> tuple[Decimal, Decimal]:
    book = world.get(f"orderbook?{QUERY}&depth=1")
    return Decimal(book["bids"][0]["price"]), Decimal(book["asks"][0]["price"])


def middle(world: World) -> Decimal:
    bid, ask = spread(world)
    return ((bid + ask) / 2).quantize(TICK)


def mark_in(body: Any) -> str | None:
    """The pair's mark in an answer of the API."""
    found: str | None = next(
        row["mark"] for row in body["marks"] if (row["base"], row["quote"]) == (BASE, QUOTE)
    )
    return found


def move_mark(world: World, movers: tuple[str, str], price: Decimal) -> None:
    """Trade in each block at a price between bid and ask, until all blocks of the mark are at that price."""
    seller, buyer = movers

    def trade() -> None:
        world.act(seller, "sell", **PAIR, quantity="1", price=str(price))
        world.act(buyer, "buy", **PAIR, quantity="1", price=str(price))

    world.jobs.append(trade)
    try:
        world.wait("marks", lambda body: Decimal(mark_in(body) or 0) == price)
    finally:
        world.jobs.remove(trade)


def still_mark(world: World, movers: tuple[str, str]) -> Decimal:
    """The mark, after it has been brought to a whole tick well between bid and ask."""
    bid, ask = spread(world)
    now = Decimal(mark_in(world.get("marks")) or 0)
    if now != now.quantize(TICK) or not bid + 20 * TICK < now < ask - 20 * TICK:
        now = middle(world)
        move_mark(world, movers, now)
    return now.quantize(TICK)


def orders(world: World, name: str) -> list[dict[str, Any]]:
    """The newest first."""
    found: list[dict[str, Any]] = world.get(f"orders?user={name}")["orders"]
    return found


def fill_in(page: Page, side: str, kind: str, **fields: str) -> Locator:
    """Fill in the ticket; its button."""
    ticket = page.locator("#ticket")
    ticket.get_by_role("button", name=side, exact=True).click()
    if kind in ("Limit", "Market"):
        ticket.get_by_role("button", name=kind, exact=True).click()
    else:
        ticket.get_by_label("Stop and take-profit orders").select_option(label=kind)
    for name, value in fields.items():
        page.locator(f"#ticket-{name}").fill(value)
    return page.locator("#ticket button[type=submit]")


def sign(page: Page) -> str:
    """Confirm the review; its sentence."""
    sentence = page.locator("dialog .sentence").inner_text()
    page.get_by_role("button", name="Sign", exact=True).click()
    return sentence


def ready(page: Page) -> None:
    until(page, "document.querySelectorAll('#book .asks .levels tr button').length > 2")
    until(page, "/[0-9]/.test(document.querySelector('#ticket .label-row button')?.textContent)")


STOPS = [
    # kind, side, the fields from the trigger, how far the trigger is from the mark in ticks, the becoming, the end
    ("Stop-market", "Sell", {"amount": "100"}, -10, "Becomes a market sell when the mark falls to", "filled"),
    ("Stop-market", "Buy", {"total": "4"}, 10, "Becomes a market buy when the mark rises to", "filled"),
    ("Stop-limit", "Sell", {"price": "0.05", "amount": "100"}, -10, "Becomes a limit sell at 0.05000 when", "open"),
    ("Stop-limit", "Buy", {"price": "0.05", "amount": "50"}, 10, "Becomes a limit buy at 0.05000 when", "filled"),
    ("Take-profit market", "Sell", {"amount": "100"}, 10, "a market sell when the mark rises to", "filled"),
    ("Take-profit limit", "Buy", {"price": "0.05", "amount": "50"}, -10, "limit buy at 0.05000 when the mark falls", "filled"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "side", "fields", "distance", "says", "end"), STOPS, ids=[f"{row[0]}-{row[1]}" for row in STOPS]
)
def test_a_stop_waits_for_the_mark_then_becomes_its_order(
    watched: OpenPage,
    context: BrowserContext,
    world: World,
    movers: tuple[str, str],
    kind: str,
    side: str,
    fields: dict[str, str],
    distance: int,
    says: str,
    end: str,
) -> None:
    start = still_mark(world, movers)
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    ready(page)
    trigger = start + distance * TICK
    button = fill_in(page, side, kind, trigger=str(trigger), **fields)
    expect(page.locator("#ticket")).to_contain_text(says)
    expect(page.locator("#ticket")).to_contain_text(f"Mark {start}".rstrip("0"))
    expect(button).to_have_text(f"Place stop: {side.lower()} PEK")
    page.locator("#ticket").get_by_text("Options", exact=True).click()
    page.locator("#ticket-life").select_option(label="in 1 hour")
    button.click()
    verb = "RISES" if distance > 0 else "FALLS"
    sentence = sign(page)
    assert f"WHEN THE MARK {verb} TO {trigger} PIMP: " in sentence
    assert "expires in 1 hour" in sentence
    toast(page, "Stop placed: ")
    [stop] = orders(world, name)
    assert (stop["status"], stop["trigger_price"]) == ("waiting", str(trigger))
    assert stop["trigger_when"] == ("above" if distance > 0 else "below")
    expect(page.locator("#account")).to_contain_text("Open orders (1)")

    bid, ask = spread(world)
    beyond = trigger + (TICK if distance > 0 else -TICK) * 5
    page.evaluate(TITLES)
    assert bid < beyond < ask
    move_mark(world, movers, beyond)
    world.wait(f"orders?user={name}", lambda body: len(body["orders"]) == 2)
    order, stop = orders(world, name)
    assert (stop["status"], order["stop_of"], order["status"]) == ("triggered", stop["id"], end)
    until(page, "(start) => titles.some((title) => title.startsWith(start))", f"Stop triggered: {side}")
    expect(page.locator("#account")).to_contain_text(
        "Open orders (1)" if end == "open" else re.compile("Open orders(?! \\()")
    )


def test_a_stop_loss_closes_a_resting_order_and_sells_the_rest(
    watched: OpenPage, context: BrowserContext, world: World, movers: tuple[str, str]
) -> None:
    start = still_mark(world, movers)
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    ready(page)
    button = fill_in(page, "Sell", "Limit", price="0.06", amount="100")
    page.locator("#ticket").get_by_text("Options", exact=True).click()
    page.locator("#ticket").get_by_label("Stop loss", exact=True).check()
    expect(page.locator("#ticket-wallet")).to_be_disabled()
    page.locator("#ticket-stop").fill(str(start + TICK))
    expect(button).to_be_disabled()
    expect(page.locator("#ticket .submit-row")).to_contain_text(
        "already reached. The price must be below it."
    )
    stop = start - 10 * TICK
    page.locator("#ticket-stop").fill(str(stop))
    worst = page.locator("#ticket-worst").input_value()
    assert Decimal(worst) == (stop * 95 / 100).quantize(TICK, rounding="ROUND_DOWN")
    expect(page.locator("#ticket")).to_contain_text(f"If the mark falls to {stop}, the order is cancelled")
    button.click()
    assert f"STOP LOSS: when the mark falls to {stop} PIMP" in sign(page)
    toast(page, "Order placed: Sell 100.000 PEK")
    [order] = orders(world, name)
    assert (order["stop_price"], order["stop_limit"]) == (str(stop), worst)
    move_mark(world, movers, stop - 5 * TICK)
    world.wait(f"orders?user={name}", lambda body: len(body["orders"]) == 2)
    sold, order = orders(world, name)
    assert (order["status"], sold["id"], sold["status"]) == ("cancelled", f"{order['id']}~stop", "filled")


def test_a_replace_says_that_it_would_execute_and_sets_a_stop_loss(
    watched: OpenPage, context: BrowserContext, world: World, movers: tuple[str, str]
) -> None:
    start = still_mark(world, movers)
    name = use_practice_account(context, world)
    page = watched(TRADE).page
    ready(page)
    page.locator("#ticket").get_by_text("Options", exact=True).click()
    page.locator("#ticket").get_by_label("Post-only").check()
    fill_in(page, "Sell", "Limit", price="0.07", amount="100").click()
    sign(page)
    toast(page, "Order placed: Sell 100.000 PEK")
    page.get_by_role("button", name=re.compile("^Replace: Sell")).click()
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("Stays open: 100.000 PEK.")
    bid = spread(world)[0]
    dialog.locator("#replace-price").fill(str(bid))
    expect(dialog).to_contain_text(f"Would execute immediately as taker: 100.000 PEK at an average of {bid}")
    dialog.locator("#replace-amount").fill("2000000")
    expect(dialog).to_contain_text("Insufficient PEK balance")
    expect(dialog.locator("button[type=submit]")).to_be_disabled()
    dialog.locator("#replace-amount").fill("100")
    dialog.locator("#replace-price").fill("0.07")
    dialog.locator("#replace-stop").fill(str(start + TICK))
    expect(dialog).to_contain_text("already reached")
    dialog.locator("#replace-stop").fill("0,03")
    expect(dialog.locator("#replace-worst")).to_have_value("0.02850")
    dialog.get_by_role("button", name="Review").click()
    assert sign(page).endswith("with “Sell 100 PEK at 0.07000 PIMP, stop 0.03000, worst price 0.02850”")
    world.wait(f"orders?user={name}", lambda body: body["orders"][0]["stop_price"] == "0.03000")
    assert orders(world, name)[0]["stop_limit"] == "0.02850"


def obstacle(page: Page, text: str) -> None:
    """The ticket shows the text, and its button is disabled."""
    expect(page.locator("#ticket .submit-row .note")).to_have_text(text)
    expect(page.locator("#ticket button[type=submit]")).to_be_disabled()


def test_obstacles_are_shown_before_signing(
    watched: OpenPage, context: BrowserContext, world: World, movers: tuple[str, str]
) -> None:
    start = still_mark(world, movers)
    use_practice_account(context, world)
    page = watched(TRADE).page
    ready(page)
    bid, ask = spread(world)
    shown = str(start).rstrip("0")
    ticket = page.locator("#ticket")
    ticket.get_by_text("Options", exact=True).click()

    fill_in(page, "Sell", "Stop-market", trigger=str(start), amount="1")
    obstacle(page, f"The mark is {shown}: already reached. The price must be below it.")
    fill_in(page, "Buy", "Stop-limit", trigger=str(start), price="0.01", amount="1")
    obstacle(page, f"The mark is {shown}: already reached. The price must be above it.")
    fill_in(page, "Sell", "Take-profit market", trigger=str(start - TICK), amount="1")
    obstacle(page, f"The mark is {shown}: already reached. The price must be above it.")

    fill_in(page, "Buy", "Limit", price="0.01", amount="10000000")
    obstacle(page, "Insufficient PIMP balance")
    fill_in(page, "Buy", "Limit", price="9000000000", amount="9000000000")
    obstacle(page, "Exceeds the maximum amount")
    ticket.get_by_label("Post-only").check()
    fill_in(page, "Buy", "Limit", price=str(ask), amount="1")
    obstacle(page, "Post-only order would execute immediately")
    ticket.get_by_label("Time in force").select_option("IOC")
    expect(ticket.get_by_label("Post-only")).to_be_disabled()
    fill_in(page, "Buy", "Limit", price=str(ask - TICK), amount="1")
    obstacle(page, "No liquidity at this price")
    ticket.get_by_label("Time in force").select_option("FOK")
    fill_in(page, "Sell", "Limit", price=str(bid), amount="999999")
    obstacle(page, "Not enough liquidity to fill the whole order at this price")
    ticket.get_by_label("Time in force").select_option("GTC")

    fill_in(page, "Sell", "Limit", price="0.06", amount="1")
    ticket.get_by_label("Trade directly from the wallet").check()
    expect(ticket).to_contain_text("In your wallet")
    note = ticket.locator(".submit-row .note")
    expect(note).to_have_text("Proceeds below the minimum withdrawal of 1 PIMP stay at the exchange.")
    fill_in(page, "Sell", "Limit", price="0.06", amount="1000001")
    obstacle(page, "Insufficient PEK in your wallet")


def test_a_one_signature_trade_needs_the_wallet_s_balance(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    """If its deposit failed, the order would spend the balance at the exchange."""
    use_practice_account(context, world)
    page = watched(TRADE).page
    ready(page)
    with routed(context, "**/api/devnet/engine", lambda route: route.fulfill(json={})):
        page.locator("#ticket").get_by_text("Options", exact=True).click()
        page.locator("#ticket").get_by_label("Trade directly from the wallet").check()
        fill_in(page, "Sell", "Limit", price="0.06", amount="100")
        obstacle(page, "Your wallet balance is not available. Try again, or deposit first.")


def test_the_limit_of_open_orders_and_own_orders_are_known(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)

    def one_order(body: Any) -> None:
        body["max_open_orders"] = 1
        for pair in body["pairs"]:
            pair["self_trade"] = policy[0]

    policy = ["cancel_resting"]
    price = str(middle(world))
    world.act(name, "sell", **PAIR, quantity="5", price=price)
    world.wait(f"orders?user={name}", lambda body: body["orders"])
    with altered(context, "venue", one_order):
        page = watched(TRADE).page
        ready(page)
        fill_in(page, "Buy", "Limit", price="0.01", amount="1")
        obstacle(page, "You have 1 open orders and stops, the maximum. Cancel some first.")
        page.locator("#ticket").get_by_text("Options", exact=True).click()
        page.locator("#ticket").get_by_label("Time in force").select_option("IOC")
        fill_in(page, "Buy", "Limit", price=price, amount="1")
        obstacle(page, "No liquidity at this price")  # own orders count for nothing
        policy[0] = "cancel_incoming"
        page.reload()
        ready(page)
        fill_in(page, "Buy", "Market", total="1")
        obstacle(page, "Your own order is in the way. Cancel it first.")


def test_without_a_mark_no_stop_can_be_placed(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    use_practice_account(context, world)

    def no_mark(body: Any) -> None:
        for row in body["marks"]:
            row["mark"] = None

    with altered(context, "marks", no_mark):
        page = watched(TRADE).page
        ready(page)
        fill_in(page, "Sell", "Stop-market", trigger="0.01", amount="1")
        obstacle(page, "This pair has no mark yet: stops need trades between two accounts.")


def test_the_fee_that_is_shown_is_the_most_that_is_signed(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    """Also after the operator has changed it."""
    use_practice_account(context, world)

    def dearer(body: Any) -> None:
        for row in body["pairs"]:
            row.update(taker_fee_bps=37, maker_fee_bps=3)

    with altered(context, "pairs", dearer):
        page = watched(TRADE).page
        ready(page)
        button = fill_in(page, "Buy", "Limit", price="0.01", amount="1")
        expect(page.locator("#ticket .estimate")).to_contain_text("maker 0.03\u00a0%, taker 0.37\u00a0%")
        button.click()
        sign(page)
        toast(page, "Order placed")
        drafts = page.evaluate(
            "import('./js/wallet/pending.js').then((module) => module.list().map((one) => one.draft))"
        )
        assert json.loads(drafts[0]["json"])["contractPayload"]["maxFeeBps"] == 37


def test_a_level_of_the_book_is_capped_by_the_balance_and_max_is_exact(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    use_practice_account(context, world)
    page = watched(TRADE).page
    ready(page)
    available = page.locator("#ticket .label-row button").first
    expect(available).to_have_text("1,000.00000 PIMP")  # as many decimals as a price
    page.locator("#book .asks .levels tr button").last.click()  # the dearest level: all that is cheaper
    price = Decimal(page.locator("#ticket-price").input_value())
    amount = Decimal(page.locator("#ticket-amount").input_value())
    lot = Decimal("0.001")
    assert amount == min(amount, Decimal(1000) / price // lot * lot)
    if price * (amount + lot) > 1000:
        expect(page.locator("#ticket")).to_contain_text("Capped at your balance")
    expect(page.locator("#ticket button[type=submit]")).to_be_enabled()

    for text, share in (("25 %", 25), ("50 %", 50), ("75 %", 75), ("Max", 100)):
        page.locator("#ticket").get_by_role("button", name=text, exact=True).click()
        most = Decimal(10 * share) / price // lot * lot
        assert Decimal(page.locator("#ticket-amount").input_value()) == most
    page.locator("#ticket-amount").fill("1")
    available.click()
    assert Decimal(page.locator("#ticket-amount").input_value()) == Decimal(1000) / price // lot * lot
    page.locator("#ticket").get_by_role("button", name="Sell", exact=True).click()
    expect(available).to_have_text("1,000,000.000 PEK")
    available.click()
    assert page.locator("#ticket-amount").input_value() == "1000000.000"


def test_cancelling_takes_one_confirmation_at_most(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    for price in ("0.01", "0.011", "0.012"):
        world.act(name, "buy", **PAIR, quantity="5", price=price)
    world.wait(f"orders?user={name}", lambda body: len(body["orders"]) == 3)
    page = watched(TRADE).page
    page.get_by_role("button", name=re.compile("^Cancel: Buy")).first.click()
    assert page.locator("dialog").count() == 0
    toast(page, "Cancelled: Buy 5 PEK")
    page.get_by_role("button", name="Cancel all (2)").click()
    assert sign(page) == "Peake DEX: CANCEL ALL open orders and stops: 2 at the moment"
    toast(page, "Cancelled: all 2 orders")
    assert {row["status"] for row in orders(world, name)} == {"cancelled"}


@pytest.mark.parametrize("locale", ["de-DE", "fr-FR", "ar-EG", "en-US"])
def test_a_decimal_comma_is_read_in_every_locale(browser: Browser, world: World, locale: str) -> None:
    with open_context(browser, locale=locale) as context:
        type_with_a_comma(context, world)


def type_with_a_comma(context: BrowserContext, world: World) -> None:
    use_practice_account(context, world)
    watch = Watch(context.new_page(), world.site)
    page = watch.page
    page.goto(f"{world.site}/{TRADE}")
    ready(page)
    button = fill_in(page, "Buy", "Limit", price="0,01", amount="1.234,5")
    expect(page.locator("#ticket-total")).to_have_value("12.345")
    button.click()
    assert (
        "BUY 1,234.500 PEK at 0.01000 PIMP, total 12.345 PIMP"
        in page.locator("dialog .sentence").inner_text()
    )
    page.get_by_role("button", name="Back").click()
    page.locator("#ticket-amount").fill("1,234")
    expect(page.locator("#ticket-amount-hint")).to_contain_text("is ambiguous: 1234 or 1.234?")
    page.locator("#ticket-amount").fill("٣")
    expect(page.locator("#ticket-amount-hint")).to_have_text("Use the digits 0 to 9.")
    watch.check()


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_button_is_on_screen_with_all_options_open(
    watched: OpenPage, context: BrowserContext, world: World, size: tuple[int, int]
) -> None:
    use_practice_account(context, world)
    page = watched(TRADE).page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    until(page, "document.querySelector('#ticket-price') !== null")
    if size[0] == 390:
        page.locator("#action-bar").get_by_role("button", name="Sell").click()
    page.locator("#ticket").get_by_text("Options", exact=True).click()
    page.locator("#ticket-protect").check()
    button = page.locator("#ticket button[type=submit]")
    for kind in ("limit", "stopLimit", "stopMarket"):
        if kind != "limit":
            page.locator("#ticket-stop-type").select_option(kind)
        wait_until(lambda: is_within(button, size[1]), what=f"the button on screen with {kind}")


def is_within(node: Locator, height: int) -> bool:
    """Whether all of it is in a window of this height."""
    box = node.bounding_box()
    return box is not None and 0 <= box["y"] <= height - box["height"]
