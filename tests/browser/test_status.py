"""The Status page: the API's state now, and the monitor's history, also while the API is down."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import serve_files
from tests.browser.test_audit import HEALTH
from tests.browser.watch import Watch

SITE = "https://site.test"


def moment(**before: float) -> str:
    return f"{datetime.now(UTC) - timedelta(**before):%Y-%m-%dT%H:%M:%SZ}"


def date(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"


def history(**changes: Any) -> dict[str, Any]:
    """A day of an outage, one of trouble, and one of which nothing is known."""
    days = [
        {"date": date(4), "ok": 80_000, "degraded": 0, "down": 6_400},
        {"date": date(3), "ok": 86_000, "degraded": 400, "down": 0},
        {"date": date(1), "ok": 86_400, "degraded": 0, "down": 20},
    ]
    incident = {
        "condition": "down",
        "since": moment(days=4, hours=2),
        "until": moment(days=4),
        "text": "<b>No</b> answer.",
    }
    now = {"condition": "ok", "since": moment(days=3), "text": None}
    return {
        "version": 1,
        "updated": moment(seconds=5),
        "every_seconds": 15,
        "now": now,
        "days": days,
        "incidents": [incident],
        **changes,
    }


@pytest.fixture
def page(context: BrowserContext) -> Page:
    serve_files(context, SITE, {"health": {**HEALTH, "alarms": []}}.get)
    return context.new_page()


def open_with(page: Page, file: object) -> None:
    body = file if isinstance(file, str) else json.dumps(file)
    page.context.route(
        f"{SITE}/status.json", lambda route: route.fulfill(body=body, content_type="application/json")
    )
    page.goto(f"{SITE}/status.html")


def test_the_page_shows_the_state_now_and_the_days(page: Page) -> None:
    open_with(page, history())
    expect(page.locator(".condition")).to_have_text("Operational")
    expect(page.locator(".days li")).to_have_count(90)
    for name, count in {"ok": 1, "degraded": 1, "down": 1, "unknown": 87}.items():
        expect(page.locator(f".days li.{name}")).to_have_count(count)
    expect(page.locator(".days li.down")).to_have_text(re.compile(r": Down 2 h$"))
    expect(page.locator(".days li.degraded")).to_have_text(re.compile(r": Degraded 7 min$"))
    # 6,420 of 259,220 seconds; three of ninety days.
    expect(
        page.get_by_text("Available 97.52 % of the time that was observed (3 % of the 90 days).")
    ).to_be_visible()
    expect(page.get_by_text("The operator's monitor: Operational, since")).to_be_visible()
    cells = page.locator("section[aria-labelledby=incidents-title] tbody td")
    expect(cells.nth(2)).to_have_text("2 h")
    expect(cells.nth(3)).to_have_text("<b>No</b> answer.")
    Watch(page, SITE).accessible()


def test_the_history_is_there_while_the_api_is_down(page: Page) -> None:
    page.context.route(f"{SITE}/api/**", lambda route: route.fulfill(status=503, body=""))
    current = {"condition": "down", "since": moment(hours=3), "text": "The API does not answer."}
    lasting = {
        "condition": "down",
        "since": moment(hours=3),
        "until": None,
        "text": "The API does not answer.",
    }
    open_with(page, history(now=current, incidents=[lasting]))
    expect(page.locator(".condition")).to_have_text("Down")
    expect(page.get_by_text("The exchange did not answer this page at")).to_be_visible()
    expect(page.get_by_text("The operator's monitor: Down, since")).to_be_visible()
    expect(page.locator(".days li.down")).to_have_count(1)
    expect(page.get_by_text("3 h, and not over")).to_be_visible()


def test_a_monitor_that_has_stopped_is_not_believed(page: Page) -> None:
    open_with(page, history(updated=moment(hours=2)))
    expect(
        page.get_by_text("The operator's monitor has not looked for 2 h: the history below ends there.")
    ).to_be_visible()
    expect(page.get_by_text("The operator's monitor: Operational")).to_have_count(0)


def test_an_alarm_of_the_api_is_shown_and_the_site_s_own_file_is_no_history(context: BrowserContext) -> None:
    alarms = ["An escrow account was used outside the exchange."]
    serve_files(context, SITE, {"health": {**HEALTH, "alarms": alarms}}.get)
    page = context.new_page()
    page.goto(f"{SITE}/status.html")
    expect(page.locator(".condition")).to_have_text("Degraded")
    expect(page.locator("#page").get_by_text(alarms[0])).to_be_visible()
    expect(page.get_by_text("There is no history here")).to_be_visible()
    expect(page.locator(".days li.unknown")).to_have_count(90)


@pytest.mark.parametrize(
    "file", ["<html>", "[]", history(days=[{"date": "x"}]), history(incidents=[{}]), history(version=2)]
)
def test_a_broken_file_is_a_sentence(page: Page, file: object) -> None:
    open_with(page, file)
    expect(page.get_by_text("The history could not be read.")).to_be_visible()
    expect(page.locator(".condition")).to_have_text("Operational")
