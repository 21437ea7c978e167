"""Edge cases: 63-bit limits, block times, order limits, payments, replace."""

from __future__ import annotations

import pytest

from settlement.core.events import Movement
from settlement.core.parsing.amounts import MAX_UNITS
from settlement.core.venue import PairRules, TokenRules
from tests.unit.core.ledger import OPERATOR, START, Ledger, number, venue

TOP = str(MAX_UNITS)  # of a token without decimals
WHOLE = (
    TokenRules("PEK", 0, "dex.pek", 1),
    TokenRules("SWAP.HIVE", 0, "dex.hive", 1),
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


@pytest.mark.parametrize(("block", "code"), [(TOP, None), (str(MAX_UNITS + 1), "E_INPUT"), ("-1", "E_INPUT")])
def test_a_checkpoint_names_a_block_of_63_bits(block: str, code: str | None) -> None:
    ledger = Ledger()
    claim = {"block": number(block), "stateHash": "0" * 64, "journalHash": "f" * 64}
    [line] = ledger.lines(ledger.act(OPERATOR, "checkpoint", claim)._replace(id="c"))
    accepted = f"checkpoint {block} {'0' * 64} {'f' * 64}"
    assert line == (f"reject c operator checkpoint - {code}" if code else accepted)


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
    expiries = [line.split()[9] for line in lines if line.startswith("order")]
    assert expiries == [str(now + 2592000)] * 2 + [str(now + 2591999)]
    assert lines[-1].endswith("E_INPUT")


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


# ---------------------------------------------------------------- limits and shapes


def test_only_orders_that_can_rest_and_stops_count_against_the_limit() -> None:
    ledger = Ledger(venue(max_open_orders=1))
    ledger.fund(["alice", "bob"])
    ledger.block(
        ledger.order("bob", "sell", "9.00", "0.5000"), ledger.order("alice", "buy", "1.00", "0.1000")
    )
    buy = {"symbol": "PEK", "quantity": "1"}
    assert ledger.code(ledger.order("alice", "buy", "1.00", "0.5000", timeInForce="IOC")) is None
    assert ledger.code(ledger.order("alice", "buy", "1.00", "0.5000", timeInForce="FOK")) is None
    assert ledger.code(ledger.act("alice", "marketBuy", buy)) is None
    assert ledger.code(ledger.order("alice", "buy", "1.00", "0.5000")) == "E_LIMIT"
    trigger = {"triggerPrice": "0.1000", "triggerWhen": "below"}
    stop = ledger.order("alice", "sell", "1.00", "0.1000", timeInForce="IOC", **trigger)
    assert ledger.code(stop) == "E_LIMIT"
    assert ledger.code(ledger.act("alice", "marketSell", {**buy, "price": "0.1", **trigger})) == "E_LIMIT"


def test_ioc_and_fok_have_an_expiry_in_their_line_and_market_orders_have_none() -> None:
    ledger = Ledger()
    ledger.fund(["alice", "bob"])
    ledger.block(ledger.order("bob", "sell", "9.00", "0.5000"))
    lines = ledger.lines(
        ledger.order("alice", "buy", "1.00", "0.5000", timeInForce="IOC"),
        ledger.order("alice", "buy", "1.00", "0.5000", timeInForce="FOK"),
        ledger.act("alice", "marketBuy", {"symbol": "PEK", "quantity": "1"}),
    )
    expiries = [line.split()[9] for line in lines if line.startswith("order")]
    assert expiries == [str(START + 6 + 2592000)] * 2 + ["-"]


def test_null_is_not_absent() -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    keys = ("quote", "expiration", "timeInForce", "postOnly", "settle", "ref", "notAfter", "for", "maxFeeBps")
    for key in (*keys, "triggerPrice", "triggerWhen", "stopPrice", "stopLimit"):
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
    done = ledger.block(ledger.act("alice", "cancelAll")._replace(id="c"))
    assert done.text.splitlines()[1:] == ["accept c alice active cancelAll -"]
    assert "b1" in ledger.state.orders


def test_withdrawing_all_of_nothing_is_e_funds() -> None:
    assert Ledger().code(Ledger().act("alice", "withdraw", {"symbol": "PEK", "quantity": "all"})) == "E_FUNDS"


def test_a_replace_needs_something_to_replace() -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    ledger.block(ledger.order("alice", "buy", "1.00", "0.5000")._replace(id="o"))
    assert ledger.code(ledger.act("alice", "replace", {"id": "o"})) == "E_INPUT"
    assert ledger.lines(ledger.act("alice", "replace", {"id": "o", "price": "0.4000"})._replace(id="r")) == [
        "close o cancelled 50000000",
        f"order r 2 alice PEK/SWAP.HIVE buy limit 4000 100000000 {START + 9 + 2592000} 0 0 venue - -",
    ]


def test_a_replace_of_a_wallet_order_takes_over_what_it_received() -> None:
    """Alice locks all her 10 in a bid of 5 at 2; half fills. She replaces the rest with 2 at 2: nothing is withdrawn
    now, and what the old order releases stays available for good."""
    ledger = Ledger()
    ledger.block(ledger.deposit("alice", "SWAP.HIVE", "10"), ledger.deposit("bob", "PEK", "2.5"))
    ledger.block(
        ledger.order("alice", "buy", "5.00", "2.0000", settle="wallet")._replace(id="o"),
        ledger.order("bob", "sell", "2.50", "2.0000"),
    )
    assert ledger.lines(ledger.act("alice", "replace", {"id": "o", "quantity": "2"})._replace(id="r")) == [
        "close o cancelled 500000000",
        f"order r 3 alice PEK/SWAP.HIVE buy limit 20000 200000000 {START + 6 + 2592000} 0 0 wallet - -",
    ]
    assert ledger.balance("alice", "SWAP.HIVE") == (100_000_000, 400_000_000, 0)
    assert ledger.lines(ledger.act("alice", "cancel", {"id": "r"})) == [
        "close r cancelled 400000000",
        "withdraw r#PEK alice PEK 250000000 alice -",
        "withdraw r#SWAP.HIVE alice SWAP.HIVE 400000000 alice -",
    ]
    assert ledger.balance("alice", "SWAP.HIVE") == (100_000_000, 0, 400_000_000)


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
    ) == ["pair PEK/SWAP.HIVE 4 2 0 0 maker cancel_resting active", "rules 200 fees"]


