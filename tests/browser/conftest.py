"""Fixtures: a browser for each test process, watched pages, and pages that import modules without a server."""

from __future__ import annotations

import mimetypes
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Route,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.browser import chromium
from tests.browser.watch import RECORDED_TOASTS, Watch

if TYPE_CHECKING:
    from tests.browser.world import World

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
BLANK = "<!doctype html><html lang=en><title>blank</title><body></body></html>"


MAX_TEST_SECONDS = 900
TIMEOUT_MS = 240_000
"""Long, because the machine may be busy: only failing tests wait for it."""
NO_TIMEOUTS = "AbortSignal.timeout = () => new AbortController().signal;"
"""Script by which no request of a page times out: a busy machine is no silent server."""


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """Time limit for a test: `page.evaluate` has none, so a promise that never settles would block the run."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"the test took more than {MAX_TEST_SECONDS} seconds")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(MAX_TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.installed()
    assert path is not None, chromium.CURE
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextmanager
def open_context(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A browser context; `options` are those of `Browser.new_context`.

    Whatever of its requests is in flight at the end fails neither this test nor a later one.
    """
    context = browser.new_context(**options)
    context.set_default_timeout(TIMEOUT_MS)
    context.add_init_script(NO_TIMEOUTS)
    context.add_init_script(RECORDED_TOASTS)
    try:
        yield context
    finally:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
        context.unroute_all(behavior="ignoreErrors")
        context.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with open_context(browser, locale="en-GB", timezone_id="Europe/Berlin") as context:
        yield context


def serve_files(context: BrowserContext, origin: str, api: Callable[[str], Any] | None = None) -> None:
    """Serve the site's folder at a fake origin; `api` returns the body of an API path, or None for 404."""

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
    """A shared blank page for importing pure modules of the site."""
    with open_context(browser) as context:
        yield open_blank(context)


def open_blank(context: BrowserContext) -> Page:
    """A blank page of the site, without an API."""
    serve_files(context, "https://site.test")
    page = context.new_page()
    page.goto("https://site.test/blank.html")
    return page


@pytest.fixture
def blank(context: BrowserContext) -> Page:
    """A blank page of the test's own for importing modules of the site."""
    return open_blank(context)


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One exchange for the browser tests of a worker, stopped after them because its processes keep running."""
    from tests.browser.world import World  # only tests that need a server import the indexer

    world = World(tmp_path_factory.mktemp("exchange"))
    yield world
    world.close()


@pytest.fixture
def watched(context: BrowserContext, world: World) -> Iterator[Callable[..., Watch]]:
    """Open pages of the site, in windows of a size; afterwards their consoles must be free of errors."""
    opened: list[Watch] = []

    def open_page(path: str, size: ViewportSize | None = None) -> Watch:
        page = context.new_page()
        if size is not None:
            page.set_viewport_size(size)
        watch = Watch(page, world.site)
        opened.append(watch)
        page.goto(f"{world.site}/{path}")
        return watch

    yield open_page
    for watch in opened:
        watch.check()
