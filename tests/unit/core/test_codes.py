"""The twenty codes, and that checks come in the protocol's order (section 5).

Each row is an action that fails two checks and gets the earlier code, and the same with the first fault fixed, which
gets the later one.
"""

from __future__ import annotations

from typing import Any

import pytest

from settlement.core.codes import SENTENCES, Code
from settlement.core.events import Action
from settlement.core.venue import PairRules, TokenRules
from tests.unit.core.ledger import OPERATOR, PEK_HBD, START, Ledger, number, venue

TOO_PRECISE = "1.234"  # lots are hundredths
HUGE = "99999999999"  # × 10^8 passes 63 bits
BOTH = "99999999999.123456789"
TINY = "0.00000999"  # below PEK's minimum
TOKENS = (
    TokenRules("PEK", 8, "dex.pek", 1000),
    TokenRules("SWAP.HIVE", 8, "dex.hive", 1000),
    TokenRules("HBD", 3, "dex.hbd", 1),
)
PAST = number(str(START))
GRANT = {
    "pairs": ["PEK/SWAP.HIVE"],
    "perDay": {"SWAP.HIVE": "10", "PEK": "10"},
    "bandBps": number("1000"),
    "until": number(str(START + 1000)),
}


def sample_ledger() -> Ledger:
    """PEK/SWAP.HIVE under cancel_incoming, mark 1.5: Carol asks 5 at 1.5, Bob 5 at 2 with a protective stop. Alice has
    three orders and Frank two stops and an order; no more are allowed. PEK/HBD is paused and holds a bid of Bob's.
    Alice and Bob let their posting keys trade. Carol has twenty withdrawals pending, Dave has one and ten grants. Erin
    has nothing."""
    pair = PairRules("PEK", "SWAP.HIVE", 4, 2, taker_fee_bps=20, self_trade="cancel_incoming")
    ledger = Ledger(venue(pair, PEK_HBD, max_open_orders=3, tokens=TOKENS))
    ledger.fund(("alice", "bob", "carol", "dave", "frank"), "1000")
    protected = {"stopPrice": "1.0000", "stopLimit": "0.9000"}
    ledger.block(
        ledger.order("carol", "sell", "6.00", "1.5000")._replace(id="o-carol"),
        ledger.order("dave", "buy", "1.00", "1.5000"),
        ledger.order("bob", "sell", "5.00", "2.0000", **protected)._replace(id="o-bob"),
        *(ledger.order("alice", "buy", "1.00", "0.1000") for _ in range(2)),
        ledger.order("alice", "buy", "1.00", "0.1000", settle="wallet")._replace(id="o-wallet"),
        ledger.order("bob", "buy", "1.00", "1.0", quote="HBD")._replace(id="o-paused"),
        ledger.act(OPERATOR, "updatePair", {"symbol": "PEK", "quote": "HBD", "status": "paused"}),
        ledger.act("dave", "withdraw", {"symbol": "PEK", "quantity": "1"})._replace(id="w-dave"),
        *(ledger.act("carol", "withdraw", {"symbol": "HBD", "quantity": "1"}) for _ in range(20)),
        *(ledger.act(account, "grant", {**GRANT, "to": "posting"}) for account in ("alice", "bob")),
        *(ledger.act("dave", "grant", {**GRANT, "to": f"friend{n}"}) for n in range(10)),
    )
    assert ledger.machine.state.last_trade == 1
    return ledger


def intent(signer: str, name: str, **payload: Any) -> Action:
    active = payload.pop("active", True)
    return Action("x", signer, active, name, payload)


def order(
    signer: str, side: str = "buy", quantity: str = "1.00", price: str = "0.5000", **more: Any
) -> Action:
    payload = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": quantity, "price": price}
    return intent(signer, side, **{**payload, **more})


def market(signer: str, quantity: str, **more: Any) -> Action:
    return intent(signer, "marketBuy", symbol="PEK", quote="SWAP.HIVE", quantity=quantity, **more)


def token(**more: Any) -> dict[str, Any]:
    return {"symbol": "NEW", "precision": number("3"), "escrow": "dex.pek", "minWithdrawal": "1", **more}


def pair(base: str, quote: str, price: str = "2", quantity: str = "2") -> dict[str, Any]:
    decimals = {"priceDecimals": number(price), "quantityDecimals": number(quantity)}
    return {"symbol": base, "quote": quote, **decimals}


def trigger(price: str, when: str = "above") -> dict[str, str]:
    return {"triggerPrice": price, "triggerWhen": when}


