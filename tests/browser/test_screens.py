"""Every screen in both themes at four widths: no console errors, no requests to other origins, no horizontal scrolling,
no accessibility violations (axe). Screenshots are kept in tests/browser/artefacts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.watch import Watch, settled, until
from tests.browser.world import World

ARTEFACTS = Path(__file__).parent / "artefacts"
WIDTHS = {320: 640, 390: 844, 768: 1024, 1440: 900}
SCREENS = {
    "markets": "",
    "trade": "trade.html?base=PEK&quote=SWAP.HIVE",
    "portfolio": "portfolio.html",
    "transfer": "transfer.html",
    "audit": "audit.html",
    "account": "account.html?user=ada.bot",
}

OpenPage = Callable[[str], Watch]


@pytest.fixture(scope="package")
def resident(world: World) -> str:
    """An account with orders, stops, trades, deposits and withdrawals."""
    name = world.trader()
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    world.act(name, "buy", **pair, quantity="12500", price="0.000350")
    stop_loss = {"stopPrice": "0.000300", "stopLimit": "0.000290"}
    world.act(name, "sell", **pair, quantity="20000.5", price="0.000450", ref="mine", **stop_loss)
    stop = {"triggerPrice": "0.000310", "triggerWhen": "below"}
    world.act(name, "sell", **pair, quantity="700", price="0.000305", **stop)
    profit = {"triggerPrice": "0.000520", "triggerWhen": "above"}
    world.act(name, "marketSell", **pair, quantity="900", price="0.000200", **profit)
    world.act(name, "marketBuy", **pair, quantity="2")
    world.act(name, "buy", **pair, quantity="99999999", price="1")
    last = world.act(name, "withdraw", symbol="HIVE", quantity="3.5", memo="<b>memo</b>")
    world.wait(f"withdrawals?user={name}", lambda body: [row["id"] for row in body["withdrawals"]] == [last])
    return name


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_screen_at_every_width(
    watched: OpenPage, context: BrowserContext, world: World, resident: str, screen: str, theme: str
) -> None:
    context.add_init_script(
        f"localStorage.setItem('peakedex.account', '{resident}'); localStorage.setItem('peakedex.wallet', 'practice');"
    )
    watch = watched(SCREENS[screen])
    page = watch.page
    page.emulate_media(color_scheme="light" if theme == "light" else "dark")
    settled(page)
    if screen == "audit":
        until(page, "document.querySelector('#replay code')?.textContent")
    until(page, "(theme) => document.documentElement.dataset.theme === theme", theme)
    ARTEFACTS.mkdir(exist_ok=True)
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(150)  # the chart and the tables follow the size
        watch.fits()
        page.screenshot(path=ARTEFACTS / f"{screen}-{theme}-{width}.png", full_page=True)
        if width == (1440 if theme == "dark" else 390):
            watch.accessible()


IN_WINDOW = """(() => {
  const { left, right, top, bottom } = document.querySelector("dialog[open]").getBoundingClientRect();
  return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
})()"""


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_dialogs_at_every_width(
    watched: OpenPage, context: BrowserContext, resident: str, theme: str
) -> None:
    context.add_init_script(
        f"localStorage.setItem('peakedex.account', '{resident}'); localStorage.setItem('peakedex.wallet', 'practice');"
    )
    watch = watched(SCREENS["trade"])
    page = watch.page
    page.emulate_media(color_scheme="light" if theme == "light" else "dark")
    settled(page)
    opened: dict[str, Locator] = {
        "replace": page.locator("#account").get_by_role("button", name="Replace").first,
        "cancel-all": page.locator("#account").get_by_role("button", name="Cancel all"),
        "one-click": page.locator("#ticket").get_by_role("button", name="Enable"),
        "pairs": page.locator(".pair-button"),
        "account": page.locator("#header").get_by_role("button", name=f"@{resident}"),
    }
    for name, button in opened.items():
        button.click()
        dialog = page.locator("dialog[open]")
        dialog.wait_for()
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            watch.fits()
            page.screenshot(path=ARTEFACTS / f"dialog-{name}-{theme}-{width}.png")
            until(page, IN_WINDOW)
        watch.accessible()
        page.keyboard.press("Escape")
        dialog.wait_for(state="detached")


def test_every_screen_without_an_account(watched: OpenPage) -> None:
    """Screens that need an account offer to choose one."""
    for screen, path in SCREENS.items():
        watch = watched(path)
        settled(watch.page)
        watch.accessible()
        if screen in ("portfolio", "transfer"):
            expect(watch.page.get_by_role("button", name="Choose account").first).to_be_visible()
        if screen == "transfer":
            assert watch.page.get_by_text("balance unavailable").count() == 0
        watch.page.close()


def test_the_old_address_of_a_pair_redirects(watched: OpenPage, world: World) -> None:
    watch = watched("pairs/pair.html?base=PEK&quote=HBD")
    watch.page.wait_for_url(f"{world.site}/trade.html?base=PEK&quote=HBD")
    until(watch.page, "document.title.includes('PEK/HBD')")


def test_the_chosen_theme_is_kept(watched: OpenPage, context: BrowserContext) -> None:
    watch = watched("")
    page = watch.page
    before = page.evaluate("document.documentElement.dataset.theme")
    page.get_by_role("button", name="Switch between dark and light theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") != before
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") != before
    context.clear_cookies()


BLOCKED = """for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, {get() { throw new DOMException("blocked", "SecurityError"); }});"""


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_works_where_the_browser_blocks_storage(
    watched: OpenPage, context: BrowserContext, screen: str
) -> None:
    """As with all cookies blocked. One sentence says what that means; the theme can still be switched."""
    context.add_init_script(BLOCKED)
    page = watched(SCREENS[screen]).page
    settled(page)
    expect(page.get_by_text("This browser stores nothing for this site")).to_have_count(1)
    before = page.evaluate("document.documentElement.dataset.theme")
    page.get_by_role("button", name="Switch between dark and light theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") != before


@pytest.mark.parametrize("stored", ["{bad", "5", "[]", "null", '{"name": 5}', '{"name": "no such column"}'])
def test_markets_discards_a_garbled_order_of_rows(
    watched: OpenPage, context: BrowserContext, stored: str
) -> None:
    context.add_init_script(f"localStorage.setItem('peakedex.marketsort', {stored!r})")
    page = watched("").page
    settled(page)
    expect(page.locator("main tbody tr").first).to_be_visible()
    page.get_by_role("button", name="Volume").click()
    expect(page.locator("[aria-sort]")).to_have_count(1)
