"""Intents of this browser: what is stored, what "Try again" signs, and what is said about their outcome."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.signing import (
    COIN,
    FROM_WALLET,
    MARKET,
    ORDER,
    Desk,
    asked,
    close_window,
    confirm,
    intent,
    open_desk,
    press,
    shows,
    trade,
)
from tests.browser.watch import until

FILLED = {
    "status": "filled",
    "filled": "1.00000000",
    "average_price": "0.0123100000",
    "received": "0.99800000",
    "fees": "0.00200000",
}


@pytest.fixture
def desk(browser: Browser) -> Iterator[Desk]:
    with open_desk(browser) as desk:
        yield desk


def sent(page: Page, make: str = ORDER) -> tuple[str, str]:
    """Sign a draft; its ref and transaction."""
    ref = trade(page, make)
    until(page, "standIn.user.isAsked()")
    confirm(page)
    until(page, "(ref) => list().find((one) => one.ref === ref).txId", ref)
    return ref, intent(page, ref)["txId"]


def store(page: Page, ref: str, change: dict[str, Any]) -> None:
    """Change what is stored of an intent."""
    page.evaluate(
        """([ref, change]) => {
          const key = `peakedex.intent.${ref}`;
          localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), ...change }));
        }""",
        [ref, change],
    )


# -- outcomes ------------------------------------------------------------------------------------------------------


def test_a_fill_says_price_amount_and_fee(desk: Desk) -> None:
    page = desk.page()
    ref, tx_id = sent(page)
    desk.exchange.accept(ref, tx_id, **FILLED)
    shows(
        page,
        "Filled: Buy 1.00 PEK",
        "1 of 1 PEK filled at an average price of 0.01231 SWAP.HIVE. Received 0.998 PEK after a fee of 0.002 PEK.",
    )


@pytest.mark.parametrize(
    ("status", "rest"),
    [("open", "The rest is open in the order book."), ("cancelled", "The rest was cancelled")],
)
def test_a_partial_fill_says_so_too(desk: Desk, status: str, rest: str) -> None:
    page = desk.page()
    ref, tx_id = sent(page)
    desk.exchange.accept(ref, tx_id, **{**FILLED, "status": status, "filled": "0.40000000"})
    text = f"0.4 of 1 PEK filled at an average price of 0.01231 SWAP.HIVE. Received 0.998 PEK after a fee of 0.002 PEK. {rest}"
    shows(page, "Partially filled: Buy 1.00 PEK", text)


# -- trades from the wallet ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "text"),
    [
        (
            "0.01",
            "Insufficient wallet balance: the wallet holds 0.01 SWAP.HIVE, and the deposit needs 0.012345 SWAP.HIVE.",
        ),
        (None, "could not be read"),
    ],
)
def test_a_trade_from_the_wallet_needs_its_balance(desk: Desk, balance: str | None, text: str) -> None:
    """If the sidechain refused the deposit, the order would trade with the balance at the exchange."""
    desk.exchange.wallet = balance
    page = desk.page()
    trade(page, FROM_WALLET)
    shows(page, "Not sent: Buy 1.00 PEK", text)
    assert page.evaluate("standIn.asked") == []


@pytest.mark.parametrize("deposit", ["credited", "refused"])
@pytest.mark.parametrize("outcome", ["filled", "rejected"])
def test_a_trade_from_the_wallet_says_what_became_of_its_deposit(
    desk: Desk, deposit: str, outcome: str
) -> None:
    page = desk.page()
    ref, tx_id = sent(page, FROM_WALLET)
    if deposit == "credited":
        row = {
            "id": f"{tx_id}-0",
            "symbol": "SWAP.HIVE",
            "amount": "0.01234500",
            "status": "credited",
            "block": 101,
        }
        desk.exchange.deposits.append(row)
    if outcome == "filled":
        desk.exchange.accept(ref, tx_id, **FILLED)
    else:
        desk.exchange.reject(ref, "E_FUNDS", tx_id)
    shows(page, "Filled: " if outcome == "filled" else "Rejected: ")
    toast = page.locator(".toast").first
    texts = {
        ("credited", "rejected"): "The deposit was credited, and is available at the exchange.",
        (
            "refused",
            "filled",
        ): "The sidechain refused the deposit: the order used your balance at the exchange.",
        ("refused", "rejected"): "The sidechain refused the deposit: nothing moved.",
    }
    for case, text in texts.items():
        if case == (deposit, outcome):
            expect(toast).to_contain_text(text)
        else:
            expect(toast).not_to_contain_text(text)
    expect(toast).to_have_class(f"toast {'ok' if (deposit, outcome) == ('credited', 'filled') else 'bad'}")


# -- try again -----------------------------------------------------------------------------------------------------


def refuse(page: Page, make: str = ORDER) -> str:
    ref = trade(page, make)
    until(page, "standIn.user.isAsked()")
    close_window(page)
    shows(page, "Not signed: ")
    return ref


@pytest.mark.parametrize("skips", [False, True])
def test_try_again_signs_what_the_parameters_say_after_a_review(desk: Desk, skips: bool) -> None:
    """Not what is stored beside them, even if the trader has chosen to skip reviews."""
    page = desk.page(init="localStorage.setItem('peakedex.skipreview', '1');" if skips else "")
    ref = refuse(page)
    draft = intent(page, ref)["draft"]
    evil = json.dumps(
        {"contractName": "tokens", "contractAction": "transfer", "contractPayload": {"to": "mallory"}}
    )
    store(page, ref, {"draft": {**draft, "json": evil, "message": "All is well", "authority": "active"}})
    desk.reload(page)
    press(page, "Try again")
    expect(page.locator("dialog .sentence")).to_have_text(
        "Peake DEX: BUY 1.00 PEK at 0.012345 SWAP.HIVE, total 0.012345 SWAP.HIVE, expires in 30 days"
    )
    assert page.evaluate("standIn.asked") == []
    press(page, "Sign")
    payload = json.loads(asked(page, 1)["json"])["contractPayload"]
    assert (payload["symbol"], payload["quantity"], payload["price"]) == ("PEK", "1.00", "0.012345")
    assert payload["ref"] != ref
    assert intent(page, ref) is None


def test_a_market_order_is_tried_again_at_the_price_of_now(desk: Desk) -> None:
    page = desk.page()
    refuse(page, MARKET)
    desk.exchange.ask = "0.020000"
    press(page, "Try again")
    expect(page.locator("dialog .sentence")).to_contain_text("worst price 0.020200 SWAP.HIVE")


def test_a_market_order_keeps_the_slippage_that_the_trader_chose(desk: Desk) -> None:
    page = desk.page()
    refuse(page, MARKET.replace("worst: 12500n", "worst: 12500n, slippageBps: 300"))
    desk.exchange.ask = "0.020000"
    press(page, "Try again")
    expect(page.locator("dialog .sentence")).to_contain_text("worst price 0.020600 SWAP.HIVE")


def test_a_deposit_is_tried_again(desk: Desk) -> None:
    page = desk.page()
    refuse(page, COIN)
    press(page, "Try again")
    press(page, "Sign")
    request = asked(page, 2)
    assert (request["to"], request["amount"], request["currency"]) == ("peakedex.coin", "1.500", "HIVE")


def test_what_cannot_be_built_any_more_says_why(desk: Desk) -> None:
    page = desk.page()
    ref = refuse(page)
    draft = intent(page, ref)["draft"]
    [element] = draft["elements"]
    element["contractPayload"]["quote"] = "NOPE"
    store(page, ref, {"draft": draft})
    desk.reload(page)
    press(page, "Try again")
    shows(page, "Cannot try again: Buy 1.00 PEK", "PEK/NOPE is not listed.")
    assert page.evaluate("standIn.asked") == []


# -- storage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"state": "dreaming"},
        {"outcome": "constructor"},
        {"outcome": "filled"},
        {"account": "mallory"},
        {"draft": None},
        {"draft": {"title": "x"}},
        {"txId": "javascript:alert(1)"},
        {"deadline": "soon"},
        {"fill": {"filled": 1}},
        {"deposit": "toString"},
        {"ref": "other"},
    ],
    ids=str,
)
def test_garbled_intents_are_discarded(desk: Desk, change: dict[str, Any]) -> None:
    page = desk.page()
    whole, _ = sent(page)
    ref, _ = sent(page, MARKET)
    store(page, ref, change)
    page.evaluate("localStorage.setItem('peakedex.intent.x', '{bad')")
    desk.reload(page)
    shows(page, "Sent: Buy 1.00 PEK")
    keys = page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('peakedex.intent.'))")
    assert keys == [f"peakedex.intent.{whole}"]
