"""Edge cases: 63-bit limits, block times, order limits, and the decisions of docs/protocol-notes.md."""

from __future__ import annotations

import pytest

from settlement.core.events import Movement
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.core.venue import PairRules, TokenRules
from tests.unit.core.ledger import OPERATOR, START, Ledger, number, venue

TOP = str(MAX_UNITS)  # of a token without decimals
WHOLE = (
    TokenRules("PEK", 0, "hive-engine", "dex.pek"),
    TokenRules("SWAP.HIVE", 0, "hive-engine", "dex.hive"),
)


def ledger_without_decimals() -> Ledger:
    """PEK/SWAP.HIVE with 0 decimals: one unit is one token."""
    return Ledger(venue(PairRules("PEK", "SWAP.HIVE", 0, 0), tokens=WHOLE))


# ---------------------------------------------------------------- 63 bits


def test_total_deposits_of_a_token_are_limited_to_63_bits() -> None:
    ledger = ledger_without_decimals()
    assert ledger.lines(
        ledger.deposit("alice", "PEK", str(MAX_UNITS - 1)),
        ledger.deposit("bob", "PEK", "2"),
        ledger.deposit("bob", "PEK", "1"),
        ledger.deposit("bob", "PEK", "1"),
    ) == [
        f"deposit i1 alice PEK {MAX_UNITS - 1} dex.pek",
        "refund i2 bob PEK 2 dex.pek",
        "deposit i3 bob PEK 1 dex.pek",
        "refund i4 bob PEK 1 dex.pek",
    ]
    assert "escrow PEK " + TOP in ledger.text().splitlines()


def test_paid_withdrawals_free_the_63_bit_limit() -> None:
    ledger = ledger_without_decimals()
    ledger.block(ledger.deposit("alice", "PEK", TOP))
    ledger.block(ledger.act("alice", "withdraw", {"symbol": "PEK", "quantity": "1"})._replace(id="w"))
    assert ledger.lines(ledger.deposit("bob", "PEK", "1"))[0].startswith("refund")
    pay = Movement("p", "hive-engine", "dex.pek", "alice", "PEK", "1", "peakedex:w")
    assert ledger.lines(pay, ledger.deposit("bob", "PEK", "1")) == [
        "paid w p",
        "deposit i4 bob PEK 1 dex.pek",
    ]


@pytest.mark.parametrize(
    ("quantity", "price", "code"),
    [
        (TOP, "1", None),
        ("1", TOP, None),
        (str(MAX_UNITS + 1), "1", "E_RANGE"),
        ("1", str(MAX_UNITS + 1), "E_RANGE"),
        ("3037000500", "3037000500", "E_RANGE"),  # each fits, price × quantity does not
        ("3037000499", "3037000499", None),
    ],
)
def test_an_order_locks_up_to_63_bits(quantity: str, price: str, code: str | None) -> None:
    ledger = ledger_without_decimals()
    ledger.block(ledger.deposit("alice", "SWAP.HIVE", TOP))
    assert ledger.code(ledger.order("alice", "buy", quantity, price)) == code


@pytest.mark.parametrize(("block", "code"), [(TOP, None), (str(MAX_UNITS + 1), "E_RANGE"), ("-1", "E_INPUT")])
def test_a_checkpoint_names_a_block_of_63_bits(block: str, code: str | None) -> None:
    ledger = Ledger()
    claim = {"block": number(block), "stateHash": "0" * 64, "journalHash": "f" * 64}
    done = ledger.block(ledger.act(OPERATOR, "checkpoint", claim))
    assert done.outcomes[0].code == code
    assert [c.block for c in done.checkpoints] == ([] if code else [int(block)])


# ---------------------------------------------------------------- time


def test_an_order_expires_in_the_first_block_at_or_after_its_time() -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    ledger.block(ledger.order("alice", "buy", "1.00", "0.5000", expiration=number("6"))._replace(id="o"))
    assert ledger.lines(seconds=3) == []
    assert ledger.lines(seconds=2) == []
    assert ledger.lines(seconds=1) == ["expire o", "close o expired 50000000"]


def test_expiration_is_capped_at_the_order_lifetime() -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    lines = ledger.lines(
        ledger.order("alice", "buy", "1.00", "0.5000"),
        ledger.order("alice", "buy", "1.00", "0.5000", expiration=number("2592001")),
        ledger.order("alice", "buy", "1.00", "0.5000", expiration=number("2591999")),
        ledger.order("alice", "buy", "1.00", "0.5000", expiration="60"),  # text is no integer
    )
    now = START + 3
    assert [line.split()[-1] for line in lines] == [str(now + 2592000)] * 2 + [str(now + 2591999), "E_INPUT"]


def test_orders_that_expire_together_close_by_sequence() -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    ledger.block(
        ledger.order("alice", "buy", "1.00", "0.5000", expiration=number("9"))._replace(id="long"),
        ledger.order("alice", "buy", "1.00", "0.9000", expiration=number("5"))._replace(id="b"),
        ledger.order("alice", "buy", "1.00", "0.1000", expiration=number("5"))._replace(id="a"),
    )
    lines = ledger.lines(seconds=60)
    assert [line.split()[1] for line in lines if line.startswith("expire")] == ["b", "a", "long"]


