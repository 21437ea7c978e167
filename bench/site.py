"""The site's budgets: size of each page, first paints on a slow machine, latency from event to screen."""

from __future__ import annotations

import gzip
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.api_proxy import nginx_before
from tests.browser import chromium
from tests.browser.watch import until
from tests.browser.world import World
from tests.unit.site.modules import dynamic_imports, static_imports

FRONTEND: Final = Path(__file__).resolve().parents[1] / "frontend"
SCREENS: Final = ("index.html", "trade.html", "portfolio.html", "transfer.html", "audit.html", "account.html")
TRADE: Final = "trade.html?base=PEK&quote=SWAP.HIVE"
BITS, DELAY_MS, SLOWDOWN = 1_600_000, 150, 4
EVENTS, EVENTS_A_SECOND = 1000, 100

# Records paints, layout shifts, and when Trade's ticket, book and chart are there.
WATCH_PAINTS: Final = """(() => {
  window.vitals = { lcp: 0, cls: 0, shown: {} };
  const parts = { book: "#book tbody tr:not(.skeleton-row)", ticket: "#ticket input", chart: "#chart .canvas canvas" };
  new MutationObserver(() => {
    for (const [name, selector] of Object.entries(parts)) {
      if (!(name in vitals.shown) && document.querySelector(selector)) vitals.shown[name] = performance.now();
    }
  }).observe(document, { childList: true, subtree: true });
  new PerformanceObserver((list) => { for (const one of list.getEntries()) vitals.lcp = one.startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) vitals.cls += one.value; })
    .observe({ type: "layout-shift", buffered: true });
})();"""

# Sends changes of one price level at a steady rate through the page's stream, and records when each is painted.
DRIVE: Final = """async ([count, rate]) => {
  const tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask" });
  const sent = [], waits = [];
  bench.driving = true;
  let shown = -1;
  const look = () => requestAnimationFrame(() => {
    const cell = [...document.querySelectorAll("#book .bids .levels tbody tr")].find((row) => row.querySelector("button")?.textContent === "0.000399")?.children[1];
    const read = cell ? Number(cell.textContent.replace(/\\D/g, "")) / 100 - 1000 : -1;
    const seen = read < sent.length ? read : -1; // what stood there before is not ours
    const now = performance.now();
    for (; shown < seen; ) { shown += 1; waits.push(now - sent[shown]); }
    if (shown < count - 1) look();
  });
  look();
  for (let at = 0; at < count; at += 1) {
    const due = at * 1000 / rate;
    sent[at] = performance.now();
    bench.change({ price: "0.000399", amount: `${1000 + at}.00000000`, orders: 1, total: "1.00000000" });
    const pause = bench.start + due + 1000 / rate - performance.now();
    if (at === 0) bench.start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, pause || 0)));
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  waits.sort((a, b) => a - b);
  return { painted: waits.length, p95: waits[Math.floor(waits.length * 0.95)], longest: Math.max(0, ...tasks) };
}"""
# Wraps the page's event stream, so that the benchmark can send events through it.
HOLD: Final = """(() => {
  const listen = EventSource.prototype.addEventListener;
  window.bench = { seq: null, start: 0, driving: false };
  EventSource.prototype.addEventListener = function (name, listener, ...rest) {
    const held = (event) => {
      if (name === "change" && bench.driving) return; // the chain's own would tear the numbers of ours
      if (name === "change" || name === "snapshot") bench.seq = JSON.parse(event.data).seq;
      return listener(event);
    };
    if (name === "change") bench.listener = listener;
    return listen.call(this, name, held, ...rest);
  };
  bench.change = (level) => {
    const prev = bench.seq;
    bench.seq += 1;
    bench.listener({ data: JSON.stringify({ seq: bench.seq, prev, block: 1, ts: new Date().toISOString(), journal_hash: "0".repeat(64),
      books: [{ base: "PEK", quote: "SWAP.HIVE", bids: [level], asks: [] }] }) });
  };
})();"""


def main() -> None:
    """Print the figures with their goals."""
    sizes()
    path = chromium.installed()
    if path is None:
        print(chromium.CURE)
        return
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        world = World(Path(home))
        browser = playwright.chromium.launch(executable_path=path, args=["--enable-precise-memory-info"])
        try:
            port = urlsplit(world.site).port
            assert port is not None
            with nginx_before(port, Path(home)) as (tls, _):
                print("Through nginx as it is shipped, over TLS and HTTP/2:")
                paints(browser, world, f"https://127.0.0.1:{tls}")
            print("From `peakedex serve`, over HTTP/1.1:")
            paints(browser, world, world.site)
            events(browser, world)
        finally:
            browser.close()
            world.close()


