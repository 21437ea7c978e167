"""The fifteen codes, and that checks come in the protocol's order (section 4).

Each row is an action that fails two checks and gets the earlier code, and the same with the first fault
fixed, which gets the later one.
"""

from __future__ import annotations

from typing import Any

import pytest

from settlement.core.codes import SENTENCES, Code
from settlement.core.events import Action
from tests.unit.core.ledger import OPERATOR, PEK_HBD, PEK_HIVE, Ledger, number, venue

TOO_PRECISE = "1.234"  # lots are hundredths
HUGE = "99999999999"  # × 10^8 passes 63 bits
BOTH = "99999999999.123456789"


def sample_ledger() -> Ledger:
    """PEK/SWAP.HIVE under cancel_incoming: Carol asks 5 at 1.5, Bob 5 at 2. Alice has three bids, no more
    are allowed. PEK/HBD is paused and holds a bid of Bob's (o-paused). Erin has nothing."""
    rules = venue(
        PEK_HIVE.__class__("PEK", "SWAP.HIVE", 4, 2, self_trade="cancel_incoming"), PEK_HBD, max_open_orders=3
    )
    ledger = Ledger(rules)
    ledger.fund(("alice", "bob", "carol", "dave"), "1000")
    ledger.block(
        ledger.order("carol", "sell", "5.00", "1.5000")._replace(id="o-carol"),
        ledger.order("bob", "sell", "5.00", "2.0000")._replace(id="o-bob"),
        *(ledger.order("alice", "buy", "1.00", "0.1000") for _ in range(3)),
        ledger.order("bob", "buy", "1.00", "1.0", quote="HBD")._replace(id="o-paused"),
        ledger.act(OPERATOR, "updatePair", {"symbol": "PEK", "quote": "HBD", "status": "paused"}),
        ledger.act("dave", "withdraw", {"symbol": "PEK", "quantity": "1"})._replace(id="w-dave"),
    )
    return ledger


def intent(signer: str, name: str, **payload: Any) -> Action:
    active = payload.pop("active", True)
    return Action("x", signer, active, name, payload)


def order(
    signer: str, side: str = "buy", quantity: str = "1.00", price: str = "0.5000", **more: Any
) -> Action:
    payload = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": quantity, "price": price}
    return intent(signer, side, **{**payload, **more})


def token(**more: Any) -> dict[str, Any]:
    return {"symbol": "NEW", "precision": number("3"), "chain": "hive-engine", "escrow": "dex.new", **more}


def pair(base: str, quote: str, price: str = "2", quantity: str = "2") -> dict[str, Any]:
    return {
        "symbol": base,
        "quote": quote,
        "priceDecimals": number(price),
        "quantityDecimals": number(quantity),
    }


