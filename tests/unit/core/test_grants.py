"""Grants and cancel-all timers: who may act for an account, how far, for how long (sections 5 and 6)."""

from __future__ import annotations

from typing import Any

import pytest

from settlement.core.events import Action
from settlement.core.venue import PairRules
from tests.unit.core.ledger import OPERATOR, PEK_HBD, START, Ledger, number, venue

DAY = 86_400
MIDNIGHT = START - START % DAY + DAY


def ledger_with_grant(to: str = "posting", **terms: Any) -> Ledger:
    """Alice lets `to` trade PEK/SWAP.HIVE within 10 % of the mark, which is 1, for 10 SWAP.HIVE and 10 PEK a day."""
    ledger = Ledger(venue(PairRules("PEK", "SWAP.HIVE", 4, 2), PEK_HBD))
    ledger.fund(("alice", "bob", "carol"))
    ledger.block(
        ledger.order("bob", "buy", "1.00", "1.0000"),
        ledger.order("carol", "sell", "1.00", "1.0000"),
        grant(ledger, to, **terms),
    )
    assert "accept" in ledger.block(signed(ledger, "buy", "0.01", "0.9000", to=to)).text
    return ledger


def grant(ledger: Ledger, to: str = "posting", signer: str = "alice", **terms: Any) -> Action:
    payload = {
        "to": to,
        "pairs": ["PEK/SWAP.HIVE"],
        "perDay": {"SWAP.HIVE": "10", "PEK": "10"},
        "bandBps": number("1000"),
        "until": number(str(START + 10 * DAY)),
    }
    return ledger.act(signer, "grant", {**payload, **terms})


def signed(ledger: Ledger, side: str, quantity: str, price: str, to: str = "posting", **more: Any) -> Action:
    """An order for Alice, signed by the one that her grant is to."""
    return under(ledger, to, ledger.order("alice", side, quantity, price, **more))


def under(ledger: Ledger, to: str, action: Action) -> Action:
    if to == "posting":
        return action._replace(active=False)
    assert isinstance(action.payload, dict)
    return action._replace(signer=to, payload={**action.payload, "for": "alice"})


def test_the_lines_of_a_grant_and_of_an_order_under_it() -> None:
    ledger = ledger_with_grant("bob")
    action = grant(ledger, "zoe.bob", pairs=["PEK/SWAP.HIVE", "PEK/HBD"], perDay={"PEK": "1", "HBD": "2"})
    assert ledger.block(action._replace(id="g")).text.splitlines()[1:] == [
        "accept g alice active grant -",
        f"grant alice zoe.bob {START + 10 * DAY} 1000 PEK/HBD,PEK/SWAP.HIVE HBD:2000,PEK:100000000",
    ]
    order = signed(ledger, "buy", "1.00", "1.0000", to="bob", ref="x")._replace(id="o")
    text = ledger.block(order).text.splitlines()
    assert text[1] == "accept o alice bob buy x"
    assert text[2].startswith("order o 4 alice PEK/SWAP.HIVE buy limit 10000 ")
    assert ledger.block(ledger.act("alice", "revoke", {"to": "bob"})._replace(id="r")).text.splitlines()[
        1:
    ] == [
        "accept r alice active revoke -",
        "revoke alice bob",
    ]
    assert ledger.code(signed(ledger, "buy", "1.00", "1.0000", to="bob")) == "E_AUTH"
    assert ledger.code(ledger.act("alice", "cancel", {"id": "o"})) is None  # it stayed, and is Alice's


@pytest.mark.parametrize(
    ("side", "price", "code"),
    [
        ("buy", "1.1000", None),
        ("buy", "1.1001", "E_GRANT"),
        ("buy", "0.0001", None),
        ("sell", "0.9000", None),
        ("sell", "0.8999", "E_GRANT"),
        ("sell", "9.0000", None),
    ],
)
def test_the_band(side: str, price: str, code: str | None) -> None:
    ledger = ledger_with_grant()
    assert ledger.code(signed(ledger, side, "1.00", price)) == code


def test_without_a_mark_no_price_is_in_the_band() -> None:
    ledger = ledger_with_grant(
        pairs=["PEK/SWAP.HIVE", "PEK/HBD"], bandBps=number("10000"), perDay={"PEK": "10", "SWAP.HIVE": "1"}
    )
    assert ledger.code(signed(ledger, "sell", "1.00", "1.0", quote="HBD")) == "E_GRANT"