def sizes() -> None:
    """Print the bytes that a page loads for its first paint, without fonts and chart, and later."""
    for screen in SCREENS:
        first = loaded([screen], static_imports)
        every = loaded([screen], static_imports, dynamic_imports)
        later = sum(len(gzip.compress(data, 9)) for name, data in every.items() if name not in first)
        packed = sum(len(gzip.compress(data, 9)) for data in first.values())
        raw = sum(map(len, first.values()))
        print(
            f"{screen}: {len(first)} files, {packed / 1000:.1f} kB gzip (goal 45), {raw / 1000:.1f} kB raw (goal 150); "
            f"{later / 1000:.1f} kB gzip later"
        )
    fonts = sum(path.stat().st_size for path in (FRONTEND / "vendor").glob("*.woff2"))
    chart = len(gzip.compress((FRONTEND / "vendor" / "lightweight-charts.js").read_bytes(), 9))
    print(f"fonts {fonts / 1000:.1f} kB (goal 48), chart {chart / 1000:.1f} kB gzip (goal 63)")


def loaded(names: list[str], *imports: Callable[[str], set[str]]) -> dict[str, bytes]:
    """Bytes of pages, their style sheets and scripts, and the modules that these import in one of the given ways."""
    files: dict[str, bytes] = {}
    while names:
        name = names.pop()
        if name in files or name.startswith("vendor/"):
            continue
        text = (FRONTEND / name).read_text("utf-8")
        files[name] = text.encode()
        if name.endswith(".html"):
            names += re.findall(r'<(?:script|link rel="stylesheet")[^>]*(?:src|href)="([^"]+)"', text)
        elif name.endswith(".js"):
            names += [found for imports_of in imports for found in imports_of(name)]
    return files


def paints(browser: Browser, world: World, site: str) -> None:
    """Print first and largest paint and layout shift, at 1.6 Mbit/s on a processor four times slower."""
    busy = f"account.html?user={world.bots.traders[0].name}"
    for screen in ("", TRADE, busy):
        context = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
        context.add_init_script(WATCH_PAINTS)
        page = context.new_page()
        slow_down(context.new_cdp_session(page))
        page.goto(f"{site}/{screen}")
        until(
            page,
            "document.querySelectorAll('main .skeleton-row, main .skeleton-bar').length === 0",
            seconds=60,
        )
        page.wait_for_timeout(3000)
        vitals: Any = page.evaluate("vitals")
        first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        print(
            f"/{screen}: first paint {first / 1000:.2f} s (goal 1.0), largest {vitals['lcp'] / 1000:.2f} s (goal 1.8), "
            f"shift {vitals['cls']:.3f} (goal 0.05)"
            + "".join(f", {name} {at / 1000:.2f} s" for name, at in vitals["shown"].items())
        )
        context.close()


def slow_down(session: CDPSession) -> None:
    rate = BITS / 8
    network = {"offline": False, "latency": DELAY_MS, "downloadThroughput": rate, "uploadThroughput": rate}
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", network)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})


def events(browser: Browser, world: World) -> None:
    """Print the latency from event to screen at a hundred a second, the longest task and the growth of the heap."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(HOLD)
    page = context.new_page()
    page.goto(f"{world.site}/{TRADE}")
    until(
        page,
        "bench.seq !== null && document.querySelectorAll('#book .levels tbody tr:not(.skeleton-row)').length > 4",
    )
    page.wait_for_timeout(1000)
    found = page.evaluate(DRIVE, [EVENTS, EVENTS_A_SECOND])
    before = heap(page)
    page.evaluate(DRIVE, [EVENTS, EVENTS_A_SECOND])
    grown = heap(page) - before
    print(
        f"{EVENTS} events at {EVENTS_A_SECOND}/s: painted {found['painted']}, p95 {found['p95']:.0f} ms (goal 150), "
        f"longest task {found['longest']:.0f} ms (goal 50), heap grown {grown / 1e6:.2f} MB in as many (goal 10 in an hour)"
    )
    context.close()


def heap(page: Page) -> int:
    """Bytes of the heap after a garbage collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    size: int = session.send("Runtime.getHeapUsage")["usedSize"]
    return size
