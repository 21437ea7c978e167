"""What must be in view without scrolling, on which screens, and what must not be cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.practice import use_practice_account
from tests.browser.watch import Watch, settled, until
from tests.browser.world import World
from tests.support.waiting import wait_until

OpenPage = Callable[..., Watch]
TRADE = "trade.html?base=PEK&quote=SWAP.HIVE"
PAGES = [
    "",
    TRADE,
    "portfolio.html",
    "transfer.html",
    "audit.html",
    "status.html",
    "account.html?user=ada.bot",
]


def open_sized(watched: OpenPage, path: str, width: int, height: int) -> Page:
    page = watched(path, {"width": width, "height": height}).page
    settled(page)
    return page


def box(node: Locator) -> dict[str, float]:
    found: Any = node.bounding_box()
    assert found is not None
    return {"top": found["y"], "bottom": found["y"] + found["height"], "right": found["x"] + found["width"]}


def ends_above(node: Locator, height: float) -> None:
    """Wait until the lower edge of a node is not below that height."""
    becomes(lambda: box(node)["bottom"] <= height, f"{node} above {height}")


def becomes(is_laid_out: Callable[[], bool], what: str) -> None:
    """Wait until the layout is so: parts of it follow the window's size, and a banner may come and go."""
    wait_until(is_laid_out, what=what)


@pytest.fixture
def trader(context: BrowserContext, world: World) -> str:
    """A practice account with four open orders."""
    name = use_practice_account(context, world)
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    for level in range(3):
        world.act(name, "sell", **pair, quantity="100", price=f"0.90000{level}")
    stop = {"triggerPrice": "0.000012", "triggerWhen": "below"}
    world.act(name, "sell", **pair, quantity="20000.5", price="0.000010", **stop)
    world.wait(f"orders?user={name}", lambda body: len(body["orders"]) == 4)
    return name


def test_own_orders_are_above_the_fold(watched: OpenPage, trader: str) -> None:
    page = open_sized(watched, TRADE, 1440, 900)
    rows = page.locator("#account tbody tr:not(.skeleton-row)")
    expect(rows).to_have_count(4)
    ends_above(rows.last, 900)
    for width, height in [(1366, 768), (1280, 800), (1920, 1080), (768, 1024)]:
        page.set_viewport_size({"width": width, "height": height})
        ends_above(rows.first, height)


BUTTONS_FIT = """(() => {
  const right = (one) => one.getBoundingClientRect().right;
  const panel = document.querySelector("#account");
  return [...panel.querySelectorAll("tbody button")].every((button) => right(button) <= right(panel));
})()"""


def test_buttons_of_orders_are_not_cut(watched: OpenPage, trader: str) -> None:
    """They stay at the right edge of the panel, even where the table is wider."""
    page = open_sized(watched, TRADE, 1440, 900)
    expect(page.locator("#account tbody button")).to_have_count(7)
    for width in (721, 768, 1024, 1200, 1280, 1400, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        until(page, BUTTONS_FIT)


def test_the_ticket_s_button_is_in_view_with_its_options_open(watched: OpenPage, trader: str) -> None:
    page = open_sized(watched, TRADE, 1440, 900)
    page.locator("#ticket details.options > summary").click()
    until(page, "document.querySelector('#ticket details.options').open")
    for width, height in [(1440, 900), (1366, 768), (1024, 768)]:
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("scrollTo(0, 0)")
        ends_above(page.locator("#ticket button[type=submit]"), height)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 640)])
def test_the_ticket_s_button_is_in_view_on_a_phone(
    watched: OpenPage, trader: str, width: int, height: int
) -> None:
    page = open_sized(watched, TRADE, width, height)
    page.locator("#action-bar").get_by_role("button", name="Buy").click()
    page.locator("#ticket details.options > summary").click()
    submit = page.locator("#ticket button[type=submit]")
    page.locator("#ticket").evaluate("(ticket) => ticket.scrollTo(0, 0)")
    ends_above(submit, height)
    submit.click(trial=True)
    page.get_by_role("button", name="Close the order ticket").click()
    expect(submit).to_be_hidden()


INTERVALS_FIT = """(() => {
  const intervals = document.querySelector("#chart .intervals");
  const views = [...document.querySelectorAll("#chart .tabs")].at(-1).getBoundingClientRect();
  return !intervals.checkVisibility() || intervals.lastElementChild.getBoundingClientRect().right <= views.left;
})()"""


def test_a_phone_shows_the_chart_early_and_all_intervals(watched: OpenPage, trader: str) -> None:
    page = open_sized(watched, TRADE, 390, 844)
    becomes(lambda: box(page.locator("#chart"))["top"] <= 200, "the chart at the top")
    menu = page.get_by_label("Interval").and_(page.locator("select"))
    menu.select_option("1w")
    assert menu.locator("option").all_inner_texts() == ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"]
    expect(page.locator("#chart .intervals")).to_be_hidden()
    assert page.evaluate("localStorage.getItem('peakedex.interval')") == "1w"
    for width in (320, 390, 721, 768, 1024, 1440):  # tabs only where all of them fit
        page.set_viewport_size({"width": width, "height": 844})
        until(page, INTERVALS_FIT)


def test_a_phone_shows_own_orders_before_the_proof(watched: OpenPage, trader: str) -> None:
    page = open_sized(watched, TRADE, 390, 844)
    orders, proof = page.locator("#account"), page.locator("#proof")
    becomes(lambda: box(orders)["top"] < 844, "own orders in view")
    becomes(
        lambda: not proof.is_visible() or box(orders)["bottom"] <= box(proof)["top"],
        "orders before the proof",
    )