def test_the_allowance_counts_what_accepted_orders_lock_until_midnight() -> None:
    """10 a day: 0.009 is used already. Cancelling gives nothing back; a rejected order counts nothing; a day later all
    of it is there again."""
    ledger = ledger_with_grant()
    assert ledger.code(signed(ledger, "buy", "9.00", "1.0000")._replace(id="o")) is None
    assert ledger.code(ledger.act("alice", "cancel", {"id": "o"}, active=False)) is None
    assert ledger.code(signed(ledger, "buy", "1.00", "1.0000")) == "E_GRANT"
    assert ledger.code(signed(ledger, "buy", "0.90", "1.0000", timeInForce="IOC")) == "E_NO_LIQUIDITY"
    assert ledger.code(signed(ledger, "buy", "0.99", "1.0000")) is None
    assert ledger.code(signed(ledger, "sell", "10.00", "1.0000", timeInForce="FOK")) == "E_FOK"
    assert ledger.code(signed(ledger, "sell", "10.00", "1.1000")) is None  # each token has its own
    assert ledger.code(signed(ledger, "sell", "0.01", "1.1000")) == "E_GRANT"
    now = ledger.machine.state.header
    assert now is not None
    ledger.block(seconds=MIDNIGHT - now.timestamp - 4)
    assert ledger.code(signed(ledger, "buy", "1.00", "1.0000")) == "E_GRANT"  # 23:59:59
    ledger.block(seconds=1)  # 00:00:00
    assert ledger.code(signed(ledger, "buy", "10.00", "1.0000")) is None
    [line] = [line for line in ledger.text().splitlines() if line.startswith("grant ")]
    assert line.endswith(f" {MIDNIGHT // DAY} SWAP.HIVE:1000000000")


def test_a_token_that_is_not_named_allows_nothing() -> None:
    ledger = ledger_with_grant(perDay={"SWAP.HIVE": "1"})
    assert ledger.code(signed(ledger, "sell", "0.01", "1.0000")) == "E_GRANT"


def test_a_replace_counts_what_it_locks_more_unless_its_price_is_worse() -> None:
    """9.99 is left, in steps of a lot. 5 at 1.0 counts 5; 6 at 0.9 locks 5.4 and counts 0.4; 1 at 0.8 counts nothing;
    5 at 0.9, a worse price, counts 4.5: 9.9 in all."""
    ledger = ledger_with_grant()
    assert ledger.code(signed(ledger, "buy", "5.00", "1.0000")._replace(id="a")) is None
    for old, new, quantity, price in (("a", "b", "6", "0.9"), ("b", "c", "1", "0.8"), ("c", "d", "5", "0.9")):
        payload = {"id": old, "quantity": quantity, "price": price}
        action = ledger.act("alice", "replace", payload, active=False)._replace(id=new)
        assert ledger.code(action) is None
    assert ledger.text().count("SWAP.HIVE:990900000\n") == 1
    payload = {"id": "d", "quantity": "5.01", "price": "0.91"}
    assert ledger.code(ledger.act("alice", "replace", payload, active=False)) == "E_GRANT"
    assert ledger.code(ledger.act("alice", "replace", {"id": "d", "quantity": "5.10"}, active=False)) is None


def test_a_replace_under_a_grant_keeps_the_expiry_and_its_price_is_in_the_band() -> None:
    ledger = ledger_with_grant()
    ledger.block(
        ledger.order("alice", "buy", "1.00", "0.5000", expiration=number("1000"))._replace(id="o"),
        ledger.order("alice", "sell", "1.00", "9.0000")._replace(id="s"),
        ledger.order("alice", "sell", "1.00", "9.0000", settle="wallet")._replace(id="w"),
    )
    new = ledger.act("alice", "replace", {"id": "o", "price": "0.6"}, active=False)._replace(id="n")
    [_, order] = ledger.lines(new)
    header = ledger.machine.state.header
    assert header is not None
    assert order.split()[9] == str(header.timestamp - 3 + 1000)
    cheap = ledger.act("alice", "replace", {"id": "s", "price": "0.8"}, active=False)
    assert ledger.code(cheap) == "E_GRANT"
    assert ledger.code(ledger.act("alice", "replace", {"id": "w", "price": "8"}, active=False)) == "E_GRANT"


