"""The displayed order book equals that of a new snapshot after gaps, duplicates and reconnects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import serve_files
from tests.browser.venue import venue
from tests.browser.watch import until

ORIGIN = "https://live.test"
HEALTH = {
    "block": 100,
    "ts": "2026-09-21T14:13:53Z",
    "venue_hash": "ab" * 32,
    "journal_hash": "cd" * 32,
    "indexer": {"mode": "following", "lag": 0, "waiting_for": None},
}
Levels = dict[str, str]


def book(bids: Levels, asks: Levels) -> dict[str, Any]:
    def side(levels: Levels) -> list[dict[str, Any]]:
        return [{"price": price, "amount": f"{lots}.00000000", "orders": 1} for price, lots in levels.items()]

    return {"base": "PEK", "quote": "SWAP.HIVE", "bids": side(bids), "asks": side(asks)}


def event(kind: str, seq: int, books: list[dict[str, Any]], **more: Any) -> str:
    data = {
        "seq": seq,
        "block": 100 + seq,
        "ts": HEALTH["ts"],
        "journal_hash": "cd" * 32,
        "books": books,
        **more,
    }
    return f"event: {kind}\nid: {seq}-aa\ndata: {json.dumps(data)}\n\n"


class Stream:
    """Answers of /api/stream, one for each connection; the last one repeats."""

    def __init__(self, context: BrowserContext) -> None:
        self.bodies: list[str | int] = []
        self.asked: list[str] = []
        context.route(f"{ORIGIN}/api/stream**", self.answer)

    def answer(self, route: Route) -> None:
        self.asked.append(route.request.url)
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        if isinstance(body, int):
            route.fulfill(status=body, json={"detail": "no stream now"})
        else:
            route.fulfill(content_type="text/event-stream", body=f"retry: 2000\n\n{body}")


SNAPSHOT_BOOK = book({"0.000010": "5"}, {"0.000012": "7"})


def api(path: str) -> Any:
    """The paths that the order book needs; all others are missing."""
    name = path.split("?", maxsplit=1)[0]
    if name == "orderbook":
        return SNAPSHOT_BOOK
    if name == "candles":
        return {"candles": [], "next_cursor": None}
    return {"venue": venue(), "health": HEALTH}.get(name)


@pytest.fixture
def stream(context: BrowserContext) -> Stream:
    serve_files(context, ORIGIN, api)
    return Stream(context)


def visit(context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto(f"{ORIGIN}/trade.html?base=PEK&quote=SWAP.HIVE")
    return page


def expect_book(page: Page, bids: Levels, asks: Levels) -> None:
    """Wait for these levels: price and amount, highest price first."""
    for side, levels in (("bids", bids), ("asks", asks)):
        expected = [f"{price}{lots}.00" for price, lots in sorted(levels.items(), reverse=True)]
        rows = f".side.{side} tbody tr:not(.skeleton-row)"
        page.wait_for_function(
            "([rows, expected]) => JSON.stringify([...document.querySelectorAll(rows)].map((row) => "
            "row.children[0].innerText.trim() + row.children[1].innerText.trim())) === JSON.stringify(expected)",
            arg=[rows, expected],
        )


SNAPSHOT = event("snapshot", 1, [SNAPSHOT_BOOK])


def test_changes_are_applied_to_the_snapshot(stream: Stream, context: BrowserContext) -> None:
    change = book({"0.000010": "0", "0.000011": "2"}, {"0.000012": "6", "0.000013": "1"})
    stream.bodies = [SNAPSHOT + event("change", 2, [change], prev=1) + event("change", 3, [], prev=2)]
    expect_book(visit(context), {"0.000011": "2"}, {"0.000012": "6", "0.000013": "1"})


def test_a_pair_without_trades_has_no_newest_candle(stream: Stream, context: BrowserContext) -> None:
    """The rest of the event is displayed: the account's balance, which comes after the candle."""
    context.add_init_script("localStorage.setItem('peakedex.account', 'alice');")
    intervals = ("1m", "1h")
    candles = [{"base": "PEK", "quote": "SWAP.HIVE", "interval": each, "candle": None} for each in intervals]
    balance = {"symbol": "PEK", "available": "31.00000000", "locked": "0.00000000", "total": "31.00000000"}
    account = {"user": "alice", "balances": [balance], "orders": []}
    errors: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    stream.bodies = [
        SNAPSHOT,
        event("snapshot", 2, [SNAPSHOT_BOOK], candles=candles, accounts=[account]),
    ]
    page.goto(f"{ORIGIN}/trade.html?base=PEK&quote=SWAP.HIVE")
    page.locator("#ticket").get_by_role("button", name="Sell", exact=True).click()
    expect(page.locator("#ticket")).to_contain_text("31.00 PEK")
    assert errors == []


def test_a_gap_is_never_shown(stream: Stream, context: BrowserContext) -> None:
    lost = event("change", 4, [book({"0.000009": "9"}, {})], prev=3)
    stream.bodies = [SNAPSHOT + lost, event("snapshot", 4, [book({"0.000008": "1"}, {"0.000020": "3"})])]
    expect_book(visit(context), {"0.000008": "1"}, {"0.000020": "3"})
    assert "last_event_id" not in stream.asked[1]