def test_a_phone_opens_the_navigation_with_a_button(watched: OpenPage) -> None:
    page = open_sized(watched, "", 390, 844)
    nav = page.get_by_role("navigation", name="Main")
    expect(nav).to_be_hidden()
    menu = page.get_by_role("button", name="Menu")
    expect(menu).to_have_attribute("aria-expanded", "false")
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    nav.get_by_role("link", name="Portfolio").click()
    page.wait_for_url("**/portfolio.html")


CUT = """[...document.querySelectorAll("main .scroll")]
  .filter((one) => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.getAttribute("aria-label"))"""


@pytest.mark.parametrize("width", [320, 390])
def test_tables_on_phones_are_not_cut(watched: OpenPage, trader: str, width: int) -> None:
    """No table scrolls within the page; a long one shows ten cards and a button for the rest."""
    page = open_sized(watched, "portfolio.html", width, 800)
    expect(page.locator("#history-title")).to_be_visible()
    becomes(lambda: page.evaluate(CUT) == [], "tables that are not cut")


def test_a_long_list_of_cards_is_shown_on_request(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    name = use_practice_account(context, world)
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    for level in range(12):
        world.act(name, "sell", **pair, quantity="100", price=f"0.9000{level:02}")
    world.wait(f"orders?user={name}", lambda body: len(body["orders"]) == 12)
    page = open_sized(watched, "portfolio.html", 390, 844)
    orders = page.locator("section", has=page.locator("#open-title"))
    rows = orders.locator("tbody tr")
    expect(rows).to_have_count(12)
    visible = orders.locator("tbody tr:visible")
    expect(visible).to_have_count(10)
    expect(orders.get_by_role("button", name="Cancel all (12)")).to_be_visible()
    orders.get_by_role("button", name="Show all 12").click()
    expect(visible).to_have_count(12)
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(visible).to_have_count(12)
    expect(orders.get_by_role("button", name="Show all")).to_be_hidden()


def test_markets_have_no_needless_scrollbar(watched: OpenPage) -> None:
    page = open_sized(watched, "", 1440, 900)
    until(page, "document.querySelectorAll('main tbody tr').length > 5")
    for selector in ("html", ".markets"):
        until(
            page,
            """(selector) => {
              const one = document.querySelector(selector);
              return one.scrollHeight <= one.clientHeight && one.scrollWidth <= one.clientWidth;
            }""",
            selector,
        )


FIXED = """[...document.querySelectorAll("body *")]
  .filter((one) => getComputedStyle(one).position === "fixed" && one.getClientRects().length)
  .reduce((sum, one) => sum + one.getBoundingClientRect().height, 0)"""


@pytest.mark.parametrize("path", PAGES)
def test_every_page_works_at_200_percent_zoom(
    watched: OpenPage, context: BrowserContext, trader: str, path: str
) -> None:
    """A window of 1280 × 800 pixels at 200 % is one of 640 × 400."""
    page = watched(path, {"width": 640, "height": 400}).page
    settled(page)
    until(page, "document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if path == TRADE:
        page.locator("#action-bar").get_by_role("button", name="Sell").click()
        page.locator("#ticket button[type=submit]").click(trial=True)
        page.keyboard.press("Escape")
    becomes(lambda: page.evaluate(FIXED) <= 400 / 3, "two thirds of the window for what scrolls")


def test_the_order_history_is_not_cut(watched: OpenPage, context: BrowserContext, trader: str) -> None:
    """Long amounts and reasons take more lines where space is short."""
    row = {"id": "ab" * 20, "seq": 1, "user": trader, "base": "PEK", "quote": "SWAP.MATIC", "side": "buy"}
    row |= {
        "type": "limit",
        "status": "filled",
        "price": "0.000000000812",
        "average_price": "0.0000000008108889",
    }
    row |= {"quantity": "412888.36800000", "quantity_symbol": "PEK", "filled": "412888.36800000"}
    row |= {
        "received": "412062.59126400",
        "gets": "PEK",
        "fees": "825.77673600",
        "fired": None,
        "stop_of": None,
    }
    row |= {"trigger_price": None, "stop_price": None, "ts": "2026-11-29T12:00:00Z"}
    rejected = {"id": "cd" * 20, "user": trader, "ref": None, "action": "buy", "ts": "2026-11-29T12:00:00Z"}
    rejected |= {"status": "rejected", "error": "Outside the grant: its actions, pairs or daily allowance."}
    context.route("**/api/orders?*status=rejected*", lambda route: route.fulfill(json={"orders": [rejected]}))
    context.route("**/api/orders?*limit=60*", lambda route: route.fulfill(json={"orders": [row]}))
    page = open_sized(watched, "portfolio.html", 1440, 900)
    table = page.locator("section", has=page.locator("#history-title")).locator(".scroll")
    expect(table.locator("tbody tr")).to_have_count(2)
    left = "(one) => one.getBoundingClientRect().left"
    pair, heading = table.locator("tbody a").first, page.locator("#history-title")
    for width in (1440, 1280, 1024, 820):
        page.set_viewport_size({"width": width, "height": 900})
        becomes(lambda: table.evaluate("(one) => one.scrollWidth <= one.clientWidth"), f"a table of {width}")
        becomes(lambda: pair.evaluate(left) == heading.evaluate(left), "the pair below the panel's heading")
