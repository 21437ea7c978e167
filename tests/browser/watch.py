"""Checks on a page: console messages, requests, horizontal overflow, accessibility."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Route

from tests.support.waiting import TIMEOUT_SECONDS, wait_until

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
DRAWN_TEXTS = """
globalThis.drawn = [];
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
  drawn.push(text);
  return fillText.call(this, text, ...place);
};"""
"""Script that records the texts drawn on a canvas in `drawn`."""
RECORDED_TOASTS = """
globalThis.toastsSeen = [];
new MutationObserver((records) => {
  for (const node of records.flatMap((one) => [...one.addedNodes])) {
    if (node.classList?.contains("toast")) toastsSeen.push([...node.querySelectorAll("p")].map((one) => one.textContent));
  }
}).observe(document, { subtree: true, childList: true });"""
"""Script that records the title and the texts of every toast in `toastsSeen`: some are gone after eight seconds."""
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Watch:
    """Records console warnings and errors, exceptions, and requests to other origins."""

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.site = site
        self.troubles: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((f"{self.site}/", "data:", "blob:")):
            self.troubles.append(f"a request to {request.url}")

    def check(self) -> None:
        assert not self.troubles, "\n".join(self.troubles)

    def fits(self) -> None:
        """Wait until the page has no horizontal scrolling: chart and tables follow the window's size."""
        wait_until(
            lambda: self.page.evaluate(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            ),
            what=lambda: f"a page without sideways scroll; too wide: {widest(self.page)}",
        )

    def accessible(self) -> None:
        """Wait until axe finds no violation: numbers are dimmed, for example, while nothing comes from a busy server."""
        self.page.evaluate(AXE.read_text("utf-8") + "; null")
        lines: list[str] = []

        def is_accessible() -> bool:
            found: Any = self.page.evaluate(
                "(tags) => axe.run({ runOnly: tags }).then((result) => result.violations)", STANDARDS
            )
            lines[:] = [
                f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
                for one in found
                for node in one["nodes"]
            ]
            return not lines

        wait_until(is_accessible, what=lambda: "\n".join(lines), poll=0.5)


def until(page: Page, expression: str, argument: Any = None, seconds: float = TIMEOUT_SECONDS) -> Any:
    """Wait until an expression is true and return its value. Playwright's own wait needs `eval`, which the CSP forbids."""
    return wait_until(
        lambda: page.evaluate(expression, argument), timeout=seconds, what=expression, poll=0.05
    )


def settled(page: Page) -> None:
    """Wait for fonts, data and live updates."""
    until(
        page,
        "document.fonts.status === 'loaded' && document.querySelector('.dot.live') !== null"
        " && document.querySelector('main .skeleton-row, main .skeleton-bar') === null",
    )


def notified(page: Page) -> None:
    """Wait until the page says what becomes of own orders: it loads that after its content, and subscribes once more."""
    module = "js/wallet/notifications.js"
    until(page, "(name) => performance.getEntriesByName(new URL(name, location.href)).length > 0", module)
    # After the page's own import, and the time in which subscriptions are gathered.
    page.evaluate(f"import('./{module}').then(() => new Promise((resolve) => setTimeout(resolve, 100)))")
    until(page, "document.querySelector('.dot.live') !== null")


def widest(page: Page) -> list[str]:
    """Elements that extend beyond the right edge."""
    found: list[str] = page.evaluate(
        """() => [...document.body.querySelectorAll("*")]
          .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
          .slice(0, 5).map((one) => one.outerHTML.slice(0, 120))"""
    )
    return found


@contextmanager
def routed(context: BrowserContext, pattern: str, handler: Callable[[Route], None]) -> Iterator[None]:
    """Handle the requests of a block of code; later ones pass.

    `unroute` is no way to end it: it answers the requests in flight, whose handlers then fail in any later call.
    """
    active = True

    def handle(route: Route) -> None:
        if active:
            handler(route)
        else:
            route.fallback()

    context.route(pattern, handle)
    try:
        yield
    finally:
        active = False


@contextmanager
def held(context: BrowserContext, pattern: str) -> Iterator[list[Route]]:
    """Hold the requests of a block of code; they go on at its end."""
    waiting: list[Route] = []
    with routed(context, pattern, waiting.append):
        yield waiting
    for route in waiting:
        route.fallback()


def pumped(page: Page, condition: Callable[[], object]) -> None:
    """Wait until a condition is true that events of the page bring about: they arrive during calls only."""
    wait_until(lambda: page.evaluate("1") and condition())


@contextmanager
def altered(context: BrowserContext, path: str, alter: Callable[[Any], None]) -> Iterator[None]:
    """Answers of the API whose JSON is altered on their way to the page."""

    def pass_on(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        alter(body)
        route.fulfill(response=answer, json=body)

    with routed(context, f"**/api/{path}", pass_on):
        yield
