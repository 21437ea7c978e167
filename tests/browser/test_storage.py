"""Storage that is blocked, full or garbled: public pages work, signing goes on, and one sentence says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.practice import toast
from tests.browser.watch import Watch, until
from tests.browser.world import World
from tests.unit.site.modules import MODULES, code

PAGES = (
    "index.html",
    "trade.html?base=PEK&quote=SWAP.HIVE",
    "portfolio.html",
    "account.html?user=ada.bot",
    "transfer.html",
    "audit.html",
)
SENTENCE = re.compile("stores nothing for this site")
# As with all cookies blocked; Chromium then refuses locks, too.
BLOCKED = """for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
}
navigator.locks.request = () => Promise.reject(new DOMException("denied", "SecurityError"));"""
FULL = (
    """Storage.prototype.setItem = function () { throw new DOMException("full", "QuotaExceededError"); };"""
)
OpenPage = Callable[[str], Watch]


def live(page: Page) -> None:
    expect(page.locator(".dot.live")).to_be_visible()


def sign_an_order(page: Page, world: World) -> None:
    """Create a practice account, place an order, and wait until it is final."""
    page.goto(f"{world.site}/trade.html?base=PEK&quote=SWAP.HIVE")
    name = page.evaluate("import('./js/wallet/practice-wallet.js').then((module) => module.start())")
    world.wait(f"balances?user={name}", lambda body: body["balances"])
    page.locator("#ticket-price").fill("0.000295")
    page.locator("#ticket-amount").fill("3")
    page.locator("#ticket").get_by_role("button", name="Buy PEK").click()
    page.get_by_role("button", name="Sign", exact=True).click()
    toast(page, "Order placed: Buy 3.00 PEK")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_works_without_storage(watched: OpenPage, context: BrowserContext, path: str) -> None:
    context.add_init_script(BLOCKED)
    page = watched(path).page
    page.emulate_media(color_scheme="dark")
    live(page)
    expect(page.locator(".banner", has_text=SENTENCE)).to_have_count(1)
    until(page, "document.documentElement.dataset.theme === 'dark'")
    page.get_by_role("button", name="Switch between dark and light theme").click()
    until(page, "document.documentElement.dataset.theme === 'light'")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_an_account_is_kept_in_memory_and_signs_without_storage(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    context.add_init_script(BLOCKED)
    sign_an_order(watched("").page, world)


def test_signing_goes_on_where_storage_is_full(
    watched: OpenPage, context: BrowserContext, world: World
) -> None:
    context.add_init_script(
        "if (!localStorage.getItem('peakedex.theme')) localStorage.setItem('peakedex.theme', 'light');"
    )
    context.add_init_script(FULL)
    page = watched("").page
    assert page.evaluate("document.documentElement.dataset.theme") == "light"  # what is stored is read
    sign_an_order(page, world)


KEYS = sorted(
    {key for module in MODULES for key in re.findall(r'"(peakedex\.[a-z.]+)"', code(module))}
    - {"peakedex.stream", "peakedex.probe"}
)
GARBAGE = ("", "{", "null", "7", "[[]]", '{"ref":"x","draft":7}')


def test_the_keys_are_found() -> None:
    assert {"peakedex.account", "peakedex.api", "peakedex.checkpoints", "peakedex.intent."} <= set(KEYS)


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbled_storage_is_discarded(watched: OpenPage, context: BrowserContext, garbage: str) -> None:
    values = {f"{key}x" if key.endswith(".") else key: garbage for key in KEYS}
    context.add_init_script(
        f"for (const [key, value] of Object.entries({json.dumps(values)})) {{"
        " localStorage.setItem(key, value); sessionStorage.setItem(key, value); }"
    )
    for path in PAGES:
        page = watched(path).page
        live(page)
        expect(page.get_by_role("button", name="Retry")).to_have_count(0)
        page.close()
