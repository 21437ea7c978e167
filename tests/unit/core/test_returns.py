"""Return of withdrawals, listing by the operator, and announced upgrades (sections 8 and 9)."""

from __future__ import annotations

import pytest

from settlement.core.events import BlockHeader, Movement
from settlement.core.journal.state_text import read_state
from settlement.core.state_machine import StateMachine, UpgradeRequired
from tests.unit.core.ledger import OPERATOR, START, Ledger, number

PAY = Movement("p", "hive-engine", "dex.pek", "alice", "PEK", "1", "peakedex:w")


def ledger_with_withdrawals() -> Ledger:
    """Alice's `w` and `v` of 1 PEK each are pending, opened at second 3."""
    ledger = Ledger()
    ledger.block(ledger.deposit("alice", "PEK", "5"))
    wish = {"symbol": "PEK", "quantity": "1"}
    ledger.block(*(ledger.act("alice", "withdraw", wish)._replace(id=id_) for id_ in ("w", "v")))
    return ledger


def test_a_withdrawal_returns_after_an_hour() -> None:
    ledger = ledger_with_withdrawals()
    assert ledger.lines(ledger.act("alice", "cancelWithdrawal", {"id": "w"})) == [
        f"returning w {START + 6 + 3600}"
    ]
    for signer, name in (
        ("alice", "cancelWithdrawal"),
        (OPERATOR, "returnWithdrawal"),
        ("bob", "cancelWithdrawal"),
    ):
        assert ledger.code(ledger.act(signer, name, {"id": "w"})) == "E_NOT_FOUND"
    assert ledger.lines(seconds=3600 - 9 - 1) == []
    assert ledger.balance("alice", "PEK") == (300_000_000, 0, 200_000_000)
    assert ledger.lines(seconds=1) == ["return w"]
    assert ledger.balance("alice", "PEK") == (400_000_000, 0, 100_000_000)


def test_a_payment_until_the_block_of_the_return_settles_it_and_one_after_it_is_an_outflow() -> None:
    """A payment that expired before the return was due may be in the first block after it, if the chain halted."""
    ledger = ledger_with_withdrawals()
    ledger.block(ledger.act("alice", "withdraw", {"symbol": "PEK", "quantity": "1"})._replace(id="x"))
    ledger.block(
        ledger.act(OPERATOR, "returnWithdrawal", {"id": "w"}),
        *(ledger.act("alice", "cancelWithdrawal", {"id": id_}) for id_ in ("v", "x")),
    )
    assert ledger.lines(PAY, seconds=3599) == ["paid w p"]
    late = PAY._replace(id="q", memo="peakedex:v")
    assert ledger.lines(late, seconds=1000) == ["paid v q", "return x"]
    too_late = PAY._replace(id="r", memo="peakedex:x")
    assert ledger.lines(too_late) == ["outflow r dex.pek hive-engine PEK 100000000 alice"]
    assert ledger.lines(seconds=3600) == []


def test_returns_go_by_due_then_by_order_of_opening_also_after_a_restart() -> None:
    ledger = ledger_with_withdrawals()
    wish = {"symbol": "PEK", "quantity": "1"}
    ledger.block(ledger.act("alice", "withdraw", wish)._replace(id="a"))
    ledger.block(*(ledger.act("alice", "cancelWithdrawal", {"id": id_}) for id_ in ("a", "v")))
    ledger.block(ledger.act("alice", "cancelWithdrawal", {"id": "w"}))
    ledger.machine = StateMachine(ledger.state.venue, read_state(ledger.state.venue, ledger.text()))
    assert ledger.lines(seconds=9999) == ["return v", "return a", "return w"]


def test_tokens_and_pairs_are_listed_with_all_their_fields() -> None:
    ledger = Ledger()
    listed = {"symbol": "NEW", "precision": number("3"), "escrow": "dex.pek", "minWithdrawal": "1.5"}
    pair = {"symbol": "NEW", "quote": "PEK", "priceDecimals": number("5"), "quantityDecimals": number("3")}
    more = {
        "makerFeeBps": number("1"),
        "takerFeeBps": number("2"),
        "pricePolicy": "bid",
        "selfTrade": "allow",
    }
    update = {"symbol": "NEW", "quote": "PEK", "status": "paused"}
    assert ledger.block(
        ledger.act(OPERATOR, "listToken", {**listed, "ref": "r1"})._replace(id="t"),
        ledger.act(OPERATOR, "listPair", {**pair, **more})._replace(id="p"),
        ledger.act(OPERATOR, "updatePair", update)._replace(id="u"),
        ledger.act(OPERATOR, "updateVenue", {"feeAccount": "fees.new"})._replace(id="v"),
    ).text.splitlines()[1:] == [
        "accept t operator active listToken r1",
        "token NEW 3 dex.pek 1500",
        "accept p operator active listPair -",
        "pair NEW/PEK 5 3 1 2 bid allow active",
        "accept u operator active updatePair -",
        "pair NEW/PEK 5 3 1 2 bid allow paused",
        "accept v operator active updateVenue -",
        "rules 200 fees.new",
    ]


def test_an_announced_upgrade_stops_the_program_before_its_block() -> None:
    ledger = Ledger()
    ledger.block()
    upgrade = {"protocol": number("3"), "text": "b" * 64, "block": number("200002")}
    assert ledger.lines(ledger.act(OPERATOR, "upgrade", upgrade)) == [f"upgrade 3 {'b' * 64} 200002"]
    assert f"upgrade 3 {'b' * 64} 200002" in ledger.text().splitlines()
    while ledger.machine.next_block() < 200_002:
        ledger.machine.apply(BlockHeader(ledger.machine.next_block(), "00", START + 9))
    with pytest.raises(UpgradeRequired, match="block 200002 is the first under protocol 3"):
        ledger.block()
    with pytest.raises(UpgradeRequired):
        StateMachine(ledger.state.venue, read_state(ledger.state.venue, ledger.text())).apply(
            BlockHeader(200_002, "00", START + 12)
        )


def test_an_upgrade_is_replaced_and_taken_back() -> None:
    ledger = Ledger()
    upgrade = {"protocol": number("3"), "text": "b" * 64, "block": number("300000")}
    later = {**upgrade, "protocol": number("4"), "block": number("400000")}
    assert ledger.lines(ledger.act(OPERATOR, "upgrade", upgrade), ledger.act(OPERATOR, "upgrade", later)) == [
        f"upgrade 3 {'b' * 64} 300000",
        f"upgrade 4 {'b' * 64} 400000",
    ]
    back = {**upgrade, "block": number("0")}
    assert ledger.lines(ledger.act(OPERATOR, "upgrade", back)) == ["upgrade - - -"]
    assert "upgrade" not in ledger.text()