# ---------------------------------------------------------------- decided where the protocol is silent


def test_market_orders_do_not_count_against_the_limit_but_ioc_and_fok_do() -> None:
    ledger = Ledger(venue(max_open_orders=1))
    ledger.fund(["alice", "bob"])
    ledger.block(
        ledger.order("bob", "sell", "9.00", "0.5000"), ledger.order("alice", "buy", "1.00", "0.1000")
    )
    buy = {"symbol": "PEK", "quantity": "1"}
    assert ledger.code(ledger.order("alice", "buy", "1.00", "0.5000", timeInForce="IOC")) == "E_LIMIT"
    assert ledger.code(ledger.order("alice", "buy", "1.00", "0.5000", timeInForce="FOK")) == "E_LIMIT"
    assert ledger.code(ledger.act("alice", "marketBuy", buy)) is None


def test_ioc_and_fok_have_an_expiry_in_their_line_and_market_orders_have_none() -> None:
    ledger = Ledger()
    ledger.fund(["alice", "bob"])
    ledger.block(ledger.order("bob", "sell", "9.00", "0.5000"))
    lines = ledger.lines(
        ledger.order("alice", "buy", "1.00", "0.5000", timeInForce="IOC"),
        ledger.order("alice", "buy", "1.00", "0.5000", timeInForce="FOK"),
        ledger.act("alice", "marketBuy", {"symbol": "PEK", "quantity": "1"}),
    )
    expiries = [line.split()[-1] for line in lines if line.startswith("order")]
    assert expiries == [str(START + 6 + 2592000)] * 2 + ["-"]


def test_null_is_not_absent() -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    for key in ("quote", "expiration", "timeInForce", "postOnly", "settle", "ref"):
        assert ledger.code(ledger.order("alice", "buy", "1.00", "0.5000", **{key: None})) == "E_INPUT"
    assert ledger.code(ledger.act("alice", "cancelAll", {"symbol": None})) == "E_INPUT"
    assert ledger.code(ledger.act("alice", "cancelAll")._replace(payload=None)) == "E_INPUT"


def test_cancel_all_is_filtered_by_base_and_quote_and_may_find_nothing() -> None:
    ledger = Ledger(venue(PairRules("PEK", "SWAP.HIVE", 4, 2), PairRules("PEK", "HBD", 1, 2)))
    ledger.fund(["alice", "bob"])
    ledger.block(
        ledger.order("alice", "buy", "1.00", "0.1000")._replace(id="a1"),
        ledger.order("alice", "buy", "1.00", "0.1", quote="HBD")._replace(id="a2"),
        ledger.order("bob", "buy", "1.00", "0.1000")._replace(id="b1"),
        ledger.order("alice", "buy", "1.00", "0.2000")._replace(id="a3"),
    )
    assert ledger.code(ledger.act("alice", "cancelAll", {"quote": "PEK"})) == "E_PAIR"
    hive = ledger.lines(ledger.act("alice", "cancelAll", {"symbol": "PEK", "quote": "SWAP.HIVE"}))
    assert hive == ["close a1 cancelled 10000000", "close a3 cancelled 20000000"]
    assert ledger.lines(ledger.act("alice", "cancelAll")) == ["close a2 cancelled 100"]
    done = ledger.block(ledger.act("alice", "cancelAll"))
    assert (done.text, done.outcomes[0].code) == ("", None)
    assert "b1" in ledger.state.orders


def test_withdrawing_all_of_nothing_is_e_funds() -> None:
    assert Ledger().code(Ledger().act("alice", "withdraw", {"symbol": "PEK", "quantity": "all"})) == "E_FUNDS"


def test_a_replace_needs_quantity_or_price() -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    ledger.block(ledger.order("alice", "buy", "1.00", "0.5000")._replace(id="o"))
    assert ledger.code(ledger.act("alice", "replace", {"id": "o"})) == "E_INPUT"
    assert ledger.lines(ledger.act("alice", "replace", {"id": "o", "price": "0.4000"})._replace(id="r")) == [
        "close o cancelled 50000000",
        f"order r 2 alice PEK/SWAP.HIVE buy limit 4000 100000000 {START + 9 + 2592000}",
    ]


def test_a_replace_locks_first_and_settles_what_is_left_to_the_wallet() -> None:
    """Alice locks all her 10 in a bid of 5 at 2; half fills. She replaces the rest with 2 at 2."""
    ledger = Ledger()
    ledger.block(ledger.deposit("alice", "SWAP.HIVE", "10"), ledger.deposit("bob", "PEK", "2.5"))
    ledger.block(
        ledger.order("alice", "buy", "5.00", "2.0000", settle="wallet")._replace(id="o"),
        ledger.order("bob", "sell", "2.50", "2.0000"),
    )
    assert ledger.lines(ledger.act("alice", "replace", {"id": "o", "quantity": "2"})._replace(id="r")) == [
        "close o cancelled 500000000",
        "withdraw o#PEK alice PEK 250000000 alice -",
        "withdraw o#SWAP.HIVE alice SWAP.HIVE 100000000 alice -",
        f"order r 3 alice PEK/SWAP.HIVE buy limit 20000 200000000 {START + 6 + 2592000}",
    ]
    assert ledger.balance("alice", "SWAP.HIVE") == (0, 400_000_000, 100_000_000)


