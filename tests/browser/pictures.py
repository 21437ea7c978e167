"""Takes the screenshots of docs/trader.md: `python -m tests.browser.pictures`.

An exchange with the demo's market runs for a while first, so that there is something to see.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from indexer.devnet.traders.market_history import MAX_DAYS
from tests.browser import chromium
from tests.browser.watch import until
from tests.browser.world import World

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
LIVELY_SECONDS = 30
TRADE = "trade.html?base=PEK&quote=SWAP.HIVE"


def main() -> None:
    """Take all screenshots."""
    with tempfile.TemporaryDirectory() as home:
        world = World(Path(home), MAX_DAYS)
        try:
            time.sleep(LIVELY_SECONDS)
            take_all(world)
        finally:
            world.close()


def place_orders(world: World, name: str) -> None:
    """Orders around the last price, one with a stop loss, and a waiting stop: lines in the chart, rows below it."""
    row = next(row for row in world.get("pairs")["pairs"] if row["quote"] == "SWAP.HIVE")
    last = round(float(row["last_price"]) * 10**6)
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}

    def price(permille: int) -> str:
        return f"{last * permille // 1000 / 10**6:.6f}"

    stop = {"stopPrice": price(975), "stopLimit": price(950)}
    world.act(name, "sell", **pair, quantity="25000", price=price(1020), **stop)
    world.act(name, "buy", **pair, quantity="40000", price=price(985))
    trigger = {"triggerPrice": price(970), "triggerWhen": "below"}
    world.act(name, "sell", **pair, quantity="15000", price=price(965), **trigger)
    world.wait(f"orders?user={name}", lambda body: len(body["orders"]) == 3)


def take_all(world: World) -> None:
    name = world.trader()
    place_orders(world, name)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.installed())
        for theme, width, height, pictures in (
            ("dark", 1360, 850, (markets, trade, review)),
            ("light", 1180, 780, (transfer, audit)),
            ("light", 390, 800, (phone,)),
        ):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if theme == "dark" else "light",
                locale="en-GB",
                timezone_id="UTC",
            )
            context.add_init_script(
                f"localStorage.setItem('peakedex.account', '{name}'); localStorage.setItem('peakedex.wallet', 'practice');"
            )
            page = context.new_page()
            for picture in pictures:
                picture(page, world)
            context.close()
        browser.close()


def shoot(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def visit(page: Page, world: World, path: str) -> None:
    page.goto(f"{world.site}/{path}")
    until(page, "document.querySelector('.dot.live') !== null")
    until(
        page, "document.querySelectorAll('main .skeleton-row, main .skeleton-bar').length === 0", seconds=60
    )
    page.wait_for_timeout(1500)
    until(page, "document.querySelector('.banner') === null")  # on a busy machine it is behind for a while


def markets(page: Page, world: World) -> None:
    visit(page, world, "")
    shoot(page, "markets")


def trade(page: Page, world: World) -> None:
    visit(page, world, TRADE)
    level = page.locator("#book .bids .levels tbody tr button").nth(2)
    page.locator("#ticket-price").fill(level.inner_text().strip())
    page.locator("#ticket-amount").fill("12500")
    shoot(page, "trade")


def review(page: Page, world: World) -> None:
    page.locator("#ticket").get_by_role("button", name="Buy PEK").click()
    page.locator("dialog .sentence").wait_for()
    page.locator("dialog").screenshot(path=IMAGES / "review.png")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.locator(".toast.ok").wait_for()
    page.locator(".toasts").screenshot(path=IMAGES / "toast.png")


def transfer(page: Page, world: World) -> None:
    visit(page, world, "transfer.html?symbol=HBD")
    page.get_by_label("Amount").fill("25")
    page.wait_for_timeout(500)
    shoot(page, "transfer")


def audit(page: Page, world: World) -> None:
    visit(page, world, "audit.html")
    shoot(page, "audit")


def phone(page: Page, world: World) -> None:
    visit(page, world, TRADE)
    shoot(page, "phone")


if __name__ == "__main__":
    main()