def test_refunds_never_count_in_holdings() -> None:
    ledger = Ledger()
    too_precise = Movement("r", "hive-engine", "alice", "dex.pek", "PEK", "1.000000001", None)
    assert ledger.lines(too_precise) == ["refund r alice PEK 1.000000001 dex.pek"]
    assert not any(line.startswith("escrow") for line in ledger.text().splitlines())
    pay = Movement("p", "hive-engine", "dex.pek", "alice", "PEK", "1000000001e-9", "peakedex:r")
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
        "outflow p3 dex.hbd hive HBD 1000 alice",
    ]


def test_an_unmatched_outflow_is_rounded_up() -> None:
    ledger = Ledger()
    ledger.block(ledger.deposit("alice", "PEK", "1"))
    out = Movement("x", "hive-engine", "dex.pek", "mallory", "PEK", "0.000000011", None)
    assert ledger.lines(out) == ["outflow x dex.pek hive-engine PEK 2 mallory"]
    assert "escrow PEK 99999998" in ledger.text().splitlines()


def test_an_internal_move_of_an_unlisted_token_shows_the_literal_quantity() -> None:
    ledger = Ledger()
    move = Movement("m", "hive-engine", "dex.pek", "dex.hive", "PEK", "1e0", None)
    assert ledger.lines(move, move._replace(id="n", symbol="JUNK", quantity="1 e")) == [
        "internal m dex.pek dex.hive hive-engine PEK 100000000",
        "internal n dex.pek dex.hive hive-engine JUNK =1%20e",
    ]


def test_only_the_tokens_own_escrow_account_changes_holdings() -> None:
    """Moves into it are rounded down, out of it rounded up; to itself, or between others, they change nothing."""
    ledger = Ledger()
    moves = (
        ("dex.hive", "dex.pek"),
        ("dex.pek", "dex.hive"),
        ("dex.pek", "dex.pek"),
        ("dex.hive", "dex.hbd"),
    )
    events = [
        Movement(f"m{n}", "hive-engine", sender, to, "PEK", "0.000000019", None)
        for n, (sender, to) in enumerate(moves)
    ]
    assert [line.split()[-1] for line in ledger.lines(*events)] == ["1", "2", "=0.000000019", "=0.000000019"]
    assert "escrow PEK -1" in ledger.text().splitlines()