def test_the_chart_reads_the_candles_of_skipped_blocks(stream: Stream, context: BrowserContext) -> None:
    """A page that is opened while the indexer catches up has no gap in its candles."""
    prices = dict.fromkeys(("open", "high", "low", "close"), "0.000011")
    candles = [{"ts": f"2026-09-21T14:0{at}:00Z", "volume": "1.00", "trades": 1, **prices} for at in range(4)]
    answers = [{"block": 101, "candles": candles[:1]}, {"block": 109, "candles": candles}]

    def answer(route: Route) -> None:
        route.fulfill(json=(answers.pop(0) if len(answers) > 1 else answers[0]) | {"next_cursor": None})

    def newest(candle: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"base": "PEK", "quote": "SWAP.HIVE", "interval": "1h", "candle": candle}]

    context.route(f"{ORIGIN}/api/candles**", answer)
    stream.bodies = [
        event("snapshot", 1, [SNAPSHOT_BOOK], candles=newest(candles[0])),
        event("snapshot", 9, [SNAPSHOT_BOOK], candles=newest(candles[3])),
    ]
    page = visit(context)
    page.get_by_role("tab", name="Table").click()
    expect(page.locator("#chart tbody tr")).to_have_count(4)


def test_figures_are_read_again_after_skipped_blocks(stream: Stream, context: BrowserContext) -> None:
    """The 24-hour figures of the pair: the trades that changed them came with no change."""
    figures = {
        "last_price": "0.000011",
        "change_24h_percent": "1.00",
        "high_24h": "0.000012",
        "low_24h": "0.000010",
    }
    pair = venue()["pairs"][0] | figures | {"base_volume_24h": "1.00", "quote_volume_24h": "1.00"}
    trades = [{"base": "PEK", "quote": "SWAP.HIVE", "trades": []}]
    context.route(f"{ORIGIN}/api/pairs", lambda route: route.fulfill(json={"pairs": [pair]}))
    stream.bodies = [
        event("snapshot", 1, [SNAPSHOT_BOOK], trades=trades),
        event("snapshot", 9, [SNAPSHOT_BOOK], trades=trades),
    ]
    page = visit(context)
    read = "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/api/pairs'))"
    until(page, f"{read}.length > 1")


def test_duplicate_changes_are_ignored(stream: Stream, context: BrowserContext) -> None:
    once = event("change", 2, [book({"0.000010": "1"}, {})], prev=1)
    after = event("change", 3, [book({"0.000010": "8"}, {})], prev=2)
    stream.bodies = [SNAPSHOT + once + after + once]
    expect_book(visit(context), {"0.000010": "8"}, {"0.000012": "7"})


def test_a_cut_stream_resumes(stream: Stream, context: BrowserContext) -> None:
    stream.bodies = [
        SNAPSHOT,
        event("change", 2, [book({"0.000010": "4"}, {})], prev=1),
        event("head", 2, []),
    ]
    expect_book(visit(context), {"0.000010": "4"}, {"0.000012": "7"})
    assert "last_event_id=1-aa" in stream.asked[1]


def test_a_new_page_sends_one_request(stream: Stream, context: BrowserContext) -> None:
    """The tab becomes the leader while its own subscription is still debounced: one request covers both."""
    stream.bodies = [SNAPSHOT, event("head", 2, [])]
    page = context.new_page()
    page.goto(f"{ORIGIN}/blank.html")
    script = "import('/js/data/stream.js').then(({ subscribe }) => void subscribe(['book:PEK/SWAP.HIVE'], () => {}))"
    page.evaluate(script)
    while len(stream.asked) < 2:
        page.wait_for_event("request")
    assert "last_event_id=1-aa" in stream.asked[1], "a cut connection goes on: nothing else asks"


def test_a_server_that_cannot_resume_sends_a_new_snapshot(stream: Stream, context: BrowserContext) -> None:
    anew = "event: reset\ndata: {}\n\n" + event("snapshot", 900, [book({"0.000002": "2"}, {})])
    stream.bodies = [SNAPSHOT, anew, event("head", 900, [])]
    expect_book(visit(context), {"0.000002": "2"}, {})


def test_without_a_stream_the_page_polls(stream: Stream, context: BrowserContext) -> None:
    stream.bodies = [503]
    page = visit(context)
    expect_book(page, {"0.000010": "5"}, {"0.000012": "7"})
    expect(page.locator(".status-bar .dot")).to_have_text("Updates every 5 s")
    assert len(stream.asked) >= 3


def test_market_orders_are_disabled_while_behind_the_chain(stream: Stream, context: BrowserContext) -> None:
    head = f"event: head\ndata: {json.dumps({'block': 101, 'ts': HEALTH['ts'], 'lag': 21, 'mode': 'following'})}\n\n"
    stream.bodies = [SNAPSHOT + head]
    page = visit(context)
    expect(page.locator("#banners")).to_contain_text("21 blocks behind the chain")
    page.get_by_role("button", name="Market", exact=True).click()
    expect(page.locator(".ticket-panel .submit-row .note")).to_contain_text("Market orders are disabled")
