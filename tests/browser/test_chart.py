"""The candle chart as it is drawn: labels of its axes, and lines of the trader's orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import open_context, serve_files
from tests.browser.venue import venue
from tests.browser.watch import DRAWN_TEXTS, until

OpenBlank = Callable[..., Page]

ORIGIN = "https://site.test"
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
DRAW = """async ([venue, candles, areDays, orders]) => {
  const { market } = await import("/js/lib/amounts.js");
  const { CandleChart } = await import("/js/trade/candle-chart.js");
  const library = await import("/vendor/lightweight-charts.js");
  const box = document.createElement("div");
  box.style.cssText = "width: 900px; height: 560px";
  document.body.append(box);
  const pair = market(venue, "PEK", "SWAP.HIVE");
  const chart = new CandleChart(library, box, pair, { onCrosshair: (time) => { globalThis.pointed = time; }, onStart() {} });
  chart.setCandles(candles.map((candle) => [Date.parse(candle.ts) / 1000, candle]), areDays);
  chart.fit();
  chart.showOrders(orders);
  const frame = () => new Promise(requestAnimationFrame);
  for (let count = 0; count < 4; count += 1) await frame();
  drawn.length = 0;
  chart.applyTheme(); // draws everything once more
  for (let count = 0; count < 4; count += 1) await frame();
  return drawn;
}"""


@pytest.fixture
def open_blank(browser: Browser) -> Iterator[OpenBlank]:
    """Open a blank page of the site in a time zone."""
    with ExitStack() as contexts:

        def open_page(zone: str = "UTC") -> Page:
            context = contexts.enter_context(open_context(browser, timezone_id=zone))
            context.add_init_script(DRAWN_TEXTS)
            serve_files(context, ORIGIN)
            page = context.new_page()
            page.goto(f"{ORIGIN}/blank.html")
            return page

        yield open_page


def price(ticks: int) -> str:
    return f"{ticks // 10**6}.{ticks % 10**6:06}"


def candle(time: datetime, low: int, high: int, close: int) -> dict[str, str]:
    prices = {"open": price(low), "high": price(high), "low": price(low), "close": price(close)}
    return {"ts": time.strftime("%Y-%m-%dT%H:%M:%SZ"), **prices, "volume": "5.00"}


def drawn(page: Page, candles: list[dict[str, str]], *, days: bool = False, orders: Any = ()) -> list[str]:
    texts: list[str] = page.evaluate(DRAW, [venue(), candles, days, list(orders)])
    return texts


@pytest.mark.parametrize("span", [3, 5, 8, 11, 14, 19, 23, 30, 37, 60, 101, 257, 1003, 25_013])
def test_prices_on_the_axis_are_even_steps_of_ticks(open_blank: OpenBlank, span: int) -> None:
    """No label is rounded: the same number of ticks lies between all of them."""
    start = datetime(2026, 11, 29, 12, tzinfo=UTC)
    low, last = 400_001, 400_002
    candles = [candle(start + timedelta(minutes=at), low, low + span, last) for at in range(20)]
    texts = drawn(open_blank(), candles)
    ticks = sorted({round(float(text) * 10**6) for text in texts if text.startswith("0.") and len(text) == 8})
    assert last in ticks
    steps = [b - a for a, b in pairwise(one for one in ticks if one != last)]
    step = min(steps)
    assert len(steps) >= 2
    gap = last in range(ticks[0], ticks[-1]) and (last - ticks[0]) % step == 0  # the last price hides a label
    assert set(steps) <= ({step, 2 * step} if gap else {step})
    assert steps.count(2 * step) <= 1
    assert str(step).rstrip("0") in ("1", "2", "5", "25")


@pytest.mark.parametrize(
    "zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]
)
def test_days_on_the_time_axis_begin_at_local_midnight(open_blank: OpenBlank, zone: str) -> None:
    """Each label of a day stands for local midnight: local times that follow it are of that day."""
    start = datetime(2026, 7, 3, 0, 0, tzinfo=UTC)
    candles = [candle(start + timedelta(hours=at), 400_000, 400_100, 400_050) for at in range(60)]
    page = open_blank(zone)
    midnights = page.evaluate(
        """(times) => times.map((ts) => new Date(ts)).filter((date) => date.getHours() === 0)
          .map((date) => date.getDate())""",
        [one["ts"] for one in candles],
    )
    texts = drawn(page, candles)
    days = [int(text.split()[0]) for text in texts if text.endswith(" Jul")]
    assert days
    assert set(days) <= set(midnights)
    assert not [text for text in texts if text.startswith("24:")]


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Apia"])
def test_candles_of_days_have_the_date_of_utc(open_blank: OpenBlank, zone: str) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    candles = [candle(start + timedelta(days=at), 400_000, 400_100, 400_050) for at in range(12)]
    page = open_blank(zone)
    drawn(page, candles, days=True)
    page.mouse.move(700, 200)
    label = until(page, r"drawn.findLast((text) => /^\d+ May 2026$/.test(text)) ?? null")
    day = page.evaluate("new Date(pointed * 1000).toISOString()")
    assert day == f"2026-05-{int(label.split()[0]):02}T00:00:00.000Z"


def order(**changes: Any) -> dict[str, Any]:
    row = {"side": "sell", "type": "limit", "price": "0.400060", "quantity": "700.00000000"}
    row |= {"remaining": "700.00000000", "quantity_symbol": "PEK", "status": "open"}
    return {**row, "trigger_price": None, "trigger_when": None, "stop_price": None, "stop_of": None} | changes


def test_own_orders_and_stops_are_lines_with_label_and_price(open_blank: OpenBlank) -> None:
    start = datetime(2026, 11, 29, 12, tzinfo=UTC)
    candles = [candle(start + timedelta(minutes=at), 400_000, 400_100, 400_050) for at in range(20)]
    stop = {"status": "waiting", "trigger_price": "0.400020", "trigger_when": "below"}
    profit = {"status": "waiting", "trigger_price": "0.400090", "trigger_when": "above"}
    orders = [
        order(remaining="500.50000000", stop_price="0.400010", stop_limit="0.400000"),
        order(remaining="99.50000000"),
        order(side="buy", price="0.400030"),
        order(**stop, price="0.400015"),
        order(**profit, type="market", price="0.400080"),
        order(**profit, side="buy", price="0.400095") | {"trigger_price": "0.400085"},
    ]
    texts = drawn(open_blank(), candles, orders=orders)
    labels = {
        "Sell 600 (2 orders)": "0.400060",
        "Buy 700": "0.400030",
        "Stop loss: sell 500.50 PEK": "0.400010",
        "Stop-limit: sell 700 PEK at 0.400015": "0.400020",
        "Take-profit market: sell 700 PEK": "0.400090",
        "Stop-limit: buy 700 PEK at 0.400095": "0.400085",
    }
    for label, value in labels.items():
        assert label in texts
        assert value in texts


def test_own_orders_near_the_candles_are_in_view_and_far_ones_do_not_flatten_them(
    open_blank: OpenBlank,
) -> None:
    start = datetime(2026, 11, 29, 12, tzinfo=UTC)
    candles = [candle(start + timedelta(minutes=at), 400_000, 400_100, 400_050) for at in range(20)]
    orders = [
        order(side="buy", price="0.399960"),
        order(price="0.400140"),
        order(side="buy", price="0.300000"),
        order(price="0.500000"),
        order(side="buy", price="0.600000", status="waiting", trigger_price="0.600000", trigger_when="above"),
    ]
    shown = drawn(open_blank(), candles, orders=orders)
    assert {"▼ Buy 700 at 0.300000", "▲ 2 orders above"} <= set(shown), "marks at the edges"
    texts = {text for text in shown if len(text) == 8}
    axis = {
        round(float(text) * 10**6) for text in texts - {one["price"] for one in orders} if text[:2] == "0."
    }
    assert 399_800 < min(axis) < 399_960
    assert 400_140 < max(axis) < 400_300


def test_the_lines_of_many_orders_have_no_labels(open_blank: OpenBlank) -> None:
    """They would cover the candles; a stop keeps its label."""
    candles = [candle(NOON + timedelta(minutes=at), 400_000, 400_100, 400_050) for at in range(20)]
    orders = [order(price=price(400_051 + at)) for at in range(9)]
    stop = order(status="waiting", type="market", trigger_price="0.400020", trigger_when="below")
    texts = drawn(open_blank(), candles, orders=[*orders, stop])
    assert "Stop-market: sell 700 PEK" in texts
    assert "Sell 700" not in texts


def test_the_price_axis_has_no_price_below_zero(open_blank: OpenBlank) -> None:
    start = datetime(2026, 11, 29, 12, tzinfo=UTC)
    candles = [candle(start + timedelta(minutes=at), 10 + at, 500, 300) for at in range(20)]
    texts = drawn(open_blank(), candles, orders=[order(side="buy", price="0.000001")])
    assert "0.000300" in texts
    assert not [text for text in texts if text.startswith(("-", "\u2212"))]


def test_the_depth_chart_shows_the_sum_at_the_pointer(open_blank: OpenBlank) -> None:
    page = open_blank()
    page.evaluate(
        """async (venue) => {
          const { market } = await import("/js/lib/amounts.js");
          const { DepthChart } = await import("/js/trade/depth-chart.js");
          const { OrderBook } = await import("/js/data/order-book.js");
          const pair = market(venue, "PEK", "SWAP.HIVE");
          const book = new OrderBook(pair);
          const level = (price, amount) => ({ price, amount, orders: 1 });
          book.load({
            bids: [level("0.400000", "1.50"), level("0.390000", "2.00")],
            asks: [level("0.410000", "3.00"), level("0.420000", "4.25")],
          });
          const chart = new DepthChart(pair);
          chart.node.style.cssText = "position: absolute; inset: 0; width: 900px; height: 400px";
          document.body.append(chart.node);
          chart.show(book);
        }""",
        venue(),
    )
    for x, text in {5: "Bids down to 0.390", 430: "Bids down to 0.404", 895: "Asks up to 0.419"}.items():
        page.evaluate("drawn.length = 0")
        page.mouse.move(x, 200)
        shown = until(page, f"drawn.findLast((one) => one.startsWith({text!r})) ?? null")
        amount = {5: "1.50 PEK", 430: "0.00 PEK", 895: "3.00 PEK"}[x]
        assert shown.endswith(amount)


FOLLOW = """async () => {
  const { Candles } = await import("/js/data/candles.js");
  globalThis.missed = [];
  globalThis.candles = new Candles({ base: "PEK", quote: "SWAP.HIVE" }, "1m", 0, (isReplaced) => missed.push(isReplaced));
  await candles.load();
}"""


class CandleApi:
    """/api/candles as of a block: a candle a minute since noon."""

    def __init__(self) -> None:
        self.block = 100
        self.minutes = 3
        self.failures = 0
        self.asked: list[dict[str, str]] = []

    def minute(self, at: int, trades: int = 1) -> dict[str, Any]:
        return candle(NOON + timedelta(minutes=at), 400_000 + at, 400_100 + at, 400_050 + at) | {
            "trades": trades
        }

    def answer(self, path: str) -> Any:
        asked = dict(parse_qsl(path.partition("?")[2]))
        self.asked.append(asked)
        if self.failures:
            self.failures -= 1
            return None
        first = max(0, (int(asked.get("from", 0)) - int(NOON.timestamp())) // 60)
        found = [self.minute(at) for at in range(first, self.minutes)]
        limit = int(asked["limit"])
        return {
            "block": self.block,
            "candles": found[-limit:],
            "next_cursor": "older" if len(found) > limit else None,
        }


@pytest.fixture
def candle_api() -> CandleApi:
    return CandleApi()


@pytest.fixture
def followed(context: BrowserContext, candle_api: CandleApi) -> Page:
    """A blank page with the candles of three minutes, as of block 100."""
    serve_files(context, ORIGIN, candle_api.answer)
    page = context.new_page()
    page.goto(f"{ORIGIN}/blank.html")
    page.evaluate(FOLLOW)
    return page


def minutes(page: Page) -> list[int]:
    """Minutes since noon of the candles that are held."""
    held: list[int] = page.evaluate("candles.times")
    return [(time - int(NOON.timestamp())) // 60 for time in held]


def apply(page: Page, kind: str, block: int, candle: dict[str, Any] | None) -> bool:
    applied: bool = page.evaluate("(message) => candles.apply(...message)", [kind, block, candle])
    return applied


def test_candles_of_skipped_blocks_are_read_again(followed: Page, candle_api: CandleApi) -> None:
    """As when an indexer catches up: the stream begins anew with a later block, whose candle is not the next one."""
    apply(followed, "change", 101, candle_api.minute(3))
    candle_api.block, candle_api.minutes = 200, 10
    apply(followed, "snapshot", 200, candle_api.minute(9))
    until(followed, "missed.length === 1")
    assert minutes(followed) == list(range(10))
    assert candle_api.asked[1]["from"] == str(int(NOON.timestamp()) + 180), "only what may be missing"
    apply(followed, "snapshot", 200, candle_api.minute(9))  # as when an account is chosen
    apply(followed, "change", 201, candle_api.minute(10))
    assert minutes(followed) == list(range(11))
    assert len(candle_api.asked) == 2


def test_an_answer_older_than_the_stream_and_a_failed_one_are_asked_for_again(
    followed: Page, candle_api: CandleApi
) -> None:
    candle_api.failures = 1
    apply(followed, "snapshot", 200, candle_api.minute(9))  # the API answers as of block 100 still
    until(followed, "missed.length > 0")
    candle_api.block, candle_api.minutes = 200, 10
    apply(followed, "change", 201, candle_api.minute(10))
    until(followed, "candles.times.length === 11")
    assert minutes(followed) == list(range(11))


def test_after_more_than_a_page_of_skipped_candles_older_ones_are_dropped(
    followed: Page, candle_api: CandleApi
) -> None:
    candle_api.block, candle_api.minutes = 900, 700
    apply(followed, "snapshot", 900, candle_api.minute(699))
    until(followed, "missed.length === 1")
    assert minutes(followed) == list(range(200, 700))
    assert followed.evaluate("[missed, candles.hasAll]") == [[True], False]


def test_an_older_state_of_a_candle_does_not_replace_a_newer_one(
    followed: Page, candle_api: CandleApi
) -> None:
    apply(followed, "change", 101, candle_api.minute(2, trades=5))
    apply(followed, "change", 102, candle_api.minute(2, trades=4))
    assert followed.evaluate("candles.byTime.get(candles.times.at(-1)).trades") == 5
    assert not apply(followed, "snapshot", 50, candle_api.minute(1)), "another history: load anew"
