"""Times and numbers in other time zones and locales: local time, but always in the site's own notation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import open_blank, open_context
from tests.browser.watch import DRAWN_TEXTS, settled, until
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


Visit = Callable[[str, str, str], Page]


@pytest.fixture
def visit(browser: Browser, world: World, resident: str) -> Iterator[Visit]:
    """A function that opens a page in a time zone and a locale."""
    with ExitStack() as contexts:

        def open_page(path: str, zone: str, locale: str) -> Page:
            size: ViewportSize = {"width": 1440, "height": 900}
            context = contexts.enter_context(
                open_context(browser, timezone_id=zone, locale=locale, viewport=size)
            )
            context.add_init_script(f"localStorage.setItem('peakedex.account', '{resident}');{DRAWN_TEXTS}")
            page = context.new_page()
            page.goto(f"{world.site}/{path}")
            settled(page)
            return page

        yield open_page


def panels(page: Page) -> dict[str, str]:
    """What the panels of the trading screen say."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries(['book', 'trades', 'account', 'ticket', 'pair-bar']"
        ".map((id) => [id, document.getElementById(id).innerText]))"
    )
    return found


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
def test_every_locale_shows_the_same(visit: Visit, zone: str, locale: str) -> None:
    """Digits, separators, order of the date and 24 hours are the site's own."""
    british, foreign = (visit(TRADE, zone, name) for name in ("en-GB", locale))
    assert chart_texts(foreign) == chart_texts(british)
    for page in (british, foreign):
        page.get_by_role("tab", name="Trade history").click()
        expect(page.locator("#account tbody tr:not(.skeleton-row)").first).to_be_visible()
        expect(page.locator("#one-click-state")).to_be_visible()  # the last part to be loaded
    shown: list[dict[str, str]] = []

    def are_alike() -> bool:
        shown[:] = [panels(british), panels(foreign)]
        return shown[0] == shown[1]

    wait_until(are_alike, what=lambda: f"the same in both locales: {shown}")
    assert not FOREIGN_DIGITS.search(f"{shown[1]} {chart_texts(foreign)}")


@pytest.mark.parametrize("zone", ZONES)
def test_times_are_local_and_tooltips_are_utc(visit: Visit, world: World, resident: str, zone: str) -> None:
    page = visit(TRADE, zone, "ar-EG")
    [trade, *_] = world.get("history?base=PEK&quote=SWAP.HIVE&limit=1")["trades"]
    local = datetime.fromisoformat(trade["ts"]).astimezone(ZoneInfo(zone))
    first = page.locator("#trades tbody tr").first.locator("td").last
    expect(first).to_have_text(f"{local:%H:%M:%S}")
    expect(first).to_have_attribute("title", f"{trade['ts'][:10]} {trade['ts'][11:19]} UTC")
    placed = page.locator("#account tbody tr").first.locator("td").nth(6)
    [order] = world.get(f"orders?user={resident}&status=open")["orders"]
    local = datetime.fromisoformat(order["ts"]).astimezone(ZoneInfo(zone))
    expect(placed).to_have_text(f"{local.day} {local:%b, %H:%M}")


@pytest.mark.parametrize(
    ("path", "locale"),
    list(zip(["", "portfolio.html", "transfer.html", "audit.html"], LOCALES[::-1], strict=True)),
)
def test_every_page_shows_the_site_s_own_digits(visit: Visit, path: str, locale: str) -> None:
    page = visit(path, "Asia/Kathmandu", locale)
    if path == "portfolio.html":
        expect(page.locator("#history-title")).to_be_visible()
    assert not FOREIGN_DIGITS.search(page.locator("body").inner_text())


# -- lib/format.js -----------------------------------------------------------------------------------------------

FORMAT = """async (times) => {
  const { hourMinute, timeOfDay, day, dayAndTime, utcDay } = await import("/js/lib/format.js");
  return times.map((ts) => [hourMinute(ts), timeOfDay(Date.parse(ts)), day(ts), dayAndTime(ts), utcDay(ts)]);
}"""


@pytest.fixture(params=[("UTC", "en-US"), ("Asia/Kathmandu", "ar-EG"), ("Pacific/Apia", "fa-IR")])
def clock(browser: Browser, request: pytest.FixtureRequest) -> Iterator[tuple[Page, ZoneInfo]]:
    zone, locale = request.param
    with open_context(browser, timezone_id=zone, locale=locale) as context:
        yield open_blank(context), ZoneInfo(zone)


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
