"""Times and numbers in other time zones and locales: local time, but always in the site's own notation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import TIMEOUT_MS, serve_files
from tests.browser.watch import DRAWN_TEXTS, until
from tests.browser.world import World
from tests.support.waiting import wait_until

ZONES = ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]
LOCALES = ["de-DE", "ar-EG", "hi-IN", "fa-IR"]
FOREIGN_DIGITS = re.compile("[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\u066b\u066c\u202f]")
TRADE = "trade.html?base=PEK&quote=SWAP.HIVE"


@pytest.fixture(scope="module")
def resident(world: World) -> str:
    name = world.trader()
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    world.act(name, "sell", symbol="PEK", quote="HBD", quantity="20000", price="0.9")
    world.act(name, "marketBuy", **pair, quantity="2")
    world.act(name, "withdraw", symbol="HBD", quantity="2.5", to="no-such-account")
    world.wait(f"withdrawals?user={name}", lambda body: body["withdrawals"])
    return name


def visit(browser: Browser, world: World, name: str, path: str, zone: str, locale: str) -> Page:
    context = browser.new_context(timezone_id=zone, locale=locale, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    context.add_init_script(f"localStorage.setItem('peakedex.account', '{name}');{DRAWN_TEXTS}")
    page = context.new_page()
    page.goto(f"{world.site}/{path}")
    until(page, "document.querySelector('.dot.live') !== null")
    until(page, "document.querySelectorAll('main .skeleton-row, main .skeleton-bar').length === 0")
    return page


def texts(page: Page) -> dict[str, str]:
    """What the panels of the trading screen say, and what is drawn in the chart."""
    chart = chart_texts(page)
    page.get_by_role("tab", name="Trade history").click()
    expect(page.locator("#account tbody tr:not(.skeleton-row)").first).to_be_visible()
    panels: dict[str, str] = page.evaluate(
        "Object.fromEntries(['book', 'trades', 'account', 'ticket', 'pair-bar']"
        ".map((id) => [id, document.getElementById(id).innerText]))"
    )
    return panels | {"chart": chart}


def chart_texts(page: Page) -> str:
    """What is drawn in the chart, once two drawings in a row are alike: the first ones may be of a part."""
    drawings: list[str] = []

    def is_settled() -> bool:
        page.evaluate("drawn.length = 0; document.documentElement.dispatchEvent(new Event('themechange'))")
        until(page, "drawn.length >= 5")
        drawings.append(" ".join(sorted(set(page.evaluate("drawn")))))
        return len(drawings) > 1 and drawings[-2] == drawings[-1]

    until(page, "drawn.length >= 5")
    wait_until(is_settled, what="two drawings of the chart that are alike")
    return drawings[-1]


@pytest.mark.parametrize(("zone", "locale"), list(zip(ZONES, LOCALES, strict=True)))
def test_every_locale_shows_the_same(
    browser: Browser, world: World, resident: str, zone: str, locale: str
) -> None:
    """Digits, separators, order of the date and 24 hours are the site's own."""
    shown = []
    for name in ("en-GB", locale):
        page = visit(browser, world, resident, TRADE, zone, name)
        shown.append(texts(page))
        page.context.close()
    assert shown[1] == shown[0]
    assert not FOREIGN_DIGITS.search(str(shown))


@pytest.mark.parametrize("zone", ZONES)
def test_times_are_local_and_tooltips_are_utc(
    browser: Browser, world: World, resident: str, zone: str
) -> None:
    page = visit(browser, world, resident, TRADE, zone, "ar-EG")
    [trade, *_] = world.get("history?base=PEK&quote=SWAP.HIVE&limit=1")["trades"]
    local = datetime.fromisoformat(trade["ts"]).astimezone(ZoneInfo(zone))
    first = page.locator("#trades tbody tr").first.locator("td").last
    expect(first).to_have_text(f"{local:%H:%M:%S}")
    expect(first).to_have_attribute("title", f"{trade['ts'][:10]} {trade['ts'][11:19]} UTC")
    placed = page.locator("#account tbody tr").first.locator("td").nth(6)
    [order] = world.get(f"orders?user={resident}&status=open")["orders"]
    local = datetime.fromisoformat(order["ts"]).astimezone(ZoneInfo(zone))
    assert placed.text_content() == f"{local.day} {local:%b, %H:%M}"
    page.context.close()


@pytest.mark.parametrize(
    ("path", "locale"),
    list(zip(["", "portfolio.html", "transfer.html", "audit.html"], LOCALES[::-1], strict=True)),
)
def test_every_page_shows_the_site_s_own_digits(
    browser: Browser, world: World, resident: str, path: str, locale: str
) -> None:
    page = visit(browser, world, resident, path, "Asia/Kathmandu", locale)
    if path == "portfolio.html":
        expect(page.locator("#history-title")).to_be_visible()
    assert not FOREIGN_DIGITS.search(page.locator("body").inner_text())
    page.context.close()


# -- lib/format.js -----------------------------------------------------------------------------------------------

FORMAT = """async (times) => {
  const { hourMinute, timeOfDay, day, dayAndTime, utcDay } = await import("/js/lib/format.js");
  return times.map((ts) => [hourMinute(ts), timeOfDay(Date.parse(ts)), day(ts), dayAndTime(ts), utcDay(ts)]);
}"""


@pytest.fixture(params=[("UTC", "en-US"), ("Asia/Kathmandu", "ar-EG"), ("Pacific/Apia", "fa-IR")])
def clock(browser: Browser, request: pytest.FixtureRequest) -> Iterator[tuple[Page, ZoneInfo]]:
    zone, locale = request.param
    context = browser.new_context(timezone_id=zone, locale=locale)
    serve_files(context, "https://site.test")
    page = context.new_page()
    page.goto("https://site.test/blank.html")
    yield page, ZoneInfo(zone)
    context.close()


def test_the_hour_after_midnight_is_zero_and_other_years_are_named(clock: tuple[Page, ZoneInfo]) -> None:
    page, zone = clock
    year = datetime.now(UTC).astimezone(zone).year
    midnight = datetime(year, 3, 7, 0, 5, 9, tzinfo=zone)
    before = datetime(year - 1, 12, 31, 23, 59, 59, tzinfo=zone)
    times = [f"{one.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for one in (midnight, before)]
    found = page.evaluate(FORMAT, times)
    day = midnight.astimezone(UTC)
    assert found[0] == ["00:05", "00:05:09", "7 Mar", "7 Mar, 00:05", f"{day.day} Mar {year}"]
    last = before.astimezone(UTC)
    texts = [
        "23:59",
        "23:59:59",
        f"31 Dec {year - 1}",
        f"31 Dec {year - 1}, 23:59",
        f"{last.day} Dec {year - 1}",
    ]
    assert found[1] == texts
