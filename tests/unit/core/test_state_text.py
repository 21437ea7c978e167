"""State text: complete, sorted, and enough to go on from (section 11)."""

from __future__ import annotations

import pytest

from settlement.core.events import Movement
from settlement.core.journal.state_text import StateTextError, read_state, state_hash, state_text
from settlement.core.state import State
from settlement.core.state_machine import StateMachine
from settlement.core.venue import PairRules
from tests.unit.core.ledger import OPERATOR, PEK_HBD, START, TOKENS, Ledger, number, venue

VENUE = venue(PairRules("PEK", "SWAP.HIVE", 4, 2, taker_fee_bps=20), PEK_HBD)


def sample_ledger() -> Ledger:
    """Something of everything that a state can hold."""
    ledger = Ledger(VENUE)
    ledger.fund(("alice", "bob"), "1000")
    trigger = {"triggerPrice": "0.4000", "triggerWhen": "below"}
    grant = {
        "to": "posting",
        "pairs": ["PEK/SWAP.HIVE", "PEK/HBD"],
        "perDay": {"SWAP.HIVE": "10", "HBD": "5"},
        "bandBps": number("1000"),
        "until": number(str(START + 10**6)),
    }
    ledger.block(
        ledger.order("bob", "sell", "9.00", "0.5000", stopPrice="0.3000", stopLimit="0.2000")._replace(
            id="o"
        ),
        ledger.order("alice", "buy", "1.00", "0.6000"),
        ledger.order("alice", "buy", "2.00", "0.1000", settle="wallet")._replace(id="w"),
        ledger.order("alice", "sell", "3.00", "0.3500", **trigger, postOnly=True)._replace(id="s"),
        ledger.act(
            "alice", "marketBuy", {"symbol": "PEK", "quantity": "4", "price": "1", **trigger}
        )._replace(id="t"),
        ledger.act("alice", "grant", grant),
        ledger.order("alice", "buy", "1.00", "0.4600")._replace(id="g", active=False),
        ledger.act("alice", "cancelAllAfter", {"seconds": number("60")}),
        ledger.act("bob", "withdraw", {"symbol": "PEK", "quantity": "2", "memo": "for rent"})._replace(
            id="x"
        ),
        ledger.act("bob", "withdraw", {"symbol": "HBD", "quantity": "2"})._replace(id="y"),
        ledger.act("bob", "cancelWithdrawal", {"id": "y"}),
        ledger.act(
            OPERATOR, "upgrade", {"protocol": number("3"), "text": "b" * 64, "block": number("500000")}
        ),
        Movement("r", "hive-engine", "-", "dex.hive", "PEK", " 1e0", None),
    )
    return ledger


def test_the_text_by_hand() -> None:
    """Alice buys 1 PEK at 0.5 and pays 20 basis points of it; the mark is 0.5."""
    ledger = sample_ledger()
    now, end = START + 3, START + 3 + 2_592_000
    lines = ledger.text().splitlines()
    assert lines[:3] == ["peakedex-state 2", f"venue {VENUE.hash}", "block 2 00000002 2023-11-14T22:13:23"]
    assert lines[3] == f"journal {ledger.machine.state.journal_hash}"
    assert lines[4:] == [
        "last 6 1",
        "rules 200 fees",
        f"upgrade 3 {'b' * 64} 500000",
        "token HBD 3 dex.hbd 1",
        "token PEK 8 dex.pek 1",
        "token SWAP.HIVE 8 dex.hive 1",
        "pair PEK/HBD 1 2 0 0 maker cancel_resting active",
        "pair PEK/SWAP.HIVE 4 2 0 20 maker cancel_resting active",
        "balance alice HBD 1000000 0 0",
        "balance alice PEK 99799800000 300000000 0",
        "balance alice SWAP.HIVE 99484000000 466000000 0",
        "balance bob HBD 998000 0 2000",
        "balance bob PEK 98900000000 800000000 200000000",
        "balance bob SWAP.HIVE 100050000000 0 0",
        "balance fees PEK 200000 0 0",
        f"order 1 o bob PEK/SWAP.HIVE sell 5000 900000000 800000000 800000000 50000000 0 {end} 0 20 venue 3000 2000",
        f"order 3 w alice PEK/SWAP.HIVE buy 1000 200000000 200000000 20000000 0 0 {end} 0 20 wallet - -",
        f"order 6 g alice PEK/SWAP.HIVE buy 4600 100000000 100000000 46000000 0 0 {end} 0 20 venue - -",
        f"stop 4 s alice PEK/SWAP.HIVE sell limit 3500 300000000 300000000 {end} 20 below 4000 GTC post",
        f"stop 5 t alice PEK/SWAP.HIVE buy market 10000 400000000 400000000 {end} 20 below 4000 IOC -",
        f"timer alice active {now + 60}",
        f"grant alice posting {START + 10**6} 1000 PEK/HBD,PEK/SWAP.HIVE HBD:5000,SWAP.HIVE:1000000000 "
        f"{now // 86_400} SWAP.HIVE:46000000",
        "withdrawal x bob PEK 200000000 bob for%20rent -",
        f"withdrawal y bob HBD 2000 bob - {now + 3600}",
        "refund r %2D PEK %201e0 dex.hive",
        "mark PEK/SWAP.HIVE 2 100000000 50000000",
        "escrow HBD 2000000",
        "escrow PEK 200000000000",
        "escrow SWAP.HIVE 200000000000",
    ]