def test_a_stake_is_an_outflow_whatever_it_says() -> None:
    ledger = Ledger()
    ledger.block(ledger.deposit("alice", "PEK", "5"))
    ledger.block(ledger.act("alice", "withdraw", {"symbol": "PEK", "quantity": "1"})._replace(id="w"))
    paid = Movement("p", "hive-engine", "dex.pek", "alice", "PEK", "1", "peakedex:w", outflow_only=True)
    assert ledger.lines(paid, paid._replace(id="q", recipient="dex.hive")) == [
        "outflow p dex.pek hive-engine PEK 100000000 alice",
        "outflow q dex.pek hive-engine PEK 100000000 dex.hive",
    ]


def test_what_cannot_be_credited_is_refunded_or_ignored() -> None:
    """Refunded: at least the minimum of a listed token on its own chain. The minimum counts for that alone."""
    tokens = (TokenRules("PEK", 8, "dex.pek", 10**8), TokenRules("SWAP.HIVE", 8, "dex.hive", 1))
    ledger = Ledger(venue(tokens=tokens))
    into = Movement("a", "hive-engine", "alice", "dex.hive", "PEK", "1", None)
    assert ledger.lines(
        into,
        into._replace(id="b", quantity="0.99999999"),
        into._replace(id="c", quantity="0.5", recipient="dex.pek"),
        into._replace(id="d", quantity="1.000000001", recipient="dex.pek"),
        into._replace(id="e", quantity="0.000000001", recipient="dex.pek"),
        into._replace(id="f", quantity="null", recipient="dex.pek"),
        into._replace(id="g", quantity="0", recipient="dex.pek"),
        into._replace(id="h", chain="hive"),
        into._replace(id="i", symbol="JUNK ☃"),
        into._replace(id="j", quantity="0x1.8p", sender="-"),
        into._replace(id="k", quantity=""),
    ) == [
        "refund a alice PEK 1 dex.hive",
        "ignore b alice hive-engine PEK 0.99999999 dex.hive",
        "deposit c alice PEK 50000000 dex.pek",
        "refund d alice PEK 1.000000001 dex.pek",
        "ignore e alice hive-engine PEK 0.000000001 dex.pek",
        "ignore f alice hive-engine PEK null dex.pek",
        "ignore g alice hive-engine PEK 0 dex.pek",
        "ignore h alice hive PEK 1 dex.hive",
        "ignore i alice hive-engine JUNK%20%E2%98%83 1 dex.hive",
        "ignore j %2D hive-engine PEK 0x1.8p dex.hive",
        "ignore k alice hive-engine PEK % dex.hive",
    ]


def test_twenty_refunds_are_due_to_one_sender_at_most() -> None:
    ledger = Ledger()
    wrong = Movement("", "hive-engine", "alice", "dex.hive", "PEK", "1", None)
    lines = ledger.lines(
        *(wrong._replace(id=f"r{n}") for n in range(21)), wrong._replace(id="b", sender="bob")
    )
    assert [line.split()[0] for line in lines] == ["refund"] * 20 + ["ignore", "refund"]
    pay = Movement("p", "hive-engine", "dex.hive", "alice", "PEK", "1.0", "peakedex:r7")
    assert ledger.lines(pay, wrong._replace(id="again")) == ["paid r7 p", "refund again alice PEK 1 dex.hive"]


def test_twenty_withdrawals_of_an_account_are_pending_at_most() -> None:
    """A settlement to the wallet opens none beyond that: the rest stays available."""
    ledger = Ledger()
    ledger.fund(["alice"])
    wish = {"symbol": "HBD", "quantity": "1"}
    ledger.block(*(ledger.act("alice", "withdraw", wish) for _ in range(19)))
    ledger.block(ledger.order("alice", "buy", "1.00", "1.0000", settle="wallet")._replace(id="o"))
    ledger.block(ledger.order("alice", "buy", "1.00", "1.0000", settle="wallet")._replace(id="p"))
    assert ledger.lines(
        ledger.act("alice", "cancel", {"id": "o"}), ledger.act("alice", "cancel", {"id": "p"})
    ) == [
        "close o cancelled 100000000",
        "withdraw o#SWAP.HIVE alice SWAP.HIVE 100000000 alice -",
        "close p cancelled 100000000",
    ]
    assert ledger.code(ledger.act("alice", "withdraw", {"symbol": "HBD", "quantity": "all"})) == "E_LIMIT"


