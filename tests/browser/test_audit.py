"""The Audit screen on a fake API: matches and mismatches, and the banners of other screens."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import serve_files
from tests.browser.watch import Watch

SITE = "https://site.test"
TIME = "2026-09-21T14:13:53Z"
HEALTH = {
    "block": 5000,
    "ts": TIME,
    "version": "1",
    "network": "hive",
    "database": "ok",
    "age_seconds": 2,
    "venue_hash": "a" * 64,
    "journal_hash": "b" * 64,
    "last_trade": None,
    "indexer": None,
    "lease": None,
    "warning": None,
    "alarms": [],
}
SOLVENCY: dict[str, Any] = {
    "block": 5000,
    "ts": TIME,
    "tokens": [],
    "escrow_operations": [],
    "unmatched_outflows": [],
    "refunds_due": [],
}


def checkpoint(n: int, agrees: bool | None, state_agrees: bool | None) -> dict[str, Any]:
    hashes = {"state_hash": "c" * 64, "journal_hash": "d" * 64}
    verdicts = {"agrees": agrees, "state_agrees": state_agrees}
    return {"id": f"c{n}", "ts": TIME, "block": 4000 + n, "claimed_block": 3000 + n, **hashes, **verdicts}


def peer(url: str, state: str, **more: Any) -> dict[str, Any]:
    values = {"block": 4998, "lag": 2, "common_block": 4998, "state_block": 4800, "answered": TIME}
    nothing = {"differs_in": None, "differs_at": None, "error": None}
    return {"url": url, "state": state, **values, **nothing, **more}


@pytest.fixture
def answers(context: BrowserContext) -> dict[str, Any]:
    """Bodies of the API by path; tests change them before they open a page."""
    answers = {
        "health": dict(HEALTH),
        "solvency": dict(SOLVENCY),
        "checkpoints": {"block": 5000, "ts": TIME, "checkpoints": []},
        "peers": {"block": 5000, "ts": TIME, "asked": TIME, "peers": []},
    }
    serve_files(context, SITE, lambda path: answers.get(path.split("?")[0]))
    return answers


@pytest.fixture
def page(context: BrowserContext, answers: dict[str, Any]) -> Page:
    return context.new_page()


def rows(page: Page, section: str) -> list[list[str]]:
    lines = page.locator(f"#{section} tbody tr:not(.skeleton-row)")
    expect(lines.first).to_be_visible()
    return [line.locator("td").all_inner_texts() for line in lines.all()]


def test_checkpoints_and_replicas_show_whether_they_match(page: Page, answers: dict[str, Any]) -> None:
    checkpoints = [
        checkpoint(1, True, True),
        checkpoint(2, True, False),
        checkpoint(3, False, None),
        checkpoint(4, None, None),
    ]
    answers["checkpoints"]["checkpoints"] = checkpoints
    answers["peers"]["peers"] = [
        peer("https://one.example", "agrees"),
        peer("https://two.example", "disagrees", differs_in="journal", differs_at=4321),
        peer(
            "https://three.example",
            "disagrees",
            differs_in="state",
            differs_at=4800,
            error="it is <b>away</b>",
        ),
        peer(
            "https://four.example", "unknown", block=None, common_block=None, state_block=None, answered=None
        ),
    ]
    answers["health"]["alarms"] = ["one", "two", "three", "four"]
    page.goto(f"{SITE}/audit.html")
    shown = [cells[1:3] for cells in rows(page, "checkpoints")]
    assert shown == [
        ["✓ Match", "✓ Match"],
        ["✓ Match", "✗ Mismatch"],
        ["✗ Mismatch", "Not compared"],
        ["Not reached yet", "Not compared"],
    ]
    one, two, three, four = rows(page, "peers")
    assert [cells[1] for cells in (one, two, three, four)] == [
        "✓ Match",
        "✗ Journal differs from block 4,321 on",
        "✗ State differs at block 4,800",
        "Not compared yet",
    ]
    assert one[2:5] == ["4,998", "4,998", "4,800"]
    assert three[6] == "it is <b>away</b>"
    assert four[2:6] == ["–", "–", "–", "–"]
    expect(page.locator(".banner.danger")).to_contain_text(
        "does not match the hash that its operator published"
    )
    expect(page.locator(".banner.warn", has_text="replica")).to_be_visible()


def test_no_banner_if_all_hashes_match(page: Page, answers: dict[str, Any]) -> None:
    answers["checkpoints"]["checkpoints"] = [checkpoint(1, True, True), checkpoint(2, True, None)]
    answers["peers"]["peers"] = [peer("https://one.example", "agrees")]
    with page.expect_response("**/api/health"):
        page.goto(f"{SITE}/audit.html")
    assert len(rows(page, "peers")) == 1
    expect(page.locator(".banner", has_text="replica")).to_have_count(0)
    expect(page.locator(".banner.danger", has_text="operator")).to_have_count(0)


def test_a_replica_mismatch_raises_a_banner_on_every_screen(page: Page, answers: dict[str, Any]) -> None:
    """A warning only: the other replica may be the wrong one."""
    answers["health"]["alarms"] = ["one"]
    answers["peers"]["peers"] = [peer("https://two.example", "disagrees", differs_in="journal")]
    page.goto(f"{SITE}/transfer.html")
    banner = page.locator(".banner.warn", has_text="This replica and another one")
    expect(banner.get_by_role("link")).to_have_attribute("href", "audit.html#peers")
    expect(page.locator(".banner.danger", has_text="operator")).to_have_count(0)


def operation(n: int, acting: bool) -> dict[str, Any]:
    place = {"transaction_id": f"{n:040x}", "operation_index": 0, "block": 4900 + n}
    what = {"type": "transfer_to_vesting", "account": "peakedex.hbd", "operation": '{"to":"<b>bob</b>"}'}
    return {**place, **what, "acting": acting}


def test_operations_on_escrow_accounts_are_listed_and_raise_a_banner(
    page: Page, answers: dict[str, Any]
) -> None:
    answers["health"]["alarms"] = ["An escrow account was used outside the exchange: transfer_to_vesting."]
    answers["solvency"]["escrow_operations"] = [operation(2, True), operation(1, False)]
    page.goto(f"{SITE}/audit.html")
    assert rows(page, "operations") == [
        ["4,902", "transfer_to_vesting", "@peakedex.hbd", "The escrow account", '{"to":"<b>bob</b>"}'],
        ["4,901", "transfer_to_vesting", "@peakedex.hbd", "Another account", '{"to":"<b>bob</b>"}'],
    ]
    banner = page.locator(".banner.warn", has_text="An escrow account was used outside the exchange")
    expect(banner.get_by_role("link")).to_have_attribute("href", "audit.html#operations")
    expect(page.locator(".banner", has_text="replica")).to_have_count(0)
    expect(page.locator("#alarms li")).to_have_text(answers["health"]["alarms"])


def token(symbol: str, real: str | None, difference: str | None) -> dict[str, Any]:
    amounts = dict.fromkeys(("holdings", "available", "liabilities"), "100.000")
    rest = {"locked": "0.000", "withdrawing": "0.000", "surplus": "0.000", "solvent": True}
    read = {"real_block": None if real is None else 4990, "real_ts": None if real is None else TIME}
    balance = {"real_balance": real, "real_difference": difference}
    return {"symbol": symbol, "escrow": "peakedex.hbd", **amounts, **rest, **balance, **read}


def test_real_balances_stand_beside_the_ledger_s_holdings(page: Page, answers: dict[str, Any]) -> None:
    answers["solvency"]["tokens"] = [
        token("AAA", "100.000", "0.000"),
        token("BBB", "90.000", "-10.000"),
        token("CCC", None, None),
    ]
    page.goto(f"{SITE}/audit.html")
    shown = [(cells[5].strip(), cells[6].strip(), cells[7]) for cells in rows(page, "solvency")]
    assert shown == [
        ("100.000", "0.000", "✓ Covered"),
        ("90.000", "−10.000", "✓ Covered"),
        ("–", "–", "✓ Covered"),
    ]


def test_without_alarms_there_is_no_list_of_them(page: Page) -> None:
    page.goto(f"{SITE}/audit.html")
    expect(page.locator("#state")).to_contain_text("5,000")
    expect(page.locator("#alarms")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 320])
def test_hashes_wrap_on_a_phone(page: Page, answers: dict[str, Any], width: int) -> None:
    answers["checkpoints"]["checkpoints"] = [checkpoint(1, True, True)]
    answers["peers"]["peers"] = [peer("https://a-replica-with-a-rather-long-name.example.org/api/", "agrees")]
    answers["solvency"]["escrow_operations"] = [operation(2, True)]
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{SITE}/audit.html")
    rows(page, "peers")
    rows(page, "integrity")
    Watch(page, SITE).fits()