def test_affordability_is_checked_before_self_trade() -> None:
    """Alice's remaining budget does not buy a lot at her own ask: the ask stays, her order is filled."""
    ledger = Ledger()
    ledger.fund(["alice", "bob"])
    ledger.block(
        ledger.order("bob", "sell", "1.00", "1.0000")._replace(id="bob"),
        ledger.order("alice", "sell", "1.00", "2.0000")._replace(id="own"),
    )
    lines = ledger.lines(
        ledger.act("alice", "marketBuy", {"symbol": "PEK", "quantity": "1.019"})._replace(id="m")
    )
    assert lines[-2:] == ["close bob filled 0", "close m filled 1900000"]
    assert "own" in ledger.state.orders
    ledger.lines(ledger.act("alice", "marketBuy", {"symbol": "PEK", "quantity": "0.02"})._replace(id="m2"))
    assert "own" in ledger.state.orders  # nothing but her own ask: rejected, nothing changes


def test_an_update_that_changes_nothing_is_accepted() -> None:
    ledger = Ledger()
    names = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    assert ledger.lines(
        ledger.act(OPERATOR, "updatePair", names)._replace(id="u"),
        ledger.act(OPERATOR, "updateVenue")._replace(id="v"),
    ) == ["operator u updatePair", "operator v updateVenue"]


def test_refunds_never_count_in_holdings() -> None:
    ledger = Ledger()
    too_precise = Movement("r", "hive-engine", "alice", "dex.pek", "PEK", "0.000000001", None)
    assert ledger.lines(too_precise) == ["refund r alice PEK 0.000000001 dex.pek"]
    assert not any(line.startswith("escrow") for line in ledger.text().splitlines())
    pay = Movement("p", "hive-engine", "dex.pek", "alice", "PEK", "1e-9", "peakedex:r")
    assert ledger.lines(pay) == ["paid r p"]
    assert not any(line.startswith("escrow") for line in ledger.text().splitlines())


def test_the_oldest_of_two_equal_withdrawals_is_paid() -> None:
    ledger = Ledger()
    ledger.block(ledger.deposit("alice", "HBD", "5"))
    wish = {"symbol": "HBD", "quantity": "1", "memo": "rent"}
    ledger.block(*(ledger.act("alice", "withdraw", wish)._replace(id=id_) for id_ in ("w1", "w2")))
    pay = Movement("p1", "hive", "dex.hbd", "alice", "HBD", "1.000", "rent")
    assert ledger.lines(pay, pay._replace(id="p2"), pay._replace(id="p3")) == [
        "paid w1 p1",
        "paid w2 p2",
        "outflow p3 dex.hbd HBD 1.000 alice",
    ]


def test_an_unmatched_outflow_is_rounded_up() -> None:
    ledger = Ledger()
    ledger.block(ledger.deposit("alice", "PEK", "1"))
    out = Movement("x", "hive-engine", "dex.pek", "mallory", "PEK", "0.000000011", None)
    assert ledger.lines(out) == ["outflow x dex.pek PEK 0.000000011 mallory"]
    assert "escrow PEK 99999998" in ledger.text().splitlines()


def test_an_internal_move_of_an_unlisted_token_shows_the_literal_quantity() -> None:
    ledger = Ledger()
    move = Movement("m", "hive-engine", "dex.pek", "dex.hive", "PEK", "1e0", None)
    assert ledger.lines(move, move._replace(id="n", symbol="JUNK", quantity="1 e")) == [
        "internal m dex.pek dex.hive PEK 100000000",
        "internal n dex.pek dex.hive JUNK 1%20e",
    ]


# ---------------------------------------------------------------- found by a reviewer


def test_received_is_capped_at_63_bits() -> None:
    """One order buys and sells the same quote units again and again: `received` passes their total."""
    price = str(2**62)
    rules = PairRules("PEK", "SWAP.HIVE", 0, 0, self_trade="allow")
    ledger = Ledger(venue(rules, tokens=WHOLE))
    ledger.lines(ledger.deposit("alice", "PEK", "3"), ledger.deposit("alice", "SWAP.HIVE", price))
    ledger.lines(ledger.order("alice", "sell", "3", price))
    for _ in range(2):
        ledger.lines(ledger.order("alice", "buy", "1", price))
    [resting] = ledger.machine.state.orders.values()
    assert resting.received == MAX_UNITS


def test_a_refund_without_a_value_is_matched_literally() -> None:
    ledger = ledger_without_decimals()
    zeros = "1" + "0" * 31
    [line] = ledger.lines(ledger.deposit("alice", "PEK", "1e31"))
    refund = line.split()[1]
    paid = Movement(ledger.id(), "hive-engine", "dex.pek", "alice", "PEK", zeros, f"peakedex:{refund}")
    assert ledger.lines(paid)[0].startswith("outflow ")