def test_what_no_grant_allows() -> None:
    ledger = ledger_with_grant()
    trigger = {"triggerPrice": "2", "triggerWhen": "above"}
    for more in ({"settle": "venue"}, trigger, {"stopPrice": "2", "stopLimit": "3"}, {"quote": "HBD"}):
        assert ledger.code(signed(ledger, "buy", "0.01", "1.0", **more)) == "E_GRANT"
    market = {"symbol": "PEK", "quantity": "1"}
    assert ledger.code(ledger.act("alice", "marketBuy", market, active=False)) == "E_GRANT"
    for name, payload in (
        ("withdraw", {"symbol": "PEK", "quantity": "1"}),
        ("cancelWithdrawal", {"id": "x"}),
        ("revoke", {"to": "posting"}),
        ("grant", grant(ledger, "mallory").payload),
    ):
        assert ledger.code(ledger.act("alice", name, payload, active=False)) == "E_GRANT"
    market = {**market, "price": "1"}
    assert ledger.code(ledger.act("alice", "marketBuy", market, active=False)) == "E_NO_LIQUIDITY"


def test_who_may_not_act() -> None:
    ledger = ledger_with_grant("bob")
    order = ledger.order("alice", "buy", "0.01", "1.0000")
    assert isinstance(order.payload, dict)
    for_alice = {**order.payload, "for": "alice"}
    assert ledger.code(order._replace(active=False)) == "E_AUTH"  # the grant is to Bob
    assert ledger.code(order._replace(signer="bob", payload=for_alice, active=False)) == "E_AUTH"
    assert ledger.code(order._replace(signer="carol", payload=for_alice)) == "E_AUTH"
    assert ledger.code(order._replace(signer="posting", payload=for_alice)) == "E_AUTH"
    assert ledger.code(order._replace(signer="active", payload=for_alice)) == "E_AUTH"
    assert ledger.code(order._replace(payload=for_alice)) == "E_INPUT"
    assert ledger.code(order._replace(signer="bob", payload={**for_alice, "for": "no account"})) == "E_INPUT"
    assert ledger.code(ledger.act(OPERATOR, "updateVenue", {"for": 7})) is None  # an unknown key there


def test_an_account_named_posting_has_a_posting_key_too() -> None:
    ledger = ledger_with_grant()
    assert ledger.code(grant(ledger, "posting", signer="posting")) is None
    assert ledger.code(grant(ledger, "bob", signer="bob")) == "E_INPUT"
    ledger.block(ledger.deposit("posting", "SWAP.HIVE", "5"))
    assert ledger.code(ledger.order("posting", "buy", "1.00", "1.0000")._replace(active=False)) is None


def test_cancels_under_a_grant_reach_plain_orders_of_its_pairs() -> None:
    ledger = ledger_with_grant()
    ledger.block(
        ledger.order("alice", "buy", "1.00", "0.1", quote="HBD")._replace(id="other"),
        ledger.order("alice", "buy", "1.00", "0.1000", stopPrice="9", stopLimit="9")._replace(id="protected"),
        ledger.order("alice", "buy", "1.00", "0.1", triggerPrice="9", triggerWhen="above")._replace(
            id="stop"
        ),
        ledger.order("alice", "buy", "1.00", "0.1000", settle="wallet")._replace(id="plain"),
    )
    for id_ in ("other", "protected", "stop"):
        assert ledger.code(ledger.act("alice", "cancel", {"id": id_}, active=False)) == "E_GRANT"
    closed = ledger.lines(ledger.act("alice", "cancelAll", active=False))
    assert [line.split()[1] for line in closed if line.startswith("close")] == ["i13", "plain"]
    assert ledger.lines(ledger.act("alice", "cancelAll", {"quote": "HBD"}, active=False)) == []


def test_a_grant_ends_without_a_line_and_its_timer_with_it() -> None:
    ledger = ledger_with_grant(until=number(str(START + 100)))
    ledger.block(ledger.act("alice", "cancelAllAfter", {"seconds": number("200")}, active=False))
    ledger.block(ledger.act("alice", "cancelAllAfter", {"seconds": number("400")}))
    assert ledger.lines(seconds=87) == []  # second 99
    assert "grant alice posting" in ledger.text()
    assert ledger.lines(seconds=1) == []
    assert "grant alice" not in ledger.text()
    assert "timer alice posting" not in ledger.text()
    assert ledger.lines(seconds=400) == ["timeout alice active", "close i13 cancelled 900000"]


def test_a_grant_that_replaces_another_keeps_its_timer_and_has_nothing_used() -> None:
    ledger = ledger_with_grant()
    assert ledger.lines(ledger.act("alice", "cancelAllAfter", {"seconds": number("60")}, active=False)) == [
        f"timer alice posting {START + 9 + 60}"
    ]
    ledger.block(grant(ledger, pairs=["PEK/HBD"]))
    [line] = [line for line in ledger.text().splitlines() if line.startswith("grant ")]
    assert line.endswith("PEK/HBD PEK:1000000000,SWAP.HIVE:1000000000 - -")
    ledger.block(ledger.order("alice", "buy", "1.00", "0.1", quote="HBD")._replace(id="hbd"))
    assert ledger.lines(seconds=60) == ["timeout alice posting", "close hbd cancelled 100"]