def grant(signer: str = "erin", **more: Any) -> Action:
    return intent(signer, "grant", **{**GRANT, "to": "zoe", **more})


def claim(block: str) -> dict[str, Any]:
    return {"block": number(block), "stateHash": "0" * 64, "journalHash": "a" * 64}


def upgrade(block: str) -> dict[str, Any]:
    return {"protocol": number("3"), "text": "b" * 64, "block": number(block)}


UNKNOWN_PAIR: dict[str, Any] = {"pairs": ["PEK/NO"]}
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
    (
        E.E_INPUT,
        intent("bob", "withdraw", symbol="PEK", quantity="1", to="dex.pek", active=False),
        E.E_GRANT,
        intent("bob", "withdraw", symbol="PEK", quantity="1", to="zoe", active=False),
    ),
    (E.E_INPUT, grant(until=PAST, active=False), E.E_AUTH, grant(active=False)),
    (E.E_INPUT, grant(to="active", active=False), E.E_AUTH, grant(active=False)),
    (E.E_INPUT, order("dave", **{"for": "dave"}), E.E_AUTH, order("dave", **{"for": "bob"})),
    (
        E.E_INPUT,
        order("dave", stopPrice="1", active=False),
        E.E_AUTH,
        order("dave", stopPrice="1", stopLimit="1", active=False),
    ),
    (
        E.E_INPUT,
        intent("dave", "buy", base="PEK", quote="SWAP.HIVE", price="0", amount="1", username="bob"),
        E.E_AUTH,
        intent("dave", "buy", base="NO", quote="SWAP.HIVE", price="1", amount="1", username="bob"),
    ),
    # authority, then time
    (E.E_AUTH, order("dave", notAfter=PAST, active=False), E.E_LATE, order("dave", notAfter=PAST)),
    (
        E.E_GRANT,
        order("bob", notAfter=PAST, settle="venue", active=False),
        E.E_LATE,
        order("bob", notAfter=PAST, active=False),
    ),
    (
        E.E_GRANT,
        market("bob", "1", notAfter=PAST, active=False),
        E.E_LATE,
        market("bob", "1", price="9", notAfter=PAST, active=False),
    ),
    (
        E.E_GRANT,
        order("bob", quote="HBD", notAfter=PAST, active=False),
        E.E_PAIR,
        order("bob", quote="NO", active=False),
    ),
    # time, then existence and ownership
    (
        E.E_LATE,
        intent("dave", "cancel", id="y", notAfter=PAST),
        E.E_NOT_FOUND,
        intent("dave", "cancel", id="y"),
    ),
    (
        E.E_LATE,
        intent("dave", "cancel", id="o-bob", notAfter=PAST),
        E.E_OWNER,
        intent("dave", "cancel", id="o-bob"),
    ),
    (E.E_LATE, order("dave", symbol="NO", notAfter=PAST), E.E_PAIR, order("dave", symbol="NO")),
    (
        E.E_LATE,
        intent("erin", "revoke", to="zoe", notAfter=PAST),
        E.E_NOT_FOUND,
        intent("erin", "revoke", to="zoe"),
    ),
    (
        E.E_NOT_FOUND,
        intent("bob", "cancelWithdrawal", id="y"),
        E.E_OWNER,
        intent("bob", "cancelWithdrawal", id="w-dave"),
    ),
    # ownership, then what a grant reaches
    (
        E.E_OWNER,
        intent("bob", "cancel", id="o-carol", active=False),
        E.E_GRANT,
        intent("bob", "cancel", id="o-bob", active=False),
    ),
    (
        E.E_GRANT,
        intent("bob", "replace", id="o-bob", quantity=TOO_PRECISE, active=False),
        E.E_PRECISION,
        intent("bob", "replace", id="o-bob", quantity=TOO_PRECISE),
    ),
    (
        E.E_OWNER,
        intent("dave", "replace", id="o-wallet", stopPrice="9", stopLimit="9"),
        E.E_INPUT,
        intent("alice", "replace", id="o-wallet", stopPrice="9", stopLimit="9"),
    ),
    (
        E.E_INPUT,
        intent("alice", "replace", id="o-wallet", stopPrice="9", stopLimit="9", quantity=TOO_PRECISE),
        E.E_PRECISION,
        intent("alice", "replace", id="o-wallet", quantity=TOO_PRECISE),
    ),
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
    (
        E.E_PRECISION,
        order("dave", quantity=HUGE, **trigger("1.00001")),
        E.E_RANGE,
        order("dave", quantity=HUGE, **trigger("1")),
    ),
    # range, then fee, then a grant's band and allowance
    (
        E.E_RANGE,
        order("dave", quantity=HUGE, maxFeeBps=number("19")),
        E.E_FEE,
        order("dave", maxFeeBps=number("19")),
    ),
    (
        E.E_FEE,
        order("bob", price="9.0000", maxFeeBps=number("19"), active=False),
        E.E_GRANT,
        order("bob", price="9.0000", active=False),
    ),
    (E.E_FEE, order("alice", maxFeeBps=number("19")), E.E_LIMIT, order("alice")),
    # a grant's limits, then the account's
    (
        E.E_GRANT,
        order("alice", price="9.0000", active=False),
        E.E_LIMIT,
        order("alice", price="1.5000", active=False),
    ),
    (
        E.E_GRANT,
        order("alice", quantity="7.00", price="1.5000", active=False),
        E.E_LIMIT,
        order("alice", quantity="6.00", price="1.5000", active=False),
    ),
    (
        E.E_RANGE,
        intent("carol", "withdraw", symbol="PEK", quantity=HUGE),
        E.E_LIMIT,
        intent("carol", "withdraw", symbol="PEK", quantity="1"),
    ),
    (
        E.E_LIMIT,
        intent("carol", "withdraw", symbol="PEK", quantity=TINY),
        E.E_MINIMUM,
        intent("dave", "withdraw", symbol="PEK", quantity=TINY),
    ),
    # limits, then the mark
    (E.E_LIMIT, order("alice", **trigger("1.5000")), E.E_TRIGGER, order("dave", **trigger("1.5000"))),
    # the mark, then funds
    (
        E.E_TRIGGER,
        order("erin", **trigger("1.5000", "below")),
        E.E_FUNDS,
        order("erin", **trigger("1.4999", "below")),
    ),
    (
        E.E_TRIGGER,
        order("erin", stopPrice="1.5000", stopLimit="9"),
        E.E_FUNDS,
        order("erin", stopPrice="1.5001", stopLimit="9"),
    ),
    # funds, then what depends on the book
    (
        E.E_FUNDS,
        order("erin", price="2.0000", postOnly=True),
        E.E_POST_ONLY,
        order("dave", price="2.0000", postOnly=True),
    ),
    (
        E.E_FUNDS,
        order("erin", price="2.0000", quantity="50.00", timeInForce="FOK"),
        E.E_FOK,
        order("dave", price="2.0000", quantity="50.00", timeInForce="FOK"),
    ),
    (
        E.E_FUNDS,
        order("carol", price="2.0000", quantity="900.00"),  # 1,800, and she has 1,000
        E.E_SELF_TRADE,
        order("carol", price="2.0000"),
    ),
    (E.E_FUNDS, market("erin", "9", price="1"), E.E_NO_LIQUIDITY, market("dave", "9", price="1")),
    # what depends on the book
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
    # a withdrawal: authority, token, precision, range, minimum, funds
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
        E.E_MINIMUM,
        intent("erin", "withdraw", symbol="PEK", quantity=TINY),
        E.E_FUNDS,
        intent("erin", "withdraw", symbol="PEK", quantity="1"),
    ),
    # a grant: pairs, tokens, precision, range, each over all entries, then the number
    (E.E_LATE, grant(**UNKNOWN_PAIR, notAfter=PAST), E.E_PAIR, grant(**UNKNOWN_PAIR)),
    (E.E_PAIR, grant(**UNKNOWN_PAIR, perDay={"NO": "1"}), E.E_TOKEN, grant(perDay={"NO": "1"})),
    (
        E.E_TOKEN,
        grant(perDay={"HBD": BOTH, "NO": "1"}),
        E.E_PRECISION,
        grant(perDay={"HBD": BOTH, "PEK": "1"}),
    ),
    (
        E.E_PRECISION,
        grant(perDay={"HBD": "0.0001", "PEK": HUGE}),
        E.E_RANGE,
        grant(perDay={"HBD": "1", "PEK": HUGE}),
    ),
    (E.E_RANGE, grant("dave", perDay={"PEK": HUGE}), E.E_LIMIT, grant("dave")),
    # the operator
    (
        E.E_INPUT,
        intent("bob", "listToken", **token(precision=number("9"))),
        E.E_AUTH,
        intent("bob", "listToken", **token(symbol="PEK")),
    ),
    (
        E.E_INPUT,
        intent("bob", "listToken", **token(symbol="HIVE", precision=number("4"))),
        E.E_AUTH,
        intent("bob", "listToken", **token(symbol="HIVE")),
    ),
    (
        E.E_INPUT,
        intent("bob", "listToken", **token(escrow="dex.new")),
        E.E_AUTH,
        intent("bob", "listToken", **token()),
    ),
    (
        E.E_AUTH,
        intent(OPERATOR, "listToken", **token(symbol="PEK", notAfter=PAST), active=False),
        E.E_LATE,
        intent(OPERATOR, "listToken", **token(symbol="PEK", notAfter=PAST)),
    ),
    (
        E.E_LATE,
        intent(OPERATOR, "listToken", **token(symbol="PEK", notAfter=PAST)),
        E.E_TOKEN,
        intent(OPERATOR, "listToken", **token(symbol="PEK")),
    ),
    (
        E.E_TOKEN,
        intent(OPERATOR, "listToken", **token(symbol="PEK", minWithdrawal="0.0001")),
        E.E_PRECISION,
        intent(OPERATOR, "listToken", **token(minWithdrawal="0.0001")),
    ),
    (
        E.E_PRECISION,
        intent(OPERATOR, "listToken", **token(minWithdrawal=f"{'9' * 19}.0001")),
        E.E_RANGE,
        intent(OPERATOR, "listToken", **token(minWithdrawal="9" * 19)),
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
        E.E_TOKEN,
        intent(OPERATOR, "listPair", **pair("NO", "NO")),
        E.E_INPUT,
        intent(OPERATOR, "listPair", **pair("PEK", "PEK")),
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
        intent("bob", "checkpoint", **claim("9223372036854775808")),
        E.E_AUTH,
        intent("bob", "checkpoint", **claim("9223372036854775807")),
    ),
    (
        E.E_INPUT,
        intent("bob", "upgrade", **upgrade("200001")),
        E.E_AUTH,
        intent("bob", "upgrade", **upgrade("200003")),
    ),
    (
        E.E_INPUT,
        intent("bob", "upgrade", **upgrade("4294967296")),
        E.E_AUTH,
        intent("bob", "upgrade", **upgrade("0")),
    ),
    (
        E.E_INPUT,
        intent("bob", "updateVenue", feeAccount="dex.pek"),
        E.E_AUTH,
        intent(f"{OPERATOR}.proof", "updateVenue", feeAccount="bob"),
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
        assert done.text.splitlines()[1:] == [f"reject x {action.signer} {action.name} - {code}"]
        assert (
            ledger.text().splitlines()[4:] == state[4:]
        )  # nothing but the block and the journal has changed


def test_every_code_has_a_row_and_a_sentence() -> None:
    assert {code for earlier, _, later, _ in ROWS for code in (earlier, later)} == set(Code)
    assert len(Code) == 20
    assert set(SENTENCES) == set(Code)
    assert all(code.value == code.name for code in Code)
    assert len(set(SENTENCES.values())) == 20


def test_corrected_actions_are_accepted() -> None:
    """Each action is accepted when nothing is wrong with it."""
    for action in (
        order("dave", price="2.0000", maxFeeBps=number("20")),
        order("dave", price="1.4999", postOnly=True),
        order("dave", price="2.0000", quantity="10.00", timeInForce="FOK"),
        order("dave", notAfter=number(str(START + 6))),
        order("dave", **trigger("1.5001")),
        order("bob", price="1.6500", active=False),
        order("dave", "sell", price="1.6000", stopPrice="1.4999", stopLimit="1"),
        intent("bob", "cancel", id="o-paused"),
        intent("carol", "replace", id="o-carol", price="1.6000"),
        intent("carol", "marketSell", symbol="PEK", quote="SWAP.HIVE", quantity="1"),
        intent("dave", "withdraw", symbol="PEK", quantity="all", to="zoe"),
        intent("dave", "cancelWithdrawal", id="w-dave"),
        intent("dave", "revoke", to="friend3"),
        grant(),
        grant("dave", to="friend3"),
        grant("posting", to="posting"),
        intent(OPERATOR, "listToken", **token()),
        intent(OPERATOR, "listPair", **pair("SWAP.HIVE", "HBD", price="1")),
        intent(OPERATOR, "returnWithdrawal", id="w-dave"),
        intent(OPERATOR, "upgrade", **upgrade("200003")),
        intent(f"{OPERATOR}.proof", "checkpoint", **claim("7")),
    ):
        assert sample_ledger().code(action) is None, action