def test_the_minimum_of_a_withdrawal() -> None:
    """All of less than the minimum may leave while nothing is pending."""
    ledger = Ledger(venue(tokens=(TokenRules("PEK", 8, "dex.pek", 10**8), *WHOLE[1:])))
    ledger.block(ledger.deposit("alice", "PEK", "1.5"))
    take = {"symbol": "PEK", "quantity": "0.99999999"}
    assert ledger.code(ledger.act("alice", "withdraw", take)) == "E_MINIMUM"
    assert ledger.code(ledger.act("alice", "withdraw", {**take, "quantity": "1"})._replace(id="w")) is None
    assert ledger.code(ledger.act("alice", "withdraw", {**take, "quantity": "all"})) == "E_MINIMUM"
    ledger.block(Movement("p", "hive-engine", "dex.pek", "alice", "PEK", "1", "peakedex:w"))
    assert ledger.lines(ledger.act("alice", "withdraw", {**take, "quantity": "all"})._replace(id="v")) == [
        "withdraw v alice PEK 50000000 alice -"
    ]
    assert ledger.code(ledger.act("alice", "withdraw", {**take, "quantity": "all"})) == "E_MINIMUM"


@pytest.mark.parametrize(
    ("symbol", "memo", "code"),
    [
        ("PEK", "m" * 256, None),
        ("PEK", "m" * 257, "E_INPUT"),
        ("PEK", "", "E_INPUT"),
        ("PEK", "peakedex:x", "E_INPUT"),
        ("PEK", "peakedex", None),
        ("PEK", "#x", "E_INPUT"),
        ("PEK", " #x", None),
        ("PEK", "tab\t", "E_INPUT"),
        ("PEK", "\x7f", "E_INPUT"),
        ("PEK", "\ud800", "E_INPUT"),
        ("PEK", "{", None),
        ("HBD", " {", "E_INPUT"),
        ("HBD", "  [1]", "E_INPUT"),
        ("HBD", "x{", None),
    ],
)
def test_memos_of_withdrawals(symbol: str, memo: str, code: str | None) -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    assert (
        ledger.code(ledger.act("alice", "withdraw", {"symbol": symbol, "quantity": "1", "memo": memo}))
        == code
    )


# ---------------------------------------------------------------- found by a reviewer


def test_received_is_capped_at_63_bits() -> None:
    """Under the policy `bid` a sell of 4 at 1 meets bids of her own at 2^62: the same quote units come back each time,
    and `received` passes their total."""
    price = str(2**62)
    rules = PairRules("PEK", "SWAP.HIVE", 0, 0, price_policy="bid", self_trade="allow")
    ledger = Ledger(venue(rules, tokens=WHOLE))
    ledger.block(ledger.deposit("alice", "PEK", "4"), ledger.deposit("alice", "SWAP.HIVE", price))
    ledger.block(ledger.order("alice", "sell", "4", "1"))
    for _ in range(3):
        ledger.block(ledger.order("alice", "buy", "1", price))
    [line] = [line for line in ledger.text().splitlines() if line.startswith("order ")]
    assert line.split()[10] == str(MAX_UNITS)


def test_a_refund_is_matched_by_value() -> None:
    ledger = ledger_without_decimals()
    [line] = ledger.lines(ledger.deposit("alice", "PEK", "1e31"))
    refund = line.split()[1]
    paid = Movement("p", "hive-engine", "dex.pek", "alice", "PEK", "1" + "0" * 31, f"peakedex:{refund}")
    assert ledger.lines(paid) == [f"paid {refund} p"]


def test_holdings_have_no_limit() -> None:
    """An outflow of 10^9999: its holdings have ten thousand digits, in the journal and in the state text."""
    ledger = ledger_without_decimals()
    nines = "1" + "0" * 9999
    out = Movement("x", "hive-engine", "dex.pek", "mallory", "PEK", "1e9999", None)
    assert ledger.lines(out) == [f"outflow x dex.pek hive-engine PEK {nines} mallory"]
    assert f"escrow PEK -{nines}" in ledger.text().splitlines()
