"""Live data: whatever happens to the stream, the displayed book becomes that of a new snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.watch import held, routed, until
from tests.browser.world import World
from tests.support.waiting import wait_until

MAX_ROWS = 40  # of a side of the book on the screen
TRADE = "trade.html?base=PEK&quote=SWAP.HIVE"
SEEN = """(side) => [...document.querySelectorAll(`#book .${side} .levels tbody tr:not(.skeleton-row)`)].map((row) =>
  [row.querySelector("button").textContent, row.children[1].textContent.replaceAll(",", "")])"""
# Fault injection into the page's stream: drops every third change, or delivers all twice or late.
MANGLE = """(() => {
  const listen = EventSource.prototype.addEventListener;
  let count = 0;
  window.changes = 0;
  EventSource.prototype.addEventListener = function (name, listener, ...rest) {
    const mangled = name !== "change" ? listener : (event) => {
      window.changes += 1;
      count += 1;
      if (window.mangle === "drop" && count % 3 === 0) return;
      if (window.mangle === "twice") listener(event);
      if (window.mangle === "late") setTimeout(() => listener(event), 300);
      else listener(event);
    };
    return listen.call(this, name, mangled, ...rest);
  };
})();"""


Move = Callable[..., None]


@pytest.fixture
def moving(world: World) -> Iterator[Move]:
    """A function that lets the bots trade for some blocks, and until that is enough."""

    def move(is_enough: Callable[[], object] = lambda: True) -> None:
        before = world.node.chain.head
        world.jobs.append(world.bots.step)
        wait_until(lambda: world.node.chain.head >= before + 8 and is_enough())
        world.jobs.remove(world.bots.step)
        world.fill_book()  # the bots may have taken a whole side

    yield move
    if world.bots.step in world.jobs:
        world.jobs.remove(world.bots.step)


def fresh(world: World, side: str) -> list[list[str]]:
    """Levels of a new snapshot in the page's format, with two amount decimals."""
    body = world.get("orderbook?base=PEK&quote=SWAP.HIVE&depth=500")
    return [[row["price"], row["amount"][:-6]] for row in body[side]]


def expect_current_book(page: Page, world: World) -> None:
    """Wait until the displayed book equals a new snapshot."""
    until(page, "document.querySelectorAll('#book .levels tbody tr:not(.skeleton-row)').length > 8")
    wrong: dict[str, Any] = {}

    def is_true() -> bool:
        shown = {
            "asks": page.evaluate(SEEN, "asks")[::-1],
            "bids": page.evaluate(SEEN, "bids"),
        }  # the best ask is last
        true = {side: fresh(world, side)[:MAX_ROWS] for side in shown}
        wrong.update(
            {
                side: [pair for pair in zip_longest(shown[side], true[side]) if pair[0] != pair[1]]
                for side in shown
            }
        )
        return shown == true

    wait_until(is_true, what=lambda: f"the true book shown; they differ: {wrong}", poll=0.2)


@pytest.fixture
def trade(context: BrowserContext, world: World) -> Callable[[], Page]:
    """Open the trading screen unwatched: the browser logs failing requests to the console."""

    def open_page() -> Page:
        page = context.new_page()
        page.goto(f"{world.site}/{TRADE}")
        return page

    return open_page


def state(page: Page, name: str) -> None:
    expect(page.locator(f".dot.{name}")).to_be_visible()


@pytest.mark.parametrize("mangle", ["", "drop", "twice", "late"])
def test_lost_duplicate_and_late_changes(
    trade: Callable[[], Page], context: BrowserContext, world: World, moving: Move, mangle: str
) -> None:
    context.add_init_script(MANGLE)
    context.add_init_script(f"window.mangle = {mangle!r};")
    page = trade()
    state(page, "live")
    expect_current_book(page, world)
    moving(lambda: page.evaluate("changes > 3"))
    page.evaluate("window.mangle = ''")
    expect_current_book(page, world)
    state(page, "live")


def test_a_lost_connection_is_shown_and_recovers(
    trade: Callable[[], Page], context: BrowserContext, world: World, moving: Move
) -> None:
    page = trade()
    state(page, "live")
    expect_current_book(page, world)  # what is still loading would end as well
    context.set_offline(True)
    page.evaluate("window.stop()")  # what is open ends as well
    expect(page.locator(".dot.broken, .dot.connecting").first).to_be_visible()
    moving()
    context.set_offline(False)
    expect_current_book(page, world)
    state(page, "live")


# What the page resumes from is made older than the server keeps.
LATE = """(() => {
  const Source = EventSource;
  window.EventSource = class extends Source {
    constructor(url) {
      const late = new URL(url);
      if (late.searchParams.has("last_event_id")) {
        late.searchParams.set("last_event_id", "1-00000000");
        window.resumed = true;
      }
      super(late.href);
    }
  };
})();"""


def test_a_resume_that_comes_too_late_gets_a_snapshot(
    trade: Callable[[], Page], context: BrowserContext, world: World, moving: Move
) -> None:
    context.add_init_script(LATE)
    page = trade()
    expect_current_book(page, world)
    # The first request fails, so that the next one resumes.
    context.route("**/api/stream**", lambda route: route.abort(), times=1)
    page.evaluate("window.stop()")
    moving()
    until(page, "window.resumed === true")
    expect_current_book(page, world)
    state(page, "live")


def test_without_the_stream_it_polls(
    trade: Callable[[], Page], context: BrowserContext, world: World, moving: Move
) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"code": "E_STREAMS"})

    with routed(context, "**/api/stream**", refuse):
        page = trade()
        state(page, "polling")
        expect_current_book(page, world)
        moving()
        expect_current_book(page, world)
    state(page, "live")
    expect_current_book(page, world)


def test_a_slow_api_shows_skeletons_first(
    trade: Callable[[], Page], context: BrowserContext, world: World
) -> None:
    with held(context, "**/api/stream**"):
        page = trade()
        expect(page.locator("#book .skeleton-bar").first).to_be_visible()
    expect_current_book(page, world)


def test_a_failing_api_is_shown_and_recovers(
    trade: Callable[[], Page], context: BrowserContext, world: World
) -> None:
    """The API answers 500 for a while: the page recovers without a reload."""
    failing: list[Any] = []

    def fail(route: Route) -> None:
        failing.append(route.request.url)
        route.fulfill(status=500, json={"detail": "Something went wrong on our side.", "code": "E_INTERNAL"})

    with routed(context, "**/api/**", fail):
        page = trade()
        expect(page.locator("#banners, main").first).to_be_visible()
        expect(page.locator("body")).to_contain_text("Something went wrong on our side.")
        assert failing
    expect_current_book(page, world)


def test_one_stream_for_all_tabs(context: BrowserContext, world: World) -> None:
    streams: list[str] = []
    context.on(
        "request", lambda request: streams.append(request.url) if "/api/stream" in request.url else None
    )
    pages = []
    for path in (TRADE, "", "audit.html"):
        page = context.new_page()
        page.goto(f"{world.site}/{path}")
        pages.append(page)
        state(page, "live")
    pages[1].wait_for_timeout(1500)
    alive = world.get("health")
    assert alive["database"] == "ok"
    assert len(streams) <= 4  # one connection, asked anew as tabs bring other wishes
    pages[0].close()  # the tab that had it
    for page in pages[1:]:
        page.wait_for_timeout(1500)
        state(page, "live")
