"""Pages that sign with the fake Hive Keychain, with an API whose answers a test decides."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import open_context, serve_files
from tests.browser.venue import venue
from tests.browser.watch import until

SITE = "https://site.test"
STAND_IN = (Path(__file__).parent / "keychain.js").read_text("utf-8")
START = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()

PAIR = "side: 'buy', base: 'PEK', quote: 'SWAP.HIVE'"
ORDER = f"limitOrder(venue, 'alice', {{ {PAIR}, lots: 100n, ticks: 12345n }})"
OTHER = f"limitOrder(venue, 'alice', {{ {PAIR}, lots: 200n, ticks: 12000n }})"
MARKET = f"marketOrder(venue, 'alice', {{ {PAIR}, budget: 100000000n, worst: 12500n }})"
COIN = "deposit(venue, 'alice', { symbol: 'HIVE', units: 1500n })"
FROM_WALLET = f"oneSignature(venue, 'alice', {{ {PAIR}, lots: 100n, ticks: 12345n }})"

SETUP = """async (venue) => {
  const [intents, { submit }, pending, { showNotifications }] = await Promise.all(["intents", "submit", "pending", "notifications"]
    .map((name) => import(`/js/wallet/${name}.js`)));
  window.list = pending.list;
  window.titles = [];
  window.draft = (make) => new Function("venue", "intents", `with (intents) { return ${make}; }`)(venue, intents);
  window.trade = (make, authority) => { const one = { ...draft(make), authority }; submit(one); return one.ref; };
  new MutationObserver(() => titles.push(...[...document.querySelectorAll(".toast .title")].map((one) => one.textContent)))
    .observe(document.body, { subtree: true, childList: true, characterData: true });
  showNotifications();
}"""


@dataclass
class Exchange:
    """What the API answers."""

    ts: float = START
    block: int = 100
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    deposits: list[dict[str, Any]] = field(default_factory=list)
    ask: str = "0.012345"
    wallet: str | None = "1000"
    """Balance of SWAP.HIVE on the sidechain; None: no node answers."""

    def __call__(self, url: str) -> Any:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        ts = datetime.fromtimestamp(self.ts, UTC).isoformat()
        if parts.path.startswith("orders/"):
            return {"order": self.orders[parts.path.removeprefix("orders/")]}
        found = self.intents.get(query.get("ref", ""))
        answers: dict[str, Any] = {
            "health": {"block": self.block, "ts": ts},
            "venue": venue(network="devnet"),
            "intents": {"intents": [found] if found else []},
            "deposits": {"deposits": self.deposits},
            "orderbook": {"bids": [], "asks": [{"price": self.ask, "amount": "10.00"}]},
            "devnet/rpc": {"result": []},
            "devnet/engine": self.wallet and {"result": [{"symbol": "SWAP.HIVE", "balance": self.wallet}]},
        }
        return answers.get(parts.path)

    def reject(self, ref: str, code: str, tx_id: str = "ab" * 20) -> None:
        self.intents[ref] = {"id": tx_id, "status": "rejected", "code": code, "order": None, "block": 101}

    def accept(self, ref: str, tx_id: str = "ab" * 20, **order: str | None) -> None:
        self.intents[ref] = {"id": tx_id, "status": "accepted", "code": None, "order": tx_id, "block": 101}
        self.orders[tx_id] = {
            "status": "open",
            "quote": "SWAP.HIVE",
            "price": "0.012345",
            "quantity": "1.00000000",
            "quantity_symbol": "PEK",
            "filled": "0.00000000",
            "average_price": None,
            "gets": "PEK",
            "received": "0.00000000",
            "fees": "0.00000000",
            **order,
        }


class Desk:
    """A browser with the fake Keychain, whose user is at its window."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.exchange = Exchange()
        serve_files(context, SITE, self.exchange)
        context.add_init_script("window.keychainAfter = 0;")
        context.add_init_script(STAND_IN)
        context.add_init_script("standIn.hasUser = true;")

    def page(self, *, clock: bool = False, init: str = "") -> Page:
        """With `clock` its time stands still at START until the test moves it."""
        page = self.context.new_page()
        if init:
            page.add_init_script(init)
        if clock:
            page.clock.install(time=START - 3600)
            page.clock.pause_at(START)
        page.goto(f"{SITE}/blank.html")
        if clock:
            page.clock.run_for(1)  # Keychain is injected
        self.set_up(page)
        return page

    def set_up(self, page: Page) -> None:
        """After a reload, too."""
        page.evaluate(SETUP, venue(network="devnet"))

    def reload(self, page: Page) -> None:
        page.reload()
        self.set_up(page)


@contextmanager
def open_desk(browser: Browser) -> Iterator[Desk]:
    with open_context(browser) as context:
        yield Desk(context)


def trade(page: Page, make: str = ORDER, authority: str = "active") -> str:
    """Submit a draft and return its ref."""
    ref: str = page.evaluate("([make, authority]) => trade(make, authority)", [make, authority])
    return ref


def asked(page: Page, count: int) -> dict[str, Any]:
    """Wait until Keychain has received so many requests, and return the last one."""
    until(page, f"standIn.asked.length >= {count}")
    found: list[dict[str, Any]] = page.evaluate("standIn.asked")
    assert len(found) == count
    return found[-1]


def deadline(request: dict[str, Any]) -> int:
    """`notAfter` of what Keychain was asked to sign."""
    elements = json.loads(request["json"])
    last = elements[-1] if isinstance(elements, list) else elements
    return int(last["contractPayload"]["notAfter"])


def intent(page: Page, ref: str) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("(ref) => list().find((one) => one.ref === ref)", ref)
    return found


def shows(page: Page, title: str, text: str = "") -> None:
    """Wait for a toast whose title begins so, and that contains the text."""
    heading = page.locator(".title", has_text=re.compile(f"^{re.escape(title)}"))
    toasts = page.locator(".toast:visible", has=heading)
    expect(toasts.filter(has_text=text).first if text else toasts.first).to_be_visible()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


User = Callable[[Page], None]


def confirm(page: Page) -> None:
    page.evaluate("standIn.user.confirm()")


def close_window(page: Page) -> None:
    page.evaluate("standIn.user.closeWindow()")