def test_timers_fire_by_due_account_and_how_they_were_set() -> None:
    ledger = ledger_with_grant()
    for account in ("carol", "bob", "alice"):
        ledger.block(ledger.order(account, "buy", "1.00", "0.1000")._replace(id=account), seconds=0)
    stop = {"triggerPrice": "9", "triggerWhen": "above"}
    ledger.block(
        ledger.order("bob", "buy", "1.00", "0.1000", **stop)._replace(id="stop"),
        *(ledger.act(account, "cancelAllAfter", {"seconds": number("30")}) for account in ("carol", "alice")),
        ledger.act("alice", "cancelAllAfter", {"seconds": number("30")}, active=False),
        ledger.act("bob", "cancelAllAfter", {"seconds": number("15")}),
        ledger.act("bob", "cancelAllAfter", {"seconds": number("29")}),
        seconds=0,
    )
    assert ledger.lines(seconds=28) == []
    assert ledger.lines(seconds=2) == [
        "timeout bob active",
        "close bob cancelled 10000000",
        "timeout alice active",
        "close i13 cancelled 900000",
        "close alice cancelled 10000000",
        "timeout alice posting",
        "timeout carol active",
        "close carol cancelled 10000000",
    ]
    assert "stop 7 stop bob" in ledger.text()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        ("0", None),
        ("1", "E_INPUT"),
        ("14", "E_INPUT"),
        ("15", None),
        ("86400", None),
        ("86401", "E_INPUT"),
        ("-0", "E_INPUT"),
    ],
)
def test_the_seconds_of_a_timer(seconds: str, code: str | None) -> None:
    ledger = ledger_with_grant()
    assert ledger.code(ledger.act("alice", "cancelAllAfter", {"seconds": number(seconds)})) == code


def test_a_timer_is_disarmed_with_zero() -> None:
    ledger = ledger_with_grant()
    ledger.block(ledger.act("alice", "cancelAllAfter", {"seconds": number("15")}))
    assert ledger.lines(ledger.act("alice", "cancelAllAfter", {"seconds": number("0")})) == [
        "timer alice active -"
    ]
    assert ledger.lines(seconds=60) == []


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"to": "active"}, "E_INPUT"),
        ({"to": "alice"}, "E_INPUT"),
        ({"to": "No"}, "E_INPUT"),
        ({"pairs": []}, "E_INPUT"),
        ({"pairs": "PEK/SWAP.HIVE"}, "E_INPUT"),
        ({"pairs": ["PEK/SWAP.HIVE", "PEK/SWAP.HIVE"]}, "E_INPUT"),
        ({"pairs": ["PEK"]}, "E_INPUT"),
        ({"pairs": ["PEK/HBD/HBD"]}, "E_INPUT"),
        ({"pairs": [f"{letter}/HBD" for letter in "ABCDEFGHIJKLMNOPQRSTU"]}, "E_INPUT"),
        ({"pairs": [f"{letter}/HBD" for letter in "ABCDEFGHIJKLMNOPQRST"]}, "E_PAIR"),
        ({"perDay": {}}, "E_INPUT"),
        ({"perDay": {"PEK": "0"}}, "E_INPUT"),
        ({"perDay": {"pek": "1"}}, "E_INPUT"),
        ({"perDay": {"PEK": number("1.5")}}, None),
        ({"bandBps": number("10001")}, "E_INPUT"),
        ({"bandBps": "1"}, "E_INPUT"),
        ({"until": number(str(START + 9))}, "E_INPUT"),
        ({"until": number(str(START + 10))}, None),
        ({"until": number(str(START + 9 + 7_776_000))}, None),
        ({"until": number(str(START + 9 + 7_776_001))}, "E_INPUT"),
    ],
)
def test_the_terms_of_a_grant(terms: dict[str, Any], code: str | None) -> None:
    ledger = ledger_with_grant()
    assert ledger.code(grant(ledger, **{"to": "zoe", **terms})) == code


def test_ten_grants_at_most() -> None:
    ledger = ledger_with_grant()
    for n in range(9):
        assert ledger.code(grant(ledger, f"friend{n}")) is None
    assert ledger.code(grant(ledger, "friend9")) == "E_LIMIT"
    assert ledger.code(grant(ledger, "friend8")) is None
    ledger.block(ledger.act("alice", "revoke", {"to": "friend0"}))
    assert ledger.code(grant(ledger, "friend9")) is None
