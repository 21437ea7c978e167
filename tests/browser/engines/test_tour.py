"""The site in Firefox and WebKitGTK: all pages, live data, a trade with the practice wallet, a proof.

Screenshots are kept in tests/browser/artefacts.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from tests.browser.engines.engine import CURES, PACKAGES, Engine, program, until
from tests.browser.test_screens import ARTEFACTS, SCREENS
from tests.browser.world import World

CLASSES = {"firefox": "Firefox", "webkit": "WebKit"}
SIZES = {
    "wide": (1440, 900),
    "narrow": (500, 844),
}  # no window of a desktop's browser is as narrow as a phone
TRADE = SCREENS["trade"]
SETTLED = """
  document.fonts.status === "loaded"
  && document.querySelectorAll("main .skeleton-row, main .skeleton-bar").length === 0
  && document.querySelector(".dot.live") !== null
"""
# The visible button or link of that text.
FIND = """
  const found = [...document.querySelectorAll("button, a")].find((one) =>
    one.textContent.trim().startsWith(arguments[0]) && one.checkVisibility());
  document.querySelectorAll("[data-tour]").forEach((one) => one.removeAttribute("data-tour"));
  found?.setAttribute("data-tour", "");
  return found !== undefined && !found.disabled;
"""
BOOK = "document.querySelector('#book').innerText"
CONTENT = {
    "markets": "document.querySelectorAll('main tbody tr').length >= 3",
    "trade": "document.querySelectorAll('#book .levels tr button').length > 8 && document.querySelector('canvas')",
    "portfolio": "document.body.innerText.includes('SWAP.HIVE')",
    "transfer": "document.body.innerText.includes('peakedex.')",
    "audit": "document.querySelector('#replay code')?.textContent.includes('peakedex')",
    "account": "document.body.innerText.includes('ada.bot')",
}


@pytest.fixture(scope="module", params=PACKAGES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Each browser in turn; skipped with the cure where it is not installed."""
    name = request.param
    path = program(name)
    if path is None:
        pytest.skip(CURES[name])
    module = importlib.import_module(f"tests.browser.engines.{name}")
    opened: Engine = getattr(module, CLASSES[name])(path, tmp_path_factory.mktemp(name))
    yield opened
    opened.close()


@pytest.fixture
def page(engine: Engine, world: World) -> Iterator[Engine]:
    """A page of the site without an account; afterwards no page may have had an error."""
    engine.resize(*SIZES["wide"])
    engine.open(f"{world.site}/")
    engine.run("localStorage.clear(); sessionStorage.clear();")
    yield engine
    assert engine.errors() == []


def press(page: Engine, text: str) -> None:
    """Click the button or link whose text begins so, once it is there."""
    until(page, f"(function () {{ {FIND} }})('{text}')")
    page.click("[data-tour]")


def enter(page: Engine, selector: str, text: str) -> None:
    """Type into a field, once it is there."""
    until(page, "document.querySelector(arguments[0])?.checkVisibility()", selector)
    page.type(selector, text)


def says(page: Engine, text: str) -> None:
    """Wait until the page shows the text."""
    until(page, "document.body.innerText.includes(arguments[0])", text)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page(page: Engine, world: World, request: pytest.FixtureRequest, screen: str) -> None:
    name = request.node.callspec.params["engine"]
    if screen in ("portfolio", "transfer"):
        page.run("localStorage.setItem('peakedex.account', 'ada.bot');")
    for size, (width, height) in SIZES.items():
        page.resize(width, height)
        page.open(f"{world.site}/{SCREENS[screen]}")
        until(page, SETTLED)
        until(page, CONTENT[screen])
        until(page, "document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        if size == "wide":  # WebKitGTK's driver takes a minute for it once the window has become smaller
            ARTEFACTS.mkdir(exist_ok=True)
            page.screenshot(ARTEFACTS / f"{name}-{screen}.png")


def test_an_order_of_someone_else_appears_at_once(page: Engine, world: World) -> None:
    page.open(f"{world.site}/{TRADE}")
    until(page, SETTLED)
    asks = [row["price"] for row in world.get("orderbook?base=PEK&quote=SWAP.HIVE")["asks"]]
    ticks = round(float(asks[0]) * 1_000_000)
    price = next(text for text in (f"0.{tick:06d}" for tick in range(ticks, ticks + 999)) if text not in asks)
    name = world.trader()
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    world.act(name, "sell", **pair, quantity="7.77", price=price)
    until(page, f"{BOOK}.includes(arguments[0])", price)
    world.act(name, "cancelAll", **pair)
    until(page, f"!{BOOK}.includes(arguments[0])", price)


def test_a_practice_account_trades_and_checks_its_balance_in_the_proof(page: Engine, world: World) -> None:
    page.open(f"{world.site}/{TRADE}")
    until(page, SETTLED)
    press(page, "Choose account")
    press(page, "Create a practice account")
    name = until(page, "localStorage.getItem('peakedex.account')")
    world.wait(f"balances?user={name}", lambda body: len(body["balances"]) == len(world.view.tokens))
    page.run("document.querySelector('dialog[open]')?.close();")
    enter(page, "#ticket-price", "0.000300")
    enter(page, "#ticket-amount", "1500")
    press(page, "Buy PEK")
    press(page, "Sign")
    says(page, "Order placed: Buy 1,500.00 PEK at 0.000300")
    [order] = world.get(f"orders?user={name}")["orders"]
    assert (order["status"], order["price"], order["quantity"]) == ("open", "0.000300", "1500.00000000")
    page.open(f"{world.site}/audit.html")
    enter(page, "#proof-name", name)
    press(page, "Verify")
    until(page, "document.querySelector('#proof .ok') ?? document.querySelector('#proof .bad')")
    assert page.run("return document.querySelector('#proof .bad')?.textContent ?? '';") == ""
