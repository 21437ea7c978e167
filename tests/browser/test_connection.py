"""js/data/feed.js on a fake EventSource: requests, published messages, and backoff. The trading screen without an API."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import serve_files
from tests.browser.venue import venue

# A fake EventSource that the test drives, and timers that run on request.
STAND_IN = """async () => {
  globalThis.sources = [];
  globalThis.EventSource = class extends EventTarget {
    constructor(url) { super(); this.url = new URL(url); this.open = true; sources.push(this); }
    close() { this.open = false; }
    say(type, data, id = "") {
      this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId: id }));
    }
    fail() { this.onerror(new Event("error")); }
  };
  const { Feed } = await import("/js/data/feed.js");
  globalThis.timers = [];
  globalThis.setTimeout = (work, ms) => timers.push({ work, ms });
  globalThis.clearTimeout = (n) => { if (timers[n - 1]) timers[n - 1].work = null; };
  globalThis.due = () => timers.findLast((timer) => timer.work);
  globalThis.published = [];
  globalThis.feed = new Feed((message) => published.push(message));
}"""


@pytest.fixture
def feed(blank: Page) -> Page:
    blank.evaluate(STAND_IN)
    return blank


def say(page: Page, kind: str, data: dict[str, Any], id_: str = "") -> None:
    page.evaluate("([kind, data, id]) => sources.at(-1).say(kind, data, id)", [kind, data, id_])


def published(page: Page) -> list[str]:
    """Messages published so far: the state, or the kind and its number."""
    script = "published.map(({ kind, data }) => (kind === 'state' ? data.state : `${kind} ${data.seq ?? data.block}`))"
    words: list[str] = page.evaluate(script)
    return words


def connection(page: Page) -> dict[str, str]:
    """Parameters of the newest connection, and the number of connections as `n`."""
    found: dict[str, str] = page.evaluate("Object.fromEntries(sources.at(-1).url.searchParams)")
    return found | {"n": page.evaluate("String(sources.length)")}


def begin(page: Page) -> None:
    page.evaluate("feed.start(['block', 'book:PEK/SWAP.HIVE'])")
    say(page, "snapshot", {"seq": 7}, "7-aa")


def test_changes_in_sequence_are_published(feed: Page) -> None:
    begin(feed)
    assert connection(feed) == {"topics": "block,book:PEK/SWAP.HIVE", "n": "1"}
    say(feed, "change", {"seq": 8, "prev": 7}, "8-bb")
    say(feed, "head", {"block": 100})
    say(feed, "change", {"seq": 9, "prev": 8}, "9-cc")
    assert published(feed) == ["connecting", "live", "snapshot 7", "change 8", "head 100", "change 9"]


def test_a_duplicate_change_is_dropped(feed: Page) -> None:
    begin(feed)
    for _ in range(2):
        say(feed, "change", {"seq": 8, "prev": 7}, "8-bb")
    assert published(feed)[-2:] == ["snapshot 7", "change 8"]


def test_a_gap_requests_a_new_snapshot(feed: Page) -> None:
    begin(feed)
    say(feed, "change", {"seq": 9, "prev": 8}, "9-cc")
    assert published(feed)[-1] == "connecting"
    assert connection(feed) == {"topics": "block,book:PEK/SWAP.HIVE", "n": "2"}
    assert not feed.evaluate("sources[0].open")
    say(feed, "snapshot", {"seq": 9}, "9-cc")
    assert published(feed)[-1] == "snapshot 9"


def test_a_change_without_a_snapshot_is_a_gap(feed: Page) -> None:
    feed.evaluate("feed.start(['block'])")
    say(feed, "change", {"seq": 9, "prev": 8}, "9-cc")
    assert connection(feed)["n"] == "2"


def test_a_reset_discards_the_position(feed: Page) -> None:
    begin(feed)
    feed.evaluate("sources.at(-1).say('reset', { reason: 'too old' }); sources.at(-1).fail(); feed.connect()")
    assert "last_event_id" not in connection(feed)


def test_a_lost_connection_resumes_after_the_last_event(feed: Page) -> None:
    begin(feed)
    say(feed, "change", {"seq": 8, "prev": 7}, "8-bb")
    feed.evaluate("sources.at(-1).fail()")
    assert published(feed)[-1] == "connecting"
    assert 500 <= feed.evaluate("due().ms") <= 1000
    feed.evaluate("due().work()")
    assert connection(feed)["last_event_id"] == "8-bb"
    say(feed, "change", {"seq": 9, "prev": 8}, "9-cc")
    assert published(feed)[-2:] == ["live", "change 9"]


def test_silence_counts_as_a_lost_connection(feed: Page) -> None:
    begin(feed)
    assert feed.evaluate("due().ms") == 45_000
    feed.evaluate("due().work()")
    assert published(feed)[-1] == "connecting"


def test_other_topics_start_with_a_new_snapshot(feed: Page) -> None:
    begin(feed)
    feed.evaluate("feed.start(['block', 'account:alice'])")
    assert connection(feed) == {"topics": "block,account:alice", "n": "2"}


def test_after_three_failures_it_polls_and_keeps_reconnecting(feed: Page) -> None:
    health = {"block": 50, "ts": None, "journal_hash": "ab", "indexer": {"lag": 0, "mode": "following"}}
    answers = {"health": health, "orderbook": {"bids": [], "asks": [{"price": "1.000000"}]}}
    feed.evaluate(
        "(answers) => { globalThis.fetch = async (url) => "
        "new Response(JSON.stringify(answers[new URL(url).pathname.split('/').pop()])); }",
        answers,
    )
    begin(feed)
    for _ in range(3):
        feed.evaluate("sources.at(-1).fail(); feed.connect()")
    feed.wait_for_function("published.at(-1).kind === 'head'", polling="raf")
    assert published(feed)[-3:] == ["polling", "snapshot 50", "head 50"]
    assert feed.evaluate("published.at(-2).data.books[0].asks[0].price") == "1.000000"
    feed.evaluate("timers.findLast((timer) => timer.work && timer.ms === 5000).work()")
    feed.wait_for_function("published.filter(({ kind }) => kind === 'head').length === 2", polling="raf")
    assert published(feed)[-2:] == ["head 50", "head 50"]  # the same block: no snapshot again
    feed.evaluate("sources.at(-1).fail(); feed.connect()")
    assert "last_event_id" not in connection(
        feed
    )  # what was polled is newer: the changes since then would repeat it
    say(feed, "snapshot", {"seq": 9}, "9-cc")
    assert published(feed)[-2:] == ["live", "snapshot 9"]
    assert feed.evaluate("feed.pollTimer") == 0


def test_events_of_a_closed_connection_are_dropped(feed: Page) -> None:
    begin(feed)
    feed.evaluate("feed.start(['block', 'account:alice'])")
    feed.evaluate("sources[0].say('snapshot', { seq: 8 }, '8-bb'); sources[0].fail()")
    assert "snapshot 8" not in published(feed)
    say(feed, "snapshot", {"seq": 9}, "9-cc")
    assert published(feed)[-1] == "snapshot 9"
    assert connection(feed)["n"] == "2"


def test_another_api_resumes_the_stream(feed: Page) -> None:
    begin(feed)
    say(feed, "change", {"seq": 8, "prev": 7}, "8-bb")
    feed.evaluate("feed.changeApi()")
    assert connection(feed) == {"topics": "block,book:PEK/SWAP.HIVE", "last_event_id": "8-bb", "n": "2"}
    assert not feed.evaluate("sources[0].open")


def test_an_unreachable_server_is_reported(feed: Page) -> None:
    feed.evaluate("() => { globalThis.fetch = async () => { throw new TypeError('refused'); }; }")
    feed.evaluate("feed.start(['block'])")
    for _ in range(3):
        feed.evaluate("sources.at(-1).fail(); feed.connect()")
    feed.wait_for_function("published.at(-1).data.state === 'broken'", polling="raf")
    assert feed.evaluate("published.at(-1).data.reason") == "Cannot reach the server."


def test_backoff_grows_to_half_a_minute_with_jitter(modules: Page) -> None:
    waits = modules.evaluate(
        "import('/js/lib/api-protocol.js').then(({ backoff }) => [1, 2, 3, 6, 20].map((n) => [backoff(n, 0), backoff(n, 1)]))"
    )
    assert waits == [[500, 1000], [1000, 2000], [2000, 4000], [15_000, 30_000], [15_000, 30_000]]


def test_the_trading_screen_says_that_it_tries_again_and_does(context: BrowserContext) -> None:
    answers: dict[str, Any] = {}
    serve_files(context, "https://site.test", lambda path: answers.get(path.split("?")[0]))
    page = context.new_page()
    page.goto("https://site.test/trade.html?base=PEK&quote=SWAP.HIVE")
    message = page.locator("#message")
    expect(message).to_contain_text("Trying again every few seconds.")
    answers["venue"] = venue()
    expect(message).to_have_count(0)
    expect(page.locator("#pair-bar")).to_contain_text("PEK")