E = Code
ROWS: list[tuple[Code, Action, Code, Action]] = [
    # shape, then authority
    (E.E_INPUT, order("dave", price="0", active=False), E.E_AUTH, order("dave", active=False)),
    (
        E.E_INPUT,
        intent("dave", "cancel", id=7, active=False),
        E.E_AUTH,
        intent("dave", "cancel", id="y", active=False),
    ),
    # authority, then existence, then ownership of a named order
    (
        E.E_AUTH,
        intent("dave", "cancel", id="y", active=False),
        E.E_NOT_FOUND,
        intent("dave", "cancel", id="y"),
    ),
    (
        E.E_AUTH,
        intent("dave", "cancel", id="o-bob", active=False),
        E.E_OWNER,
        intent("dave", "cancel", id="o-bob"),
    ),
    (E.E_AUTH, order("dave", symbol="NO", active=False), E.E_PAIR, order("dave", symbol="NO")),
    # existence and ownership, then status, precision, range
    (
        E.E_OWNER,
        intent("dave", "replace", id="o-paused", quantity=TOO_PRECISE),
        E.E_PAUSED,
        intent("bob", "replace", id="o-paused", quantity=TOO_PRECISE),
    ),
    (
        E.E_NOT_FOUND,
        intent("bob", "replace", id="y", quantity=TOO_PRECISE),
        E.E_PRECISION,
        intent("bob", "replace", id="o-bob", quantity=TOO_PRECISE),
    ),
    # pair and status, then precision, then range
    (
        E.E_PAIR,
        order("dave", symbol="NO", quantity=TOO_PRECISE),
        E.E_PRECISION,
        order("dave", quantity=TOO_PRECISE),
    ),
    (
        E.E_PAUSED,
        order("dave", quote="HBD", quantity=TOO_PRECISE),
        E.E_PRECISION,
        order("dave", quantity=TOO_PRECISE),
    ),
    (
        E.E_PAUSED,
        order("dave", quote="HBD", quantity=HUGE, price="1"),
        E.E_RANGE,
        order("dave", quantity=HUGE),
    ),
    (E.E_PRECISION, order("dave", quantity=BOTH), E.E_RANGE, order("dave", quantity=HUGE)),
    (E.E_PRECISION, order("dave", quantity=HUGE, price="1.00001"), E.E_RANGE, order("dave", quantity=HUGE)),
    # range, then limit, then what depends on the book
    (E.E_RANGE, order("alice", quantity=HUGE), E.E_LIMIT, order("alice")),
    (
        E.E_LIMIT,
        order("alice", price="2.0000", postOnly=True),
        E.E_POST_ONLY,
        order("dave", price="2.0000", postOnly=True),
    ),
    (
        E.E_POST_ONLY,
        order("dave", price="2.0000", quantity="50.00", postOnly=True, timeInForce="FOK"),
        E.E_FOK,
        order("dave", price="2.0000", quantity="50.00", timeInForce="FOK"),
    ),
    (
        E.E_POST_ONLY,
        order("carol", price="2.0000", postOnly=True),  # she would meet her own order
        E.E_SELF_TRADE,
        order("carol", price="2.0000"),
    ),
    (
        E.E_FOK,
        order("carol", price="2.0000", timeInForce="FOK"),
        E.E_SELF_TRADE,
        order("carol", price="2.0000"),
    ),
    (
        E.E_SELF_TRADE,
        order("carol", price="2.0000", timeInForce="IOC"),
        E.E_NO_LIQUIDITY,
        order("carol", price="1.0000", timeInForce="IOC"),
    ),
    # the book, then funds
    (E.E_POST_ONLY, order("erin", price="2.0000", postOnly=True), E.E_FUNDS, order("erin", price="2.0000")),
    (
        E.E_FOK,
        order("erin", price="2.0000", quantity="50.00", timeInForce="FOK"),
        E.E_FUNDS,
        order("erin", price="2.0000", timeInForce="FOK"),
    ),
    (
        E.E_SELF_TRADE,
        order("carol", price="2.0000", quantity="900.00"),  # 1,800, and she has 1,000
        E.E_FUNDS,
        order("carol", price="1.4000", quantity="900.00"),
    ),
    (
        E.E_NO_LIQUIDITY,
        order("erin", price="1.0000", timeInForce="IOC"),
        E.E_FUNDS,
        order("erin", price="1.5000", timeInForce="IOC"),
    ),
    (
        E.E_NO_LIQUIDITY,
        intent("erin", "marketBuy", symbol="PEK", quote="SWAP.HIVE", quantity="9", price="1"),
        E.E_FUNDS,
        intent("erin", "marketBuy", symbol="PEK", quote="SWAP.HIVE", quantity="9"),
    ),
    # a withdrawal: shape (not to an escrow), authority, token, precision, range, funds
    (
        E.E_INPUT,
        intent("erin", "withdraw", symbol="PEK", quantity="1", to="dex.pek", active=False),
        E.E_AUTH,
        intent("erin", "withdraw", symbol="PEK", quantity="1", to="zoe", active=False),
    ),
    (
        E.E_AUTH,
        intent("erin", "withdraw", symbol="NO", quantity="1", active=False),
        E.E_TOKEN,
        intent("erin", "withdraw", symbol="NO", quantity="1"),
    ),
    (
        E.E_TOKEN,
        intent("erin", "withdraw", symbol="NO", quantity=BOTH),
        E.E_PRECISION,
        intent("erin", "withdraw", symbol="PEK", quantity=BOTH),
    ),
    (
        E.E_PRECISION,
        intent("erin", "withdraw", symbol="PEK", quantity=BOTH),
        E.E_RANGE,
        intent("erin", "withdraw", symbol="PEK", quantity=HUGE),
    ),
    (
        E.E_RANGE,
        intent("erin", "withdraw", symbol="PEK", quantity=HUGE),
        E.E_FUNDS,
        intent("erin", "withdraw", symbol="PEK", quantity="1"),
    ),
    # a flat intent: another's name is a matter of authority
    (
        E.E_INPUT,
        intent("dave", "buy", base="PEK", quote="SWAP.HIVE", price="0", amount="1", username="bob"),
        E.E_AUTH,
        intent("dave", "buy", base="NO", quote="SWAP.HIVE", price="1", amount="1", username="bob"),
    ),
    # the operator
    (
        E.E_INPUT,
        intent("bob", "listToken", **token(precision=number("9"))),
        E.E_AUTH,
        intent("bob", "listToken", **token(symbol="PEK")),
    ),
    (
        E.E_AUTH,
        intent(OPERATOR, "listToken", **token(symbol="PEK"), active=False),
        E.E_TOKEN,
        intent(OPERATOR, "listToken", **token(symbol="PEK")),
    ),
    (
        E.E_AUTH,
        intent("bob", "listPair", **pair("NO", "HBD")),
        E.E_TOKEN,
        intent(OPERATOR, "listPair", **pair("NO", "HBD")),
    ),
    (
        E.E_TOKEN,
        intent(OPERATOR, "listPair", **pair("NO", "HBD", price="9")),
        E.E_PAIR,
        intent(OPERATOR, "listPair", **pair("PEK", "HBD", price="9")),
    ),
    (
        E.E_PAIR,
        intent(OPERATOR, "listPair", **pair("PEK", "HBD", price="9")),
        E.E_INPUT,
        intent(OPERATOR, "listPair", **pair("SWAP.HIVE", "HBD", price="9")),
    ),
    (
        E.E_AUTH,
        intent("bob", "updatePair", symbol="PEK", quote="NO"),
        E.E_PAIR,
        intent(OPERATOR, "updatePair", symbol="PEK", quote="NO"),
    ),
    (
        E.E_AUTH,
        intent("bob", "returnWithdrawal", id="y"),
        E.E_NOT_FOUND,
        intent(OPERATOR, "returnWithdrawal", id="y"),
    ),
    (
        E.E_INPUT,
        intent(
            OPERATOR, "checkpoint", block=number("9223372036854775808"), stateHash="0", journalHash="a" * 64
        ),
        E.E_RANGE,
        intent(
            OPERATOR,
            "checkpoint",
            block=number("9223372036854775808"),
            stateHash="0" * 64,
            journalHash="a" * 64,
        ),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{n}: {a} before {b}" for n, (a, _, b, _) in enumerate(ROWS)])
def test_of_two_errors_the_earlier_check_decides(row: tuple[Code, Action, Code, Action]) -> None:
    earlier, both, later, fixed = row
    for code, action in ((earlier, both), (later, fixed)):
        ledger = sample_ledger()
        state = ledger.text().splitlines()
        flat = action._replace(flat=isinstance(action.payload, dict) and "base" in action.payload)
        done = ledger.block(flat)
        assert done.text.splitlines()[1:] == [f"reject x {action.signer} {action.name} {code}"]
        assert ledger.text().splitlines()[3:] == state[3:]  # nothing but the block has changed


def test_every_code_has_a_row_and_a_sentence() -> None:
    assert {code for earlier, _, later, _ in ROWS for code in (earlier, later)} == set(Code)
    assert len(Code) == 15
    assert set(SENTENCES) == set(Code)
    assert all(code.value == code.name for code in Code)
    assert len(set(SENTENCES.values())) == 15


def test_corrected_actions_are_accepted() -> None:
    """Each action is accepted when nothing is wrong with it."""
    for action in (
        order("dave", price="2.0000"),
        order("dave", price="1.4999", postOnly=True),
        order("dave", price="2.0000", quantity="10.00", timeInForce="FOK"),
        intent("bob", "cancel", id="o-paused"),
        intent("carol", "replace", id="o-carol", price="1.6000"),
        intent("carol", "marketSell", symbol="PEK", quote="SWAP.HIVE", quantity="1"),
        intent("dave", "withdraw", symbol="PEK", quantity="all", to="zoe"),
        intent(OPERATOR, "listToken", **token()),
        intent(OPERATOR, "listPair", **pair("SWAP.HIVE", "HBD", price="1")),
        intent(OPERATOR, "returnWithdrawal", id="w-dave"),
    ):
        assert sample_ledger().code(action) is None, action