def test_a_replica_goes_on_from_the_text_alone() -> None:
    """Blocks in which everything in it expires, fires, returns or is paid are the same for both."""
    ledger = sample_ledger()
    other = Ledger(VENUE)
    other.machine = StateMachine(VENUE, read_state(VENUE, ledger.text()))
    assert state_hash(other.machine.state) == state_hash(ledger.machine.state)
    for number_, seconds in enumerate((3, 57, 3600, 10**6, 10**7)):
        sell = ledger.order("bob", "sell", "1.00", "0.0100")._replace(id=f"n{number_}")
        pay = Movement(f"p{number_}", "hive-engine", "dex.pek", "bob", "PEK", "2", "for rent")
        entries = [each.block(sell, pay, seconds=seconds) for each in (ledger, other)]
        assert entries[0] == entries[1]
        assert entries[0].text
        assert other.text() == ledger.text()


def test_before_the_first_block() -> None:
    state = State(VENUE)
    lines = state_text(state).splitlines()
    assert lines[2:6] == ["block 0 - -", f"journal {VENUE.hash}", "last 0 0", "rules 200 fees"]
    assert lines[6:] == [*(token_line(symbol) for symbol in ("HBD", "PEK", "SWAP.HIVE")), *lines[9:]]
    assert len(lines) == 11
    machine = StateMachine(VENUE, read_state(VENUE, state_text(state)))
    assert machine.next_block() == VENUE.start_block


def token_line(symbol: str) -> str:
    [token] = [token for token in TOKENS if token.symbol == symbol]
    return f"token {symbol} {token.precision} {token.escrow} 1"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("peakedex-state 2", "peakedex-state 1"),
        (f"venue {VENUE.hash}", f"venue {'0' * 64}"),
        ("block 2 ", "block 2.0 "),
        ("last 6 1", "last 06 1"),
        ("balance alice HBD 1000000 0 0", "balance alice HBD 1000000 0 1"),
        ("balance alice HBD 1000000 0 0", "balance alice HBD -1 0 0"),
        ("balance alice HBD 1000000 0 0", "balance alice NOPE 1000000 0 0"),
        ("balance alice PEK 99799800000 300000000 0", "balance alice PEK 99799800000 300000001 0"),
        ("%201e0", "x"),
        ("order 1 o bob", "order 1 g bob"),
        ("order 1 o bob PEK/SWAP.HIVE sell 5000", "order 1 o bob PEK/SWAP.HIVE sell -"),
        ("order 1 o bob PEK/SWAP.HIVE", "order 1 o bob PEK/NOPE"),
        ("escrow HBD 2000000", "escrow HBD two"),
        ("HBD:5000", "HBD:five"),
        ("mark PEK/SWAP.HIVE 2 100000000", "mark PEK/SWAP.HIVE 2 1_00000000"),
        ("escrow SWAP.HIVE 200000000000\n", "escrow SWAP.HIVE 200000000000"),
        ("escrow SWAP.HIVE 200000000000\n", "escrow SWAP.HIVE 200000000000\nmore 1\n"),
        ("timer alice", "trade 1"),
    ],
)
def test_other_text_is_no_state(old: str, new: str) -> None:
    text = sample_ledger().text()
    assert old in text
    with pytest.raises(StateTextError):
        read_state(VENUE, text.replace(old, new, 1))


def test_a_text_that_is_cut_off_is_no_state() -> None:
    text = sample_ledger().text()
    for end in range(0, len(text), 97):
        with pytest.raises(StateTextError):
            read_state(VENUE, text[:end])


def test_lines_in_another_order_are_no_state() -> None:
    lines = sample_ledger().text().splitlines(keepends=True)
    lines[-1], lines[-2] = lines[-2], lines[-1]
    with pytest.raises(StateTextError):
        read_state(VENUE, "".join(lines))
