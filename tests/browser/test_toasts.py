"""Toasts: at most three, at the bottom left, over no control, and what is announced."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.practice import use_practice_account
from tests.browser.test_trading import TRADE, OpenPage
from tests.browser.watch import until
from tests.browser.world import World
from tests.support.waiting import wait_until

SIZES = {390: 844, 768: 1024, 1440: 900}
SHOW = """([id, kind, title]) => import("./js/lib/toasts.js").then(({ showToast }) => showToast(id, {
  kind, title, text: "The title says what, and this text says in a sentence or two what happened and what follows.",
  actions: [{ text: "Try again", run: () => {} }], onDismiss: () => { (window.dismissed ??= []).push(id); } }))"""
HIDE = "(id) => import('./js/lib/toasts.js').then(({ hideToast }) => hideToast(id))"


def show(page: Page, kind: str, title: str, name: str | None = None) -> None:
    page.evaluate(SHOW, [name or title, kind, title])


def titles(page: Page) -> list[str]:
    return page.locator(".toast:visible .title").all_inner_texts()


def is_covered(control: Locator) -> Any:
    """Whether anything lies over it, once it has the focus."""
    control.focus()
    return control.evaluate(
        """(node) => {
          const { left, top, width, height } = node.getBoundingClientRect();
          const points = [[0.5, 0.5], [0.1, 0.5], [0.9, 0.5], [0.5, 0.2], [0.5, 0.8]];
          const over = points.map(([x, y]) => document.elementFromPoint(left + x * width, top + y * height))
            .find((one) => one !== node && !node.contains(one));
          return over ? over.className || over.tagName : null;
        }"""
    )


def uncovered(control: Locator) -> None:
    """Wait until nothing lies over it: the page makes room for toasts once they have their height."""
    wait_until(
        lambda: is_covered(control) is None, what=lambda: f"{control} uncovered by {is_covered(control)}"
    )


def clear(page: Page, selector: str) -> None:
    """Wait until no toast overlaps a control of the page as it stands."""
    wait_until(lambda: collisions(page, selector) == [], what=lambda: collisions(page, selector))


def collisions(page: Page, selector: str) -> list[str]:
    """Controls of the page as it stands that a toast overlaps."""
    found: list[str] = page.evaluate(
        """(selector) => {
          const toasts = [...document.querySelectorAll(".toast, .toasts-more")].map((one) => one.getBoundingClientRect());
          const overlaps = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
          return [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility())
            .filter((node) => toasts.some((toast) => toast.height && overlaps(toast, node.getBoundingClientRect())))
            .map((node) => node.textContent);
        }""",
        selector,
    )
    return found


@pytest.mark.parametrize("width", SIZES)
def test_no_toast_covers_a_control(
    watched: OpenPage, context: BrowserContext, world: World, width: int
) -> None:
    name = use_practice_account(context, world)
    for price in ("0.000101", "0.000102", "0.000103"):
        world.act(name, "buy", symbol="PEK", quote="SWAP.HIVE", quantity="100", price=price)
    world.wait(f"orders?user={name}&status=open", lambda body: len(body["orders"]) == 3)
    watch = watched(TRADE)
    page = watch.page
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    until(
        page, "document.querySelector('.dot.live') && document.querySelector('#ticket button[type=submit]')"
    )
    for kind, title in (
        ("bad", "Rejected: Buy"),
        ("ask", "Confirm"),
        ("wait", "Sent: Sell"),
        ("ok", "Filled"),
    ):
        show(page, kind, title)
    expect(page.locator(".toast:visible")).to_have_count(3)
    watch.accessible()
    bar = page.locator(
        "#action-bar button" if width == 390 else "#ticket button[type=submit], #ticket .sides button"
    )
    expect(bar.nth(1)).to_be_visible()
    for control in bar.all():
        uncovered(control)
    clear(page, "#action-bar button, #ticket button")
    if width == 390:
        page.get_by_role("button", name="Orders", exact=True).click()
    everything = page.locator("#account").get_by_role("button", name="Cancel all").first
    expect(everything).to_be_visible()
    clear(page, "#action-bar button, #account header button:last-child")
    uncovered(everything)
    for control in page.locator("#account").get_by_role("button", name="Cancel: Buy").all():
        uncovered(control)
    if width == 390:
        bar.first.click()  # the ticket is a sheet above the toasts
        submit = page.locator("#ticket button[type=submit]")
        expect(submit).to_be_visible()
        uncovered(submit)


def test_what_needs_the_user_stays_visible(blank: Page) -> None:
    for number in range(4):
        show(blank, "wait", f"Queued {number}")
    assert titles(blank) == ["Queued 1", "Queued 2", "Queued 3"]
    expect(blank.get_by_text("1 more notification")).to_be_visible()
    show(blank, "ask", "Confirm 0", "Queued 0")
    show(blank, "bad", "Rejected 1", "Queued 1")
    assert sorted(titles(blank)) == ["Confirm 0", "Queued 3", "Rejected 1"]
    show(blank, "ok", "Filled 0", "Queued 0")
    assert sorted(titles(blank)) == ["Queued 2", "Queued 3", "Rejected 1"]
    blank.get_by_role("button", name="Dismiss all").click()
    assert sorted(titles(blank)) == ["Queued 2", "Queued 3"]
    assert sorted(blank.evaluate("dismissed")) == ["Queued 0", "Queued 1"]
    expect(blank.get_by_text("more notification")).to_be_hidden()


def test_failures_stay_and_are_announced_at_once(blank: Page) -> None:
    blank.clock.install()
    show(blank, "wait", "Sent", "order")
    expect(blank.get_by_role("status")).to_contain_text("Sent")
    show(blank, "bad", "Rejected", "order")
    show(blank, "ok", "Filled", "other")
    expect(blank.get_by_role("alert")).to_contain_text("Rejected")
    expect(blank.get_by_role("status")).not_to_contain_text("Sent")
    blank.clock.run_for(60_000)
    assert titles(blank) == ["Rejected"]
    blank.get_by_role("button", name="Dismiss", exact=True).click()
    assert titles(blank) == []
    assert blank.evaluate("dismissed") == ["order"]


def test_a_toast_is_updated_in_place(blank: Page) -> None:
    for title in ("One", "Two"):
        show(blank, "wait", title)
    show(blank, "wait", "One: changed", "One")
    assert titles(blank) == ["One: changed", "Two"]
    blank.get_by_role("button", name="Try again").first.focus()
    show(blank, "wait", "One: changed again", "One")
    assert (
        blank.evaluate("document.activeElement.closest('.toast').querySelector('.title').textContent")
        == "One: changed again"
    )
    blank.evaluate(HIDE, "One")
    assert titles(blank) == ["Two"]
