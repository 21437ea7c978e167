"""A browser for a test process, pages that watch themselves, and modules of the site without any server."""

from __future__ import annotations

import mimetypes
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from tests.browser import chromium
from tests.browser.watch import Watch

if TYPE_CHECKING:
    from tests.browser.world import World

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
BLANK = "<!doctype html><html lang=en><title>blank</title><body></body></html>"


LONGEST_SECONDS = 300
PATIENCE_MS = 60_000
"""Only a test that fails waits for so long: a machine may be busy."""


@pytest.fixture(autouse=True)
def end_what_hangs() -> Iterator[None]:
    """A promise that never settles would hold the whole run up: `page.evaluate` waits without a limit."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"the test took more than {LONGEST_SECONDS} seconds")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.installed()
    assert path is not None, chromium.CURE
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


def serve_files(context: BrowserContext, origin: str, api: Callable[[str], Any] | None = None) -> None:
    """The site's folder under an origin that does not exist; `api` gives the body of a path, or None for 404."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(origin).split("?")[0].split("#")[0]
        if path.startswith("/api/"):
            body = None if api is None else api(route.request.url.removeprefix(origin + "/api/"))
            if body is None:
                route.fulfill(status=404, json={"detail": "not found", "code": "E_NOT_FOUND"})
            else:
                route.fulfill(json=body)
        elif path == "/blank.html":
            route.fulfill(body=BLANK, content_type="text/html")
        else:
            file = FRONTEND / path.lstrip("/")
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            if file.is_file():
                route.fulfill(body=file.read_bytes(), content_type=kind)
            else:
                route.fulfill(status=404, body="")

    context.route(f"{origin}/**", answer)


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Page]:
    """An empty page for modules of the site that only compute."""
    context = browser.new_context()
    serve_files(context, "https://site.test")
    page = context.new_page()
    page.goto("https://site.test/blank.html")
    yield page
    context.close()


@pytest.fixture
def blank(context: BrowserContext) -> Page:
    """An empty page of one's own from which modules of the site can be imported."""
    serve_files(context, "https://site.test")
    page = context.new_page()
    page.goto("https://site.test/blank.html")
    return page


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One exchange for the browser tests of a worker; it ends with them, because its processes never rest."""
    from tests.browser.world import World  # only tests that need a server import the indexer

    world = World(tmp_path_factory.mktemp("exchange"))
    yield world
    world.close()


@pytest.fixture
def watched(context: BrowserContext, world: World) -> Iterator[Callable[[str], Watch]]:
    """Opens a page of the site, and finds no trouble in it afterwards."""
    opened: list[Watch] = []

    def open_page(path: str) -> Watch:
        page = context.new_page()
        watch = Watch(page, world.site)
        opened.append(watch)
        page.goto(f"{world.site}/{path}")
        return watch

    yield open_page
    for watch in opened:
        watch.check()
