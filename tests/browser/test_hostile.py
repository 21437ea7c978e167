"""Untrusted text in memos, symbols and URLs is shown as text and never executed."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from indexer.devnet.hive.operations import Coin, Transfer
from indexer.devnet.traders.payloads import raw_json
from tests.browser.watch import Watch, pumped, until
from tests.browser.world import World

OpenPage = Callable[[str], Watch]
SCRIPT = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"


def unharmed(page: Page) -> None:
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script, main iframe").count() == 0


@pytest.fixture(scope="module")
def victim(world: World) -> str:
    """An account with hostile memos, symbols and actions, of its own and of others."""
    name = world.trader()
    world.node.broadcast([Transfer(name, "peakedex.coin", Coin(1000, "HIVE"), SCRIPT)])
    world.act(name, "withdraw", symbol="HIVE", quantity="1", memo=SCRIPT)
    world.act(name, "buy", symbol=SCRIPT, quote="SWAP.HIVE", quantity="1", price="1", ref="odd")
    world.act(name, SCRIPT)
    # A token that is not listed becomes a refund due with the sender's memo.
    odd = (
        '{"contractName":"tokens","contractAction":"transfer","contractPayload":{"symbol":"EVIL","to":"peakedex.pek","quantity":"1","memo":"'
        + "<b>x</b>"
        + '"}}'
    )
    with world.node.lock:
        if "EVIL" not in world.node.sidechain.tokens:
            world.node.sidechain.create_token("EVIL", 3, world.view.operator)
    world.node.faucet(name, "EVIL", "5")
    world.node.broadcast([raw_json(world.view, name, odd)])
    world.wait(
        f"deposits?user={name}", lambda body: any(row["status"] != "credited" for row in body["deposits"])
    )
    return name


@pytest.mark.parametrize(
    "path", ["portfolio.html", "transfer.html", "trade.html?base=PEK&quote=SWAP.HIVE", "audit.html"]
)
def test_untrusted_text_is_shown_as_text(
    watched: OpenPage, context: BrowserContext, victim: str, path: str
) -> None:
    context.add_init_script(f"localStorage.setItem('peakedex.account', '{victim}');")
    page = watched(path).page
    until(page, "document.querySelector('.dot.live') !== null")
    page.wait_for_timeout(800)
    unharmed(page)
    if path in ("portfolio.html", "transfer.html"):
        expect(page.locator("main")).to_contain_text("EVIL")


@pytest.mark.parametrize(
    "path",
    [
        f"trade.html?base={quote(SCRIPT)}&quote=SWAP.HIVE",
        "trade.html?base=PEK&quote=javascript:alert(1)",
        f"account.html?user={quote(SCRIPT)}",
        f"transfer.html?symbol={quote(SCRIPT)}&do={quote(SCRIPT)}",
        f"pairs/pair.html?base={quote(SCRIPT)}&quote=x",
        f"index.html?{quote(SCRIPT)}#{quote(SCRIPT)}",
    ],
)
def test_url_parameters_are_text_or_refused(watched: OpenPage, path: str) -> None:
    watch = watched(path)
    watch.page.wait_for_timeout(1200)
    unharmed(watch.page)
    assert not any(
        "onerror" in request.split("?", 1)[-1] and "/api/" in request for request in watch.requests
    )


def test_error_messages_of_the_api_are_text(watched: OpenPage, context: BrowserContext) -> None:
    """Even text from a compromised server is not interpreted as markup."""
    context.route(
        "**/api/pairs", lambda route: route.fulfill(status=500, json={"detail": SCRIPT, "code": "E_INTERNAL"})
    )
    watch = watched("")
    expect(watch.page.locator("main")).to_contain_text("onerror")
    unharmed(watch.page)
    watch.troubles = [one for one in watch.troubles if "500" not in one]


def test_the_content_security_policy_is_enforced(watched: OpenPage) -> None:
    """Injected code does not run, and cannot connect elsewhere."""
    watch = watched("")
    page = watch.page
    ran = page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.body.append(script);
          return window.hacked;
        }"""
    )
    assert ran is None
    sent = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'blocked')")
    assert sent == "blocked"
    pumped(page, lambda: len(watch.troubles) >= 2)
    watch.troubles.clear()
