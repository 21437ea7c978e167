"""Signing with Hive Keychain as it really behaves: its queue, closed windows, reloads, several tabs, the posting key."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.signing import (
    COIN,
    MARKET,
    ORDER,
    OTHER,
    START,
    Desk,
    asked,
    close_window,
    confirm,
    deadline,
    intent,
    open_desk,
    press,
    shows,
    trade,
)
from tests.browser.watch import until

CONFIRM = "Confirm in Hive Keychain"
QUEUED = "Queued: waiting for the previous request"
CLOSED = "I closed the window"
LOCKED = "standIn.locked = true;"


@pytest.fixture
def desk(browser: Browser) -> Iterator[Desk]:
    with open_desk(browser) as desk:
        yield desk


# -- the posting key -----------------------------------------------------------------------------------------------


def test_a_signature_without_a_window_never_asks_to_confirm(desk: Desk) -> None:
    page = desk.page(init="standIn.whitelisted = true; standIn.silentMs = 1000;", clock=True)
    trade(page, authority="posting")
    request = asked(page, 1)
    assert request["method"] == "Posting"
    shows(page, "Signing")
    page.clock.run_for(1100)
    shows(page, "Sent: Buy 1.00 PEK")
    titles = page.evaluate("titles")
    assert "Signing" in titles
    assert not [title for title in titles if title.startswith(("Confirm", "Queued"))]


def test_the_posting_key_may_still_need_a_window(desk: Desk) -> None:
    page = desk.page(clock=True)
    trade(page, authority="posting")
    asked(page, 1)
    shows(page, "Signing")
    page.clock.run_for(1500)
    shows(page, CONFIRM)
    confirm(page)
    page.clock.run_for(1)
    shows(page, "Sent: Buy 1.00 PEK")


def test_requests_with_the_posting_key_go_one_after_the_other(desk: Desk) -> None:
    """Of several at once Keychain answers all but the last one with `ignored`."""
    page = desk.page(init="standIn.whitelisted = true; standIn.silentMs = 50;")
    refs = [trade(page, make, "posting") for make in (ORDER, OTHER, MARKET)]
    until(page, "list().filter((one) => one.state === 'sent').length === 3")
    sent = [json.loads(one["json"])["contractPayload"]["ref"] for one in page.evaluate("standIn.broadcast")]
    assert sent == refs


def test_what_keychain_ignored_may_have_been_sent(desk: Desk) -> None:
    """It is looked up until its deadline; here it was in a block."""
    page = desk.page()
    page.evaluate("standIn.hasUser = false; standIn.answers = [{ error: 'ignored' }]")
    ref = trade(page)
    shows(page, "Status unknown: Buy 1.00 PEK", "The transaction may still be included.")
    desk.exchange.accept(ref)
    shows(page, "Order placed: Buy 1.00 PEK")


# -- the queue -----------------------------------------------------------------------------------------------------


def test_a_queued_request_gets_its_deadline_when_its_turn_comes(desk: Desk) -> None:
    page = desk.page(clock=True)
    trade(page, ORDER)
    first = asked(page, 1)
    trade(page, OTHER)
    page.clock.run_for(200)
    shows(page, QUEUED, "Buy 2.00 PEK")
    shows(page, CONFIRM)
    page.clock.pause_at(START + 100)
    confirm(page)
    page.clock.run_for(50)
    second = asked(page, 2)
    assert START + 600 <= deadline(first) <= START + 601
    assert START + 700 <= deadline(second) <= START + 701


def test_market_orders_are_valid_for_two_minutes(desk: Desk) -> None:
    page = desk.page(clock=True)
    trade(page, MARKET)
    assert START + 120 <= deadline(asked(page, 1)) <= START + 121


def test_a_market_order_does_not_wait_longer_than_it_is_valid(desk: Desk) -> None:
    page = desk.page(clock=True)
    trade(page, ORDER)
    asked(page, 1)
    ref = trade(page, MARKET)
    page.clock.run_for(200)
    shows(page, QUEUED)
    page.clock.pause_at(START + 200)
    shows(page, "Not signed: Buy PEK", "It waited too long for the previous request")
    confirm(page)
    page.clock.run_for(1000)
    shows(page, "Sent: Buy 1.00 PEK")
    asked(page, 1)
    assert intent(page, ref)["asked"] is None


def test_a_queued_request_can_be_removed(desk: Desk) -> None:
    page = desk.page()
    trade(page, ORDER)
    asked(page, 1)
    trade(page, OTHER)
    shows(page, QUEUED)
    press(page, "Remove")
    shows(page, "Not signed: Buy 2.00 PEK", "Removed before it was sent to the wallet.")
    confirm(page)
    shows(page, "Sent: Buy 1.00 PEK")
    asked(page, 1)


def test_requests_queue_where_the_browser_denies_locks(desk: Desk) -> None:
    """As with all cookies blocked."""
    page = desk.page(
        init="navigator.locks.request = async () => { throw new DOMException('no', 'SecurityError'); };"
    )
    trade(page, ORDER)
    asked(page, 1)
    trade(page, OTHER)
    shows(page, QUEUED)
    confirm(page)
    asked(page, 2)
    confirm(page)
    until(page, "list().every((one) => one.state === 'sent')")


def test_without_locks_a_page_is_gone_once_its_heartbeat_stops(desk: Desk) -> None:
    page = desk.page(
        init="navigator.locks.request = async () => { throw new DOMException('no', 'SecurityError'); };"
    )
    ref = trade(page)
    asked(page, 1)
    desk.reload(page)
    shows(page, CONFIRM)
    page.evaluate(
        """(key) => localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), beat: 1 }))""",
        f"peakedex.intent.{ref}",
    )
    desk.reload(page)
    shows(page, "Status unknown: Buy 1.00 PEK")


# -- the window was closed -----------------------------------------------------------------------------------------


def test_a_locked_keychain_whose_window_was_closed_blocks_nothing(desk: Desk) -> None:
    page = desk.page(init=LOCKED)
    trade(page, ORDER)
    shows(page, CONFIRM)
    close_window(page)
    trade(page, OTHER)
    shows(page, QUEUED)
    press(page, CLOSED)
    asked(page, 2)
    shows(page, "Not signed: Buy 1.00 PEK")  # Keychain answers the first one now
    page.evaluate("standIn.user.unlock()")
    confirm(page)
    shows(page, "Sent: Buy 2.00 PEK")


def test_a_new_request_replaces_one_without_an_answer_for_long(desk: Desk) -> None:
    page = desk.page(init=LOCKED, clock=True)
    trade(page, ORDER)
    asked(page, 1)
    close_window(page)
    page.clock.pause_at(START + 60)
    trade(page, OTHER)
    page.clock.run_for(100)
    asked(page, 2)
    page.clock.run_for(100)
    shows(page, "Not signed: Buy 1.00 PEK")
    shows(page, CONFIRM, "BUY 2.00 PEK")


def test_a_window_closed_in_another_tab_blocks_nothing(desk: Desk) -> None:
    first = desk.page(init=LOCKED)
    trade(first, ORDER)
    asked(first, 1)
    close_window(first)
    second = desk.page()
    trade(second, OTHER)
    shows(second, QUEUED)
    shows(second, CONFIRM, "BUY 1.00 PEK")
    press(second, "The previous window is closed")
    asked(second, 1)
    shows(first, "Status unknown: Buy 1.00 PEK", "If you did not sign, nothing was sent.")
    confirm(second)
    shows(second, "Sent: Buy 2.00 PEK")


def test_the_same_deposit_again_is_not_taken_for_the_first_one(desk: Desk) -> None:
    """Transfers have no reference: the answer to the first one must not end the wait for the second."""
    page = desk.page(init=LOCKED)
    first = trade(page, COIN)
    shows(page, CONFIRM)
    close_window(page)
    press(page, CLOSED)
    shows(page, "Status unknown: Deposit 1.5 HIVE")
    second = trade(page, COIN)
    asked(page, 2)
    until(page, "(ref) => list().find((one) => one.ref === ref).outcome === 'not_signed'", first)
    assert intent(page, second)["state"] == "waiting"


def test_a_request_without_an_answer_ends_with_its_deadline(desk: Desk) -> None:
    page = desk.page(init=LOCKED, clock=True)
    trade(page, MARKET)
    asked(page, 1)
    close_window(page)
    page.clock.pause_at(START + 181)
    shows(page, "Status unknown: Buy PEK", "the request has expired")
    desk.exchange.ts = START + 300
    page.clock.run_for(30_000)
    shows(page, "Not included in a block: Buy PEK", "Nothing happened.")


# -- reloads and tabs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [ORDER, COIN])
@pytest.mark.parametrize("act", ["confirm", "closeWindow"])
def test_an_answer_after_a_reload_is_understood(desk: Desk, make: str, act: str) -> None:
    page = desk.page()
    ref = trade(page, make)
    asked(page, 1)
    desk.reload(page)
    shows(page, "Status unknown: ", "The page was closed or reloaded before Keychain answered.")
    page.evaluate(f"standIn.user.{act}()")
    wanted = "sent" if act == "confirm" else "failed"
    until(page, "([ref, state]) => list().find((one) => one.ref === ref).state === state", [ref, wanted])
    shows(page, "Sent: " if act == "confirm" else "Not signed: ")


def test_a_duplicated_tab_does_not_take_a_request_for_lost(desk: Desk) -> None:
    """A duplicate has a copy of the session storage."""
    first = desk.page()
    ref = trade(first)
    asked(first, 1)
    copy = json.dumps(first.evaluate("Object.entries(sessionStorage)"))
    second = desk.page(init=f"for (const [key, value] of {copy}) sessionStorage.setItem(key, value);")
    lock = f"peakedex.intent.{ref}"
    until(
        second,
        "(name) => navigator.locks.query().then(({ pending }) => pending.some((one) => one.name === name))",
        lock,
    )
    assert intent(second, ref)["state"] == "waiting"
    shows(second, CONFIRM)
    assert not [title for title in second.evaluate("titles") if title.startswith("Status unknown")]
    first.close()
    shows(second, "Status unknown: Buy 1.00 PEK", "The page was closed or reloaded before Keychain answered.")


def test_what_a_closed_tab_had_queued_was_not_sent(desk: Desk) -> None:
    first, second = desk.page(), desk.page()
    trade(first, ORDER)
    asked(first, 1)
    trade(second, OTHER)
    shows(first, QUEUED)
    second.close()
    shows(first, "Not signed: Buy 2.00 PEK", "The page was closed before it was sent to the wallet.")


# -- what to compare -----------------------------------------------------------------------------------------------


def test_a_deposit_of_coins_names_what_keychain_shows(desk: Desk) -> None:
    page = desk.page()
    trade(page, COIN)
    shows(page, CONFIRM, "Check in Keychain: to @peakedex.coin, 1.500 HIVE, memo empty.")
    expect(page.get_by_role("button", name=CLOSED)).to_be_visible()
