"""A page in a frame of another origin does not open, on hosts that cannot send the header that forbids frames."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import serve_files
from tests.browser.venue import venue

SITE = "https://site.test"
PAGES = (
    "index.html",
    "trade.html",
    "portfolio.html",
    "account.html",
    "transfer.html",
    "audit.html",
    "status.html",
)


@pytest.fixture
def page(context: BrowserContext) -> Page:
    serve_files(context, SITE, lambda path: venue(venue_hash="a" * 64) if path == "venue" else None)
    return context.new_page()


def frame(page: Page, origin: str, path: str) -> None:
    """Open a page of `origin` with a frame that shows the site."""
    page.route(
        f"{origin}/around.html",
        lambda route: route.fulfill(
            body=f"<!doctype html><title>around</title><iframe src='{SITE}/{path}' width=900 height=700></iframe>",
            content_type="text/html",
        ),
    )
    page.goto(f"{origin}/around.html")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_does_not_open_inside_another_site(page: Page, path: str) -> None:
    frame(page, "https://mallory.test", path)
    inside = page.frame_locator("iframe")
    expect(inside.locator("body")).to_have_text(
        "This site does not open inside another site. Open it in a tab of its own"
    )
    link = inside.get_by_role("link", name="Open it in a tab of its own")
    expect(link).to_have_attribute("href", f"{SITE}/{path}")
    assert inside.get_by_role("button").count() == 0


def test_a_page_opens_inside_a_page_of_its_own_origin(page: Page) -> None:
    frame(page, SITE, "transfer.html")
    inside = page.frame_locator("iframe")
    expect(inside.locator("#transfer-token")).to_be_visible()


def test_a_frame_of_its_own_origin_inside_another_site_does_not_help(page: Page) -> None:
    page.route(
        f"{SITE}/middle.html",
        lambda route: route.fulfill(
            body=f"<!doctype html><title>middle</title><iframe src='{SITE}/transfer.html'></iframe>",
            content_type="text/html",
        ),
    )
    frame(page, "https://mallory.test", "middle.html")
    inside = page.frame_locator("iframe").frame_locator("iframe")
    expect(inside.locator("body")).to_contain_text("does not open inside another site")
