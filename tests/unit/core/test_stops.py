"""Stops and protective stops: when they fire, in which order, what they become (section 7)."""

from __future__ import annotations

from typing import Any

import pytest

from settlement.core.events import Action
from settlement.core.journal.state_text import read_state
from settlement.core.state_machine import StateMachine
from settlement.core.venue import PairRules
from tests.unit.core.ledger import OPERATOR, START, Ledger, number, venue

END = START + 6 + 2_592_000


def ledger_with_mark(*, mark: str = "1.0000", **rules: Any) -> Ledger:
    """Alice, Bob and Carol have plenty; the mark of PEK/SWAP.HIVE is as given, its book is empty."""
    ledger = Ledger(venue(PairRules("PEK", "SWAP.HIVE", 4, 2, **rules), max_open_orders=10_000))
    ledger.fund(("alice", "bob", "carol"))
    trade(ledger, mark)
    return ledger


def trade(ledger: Ledger, price: str, quantity: str = "1.00") -> list[str]:
    """Bob buys from Carol at that price; the lines after the trade's own."""
    lines = ledger.lines(
        ledger.order("bob", "buy", quantity, price)._replace(id=f"bid{ledger.ids}"),
        ledger.order("carol", "sell", quantity, price)._replace(id=f"ask{ledger.ids}"),
    )
    return lines[5:]


def stop(ledger: Ledger, id_: str, side: str, price: str, at: str, when: str, **more: object) -> Action:
    quantity = str(more.pop("quantity", "1.00"))
    trigger = {"triggerPrice": at, "triggerWhen": when}
    return ledger.order("alice", side, quantity, price, **trigger, **more)._replace(id=id_)


def test_a_stop_locks_fires_and_becomes_an_order_with_its_expiry() -> None:
    ledger = ledger_with_mark()
    opened = ledger.lines(stop(ledger, "s", "buy", "1.2000", "1.1000", "above", expiration=number("1000")))
    expiry = START + 6 + 1000
    assert opened == [f"stop s 3 alice PEK/SWAP.HIVE buy limit 12000 100000000 {expiry} 0 above 11000 GTC -"]
    assert ledger.balance("alice", "SWAP.HIVE") == (99_999_880_000_000, 120_000_000, 0)
    assert trade(ledger, "1.1999") == []  # the mark is (1 + 1.1999) / 2 < 1.1
    assert trade(ledger, "1.1001") == [  # 3.3 / 3
        "trigger s",
        "close s triggered 120000000",
        f"order s 8 alice PEK/SWAP.HIVE buy limit 12000 100000000 {expiry} 0 0 venue - -",
    ]
    assert ledger.balance("alice", "SWAP.HIVE") == (99_999_880_000_000, 120_000_000, 0)


def test_the_mark_counts_ten_blocks_with_trades_between_different_accounts() -> None:
    """Ten blocks at 2 drive the first one out; a trade with oneself, or a block without one, counts for nothing."""
    ledger = ledger_with_mark(self_trade="allow")
    ledger.block(stop(ledger, "s", "sell", "0.5000", "2.0000", "above"))
    for _ in range(9):
        assert trade(ledger, "2.0000") == []
        ledger.block()
    ledger.block(ledger.order("bob", "buy", "1.00", "9.0000"), ledger.order("bob", "sell", "1.00", "9.0000"))
    assert trade(ledger, "2.0000")[0] == "trigger s"


def test_the_mark_is_weighed_by_quantity() -> None:
    ledger = ledger_with_mark()
    ledger.block(stop(ledger, "s", "buy", "1.0000", "1.9000", "above"))
    assert trade(ledger, "2.0000", "8.99") == []  # (1 + 17.98) / 9.99 < 1.9
    assert trade(ledger, "2.0000", "0.01")[0] == "trigger s"  # (1 + 17.98 + 0.02) / 10


def test_the_mark_counts_the_resting_orders_price_whatever_the_policy() -> None:
    """Under `ask` Carol's sell at 1 takes Bob's bid at 3 and gets 1: the mark is 3."""
    ledger = ledger_with_mark(price_policy="ask")
    ledger.block(stop(ledger, "s", "buy", "1.0000", "2.0000", "above"))
    lines = ledger.lines(
        ledger.order("bob", "buy", "1.00", "3.0000")._replace(id="bid"),
        ledger.order("carol", "sell", "1.00", "1.0000")._replace(id="ask"),
    )
    assert "trade 2 ask bid bob carol PEK/SWAP.HIVE 10000 100000000 100000000 0 0" in lines
    assert "trigger s" in lines
    assert "mark PEK/SWAP.HIVE 4 100000000 300000000" in ledger.text().splitlines()


def test_without_a_mark_nothing_is_reached() -> None:
    ledger = Ledger()
    ledger.fund(["alice"])
    for when in ("above", "below"):
        assert ledger.code(stop(ledger, when, "buy", "1.0000", "1.0000", when)) is None
    assert ledger.lines() == []


def test_a_fired_order_may_be_rejected_and_its_lock_is_back() -> None:
    ledger = ledger_with_mark()
    ledger.block(
        stop(ledger, "fok", "buy", "1.0000", "1.1000", "above", timeInForce="FOK"),
        stop(ledger, "ioc", "sell", "1.0000", "1.1000", "above", timeInForce="IOC"),
        stop(ledger, "post", "buy", "2.0000", "1.1000", "above", postOnly=True),
        ledger.order("carol", "sell", "1.00", "1.9000"),
    )
    assert trade(ledger, "1.2000") == [
        "trigger fok",
        "close fok triggered 100000000",
        "reject fok alice buy - E_FOK",
        "trigger ioc",
        "close ioc triggered 100000000",
        "reject ioc alice sell - E_NO_LIQUIDITY",
        "trigger post",
        "close post triggered 200000000",
        "reject post alice buy - E_POST_ONLY",
    ]
    assert ledger.balance("alice", "SWAP.HIVE")[1] == ledger.balance("alice", "PEK")[1] == 0


def test_a_market_stop_needs_a_price_and_expires() -> None:
    ledger = ledger_with_mark()
    wish = {"symbol": "PEK", "quantity": "5", "triggerPrice": "1.1000", "triggerWhen": "above"}
    assert ledger.code(ledger.act("alice", "marketBuy", wish)) == "E_INPUT"
    wish |= {"price": "1.5000", "expiration": number("60")}
    assert ledger.lines(ledger.act("alice", "marketBuy", wish)._replace(id="m"))[0].startswith("stop m 3 ")
    assert ledger.lines(seconds=57) == []
    assert ledger.lines(seconds=3) == ["expire m", "close m expired 500000000"]


def test_a_fired_order_trades_by_maker_and_pays_the_lower_taker_fee() -> None:
    """Under `ask` a sell of 1 at 0.5 would trade at 0.5; a fired one gets the bid's 1.2."""
    ledger = ledger_with_mark(price_policy="ask", taker_fee_bps=20)
    ledger.block(
        stop(ledger, "s", "sell", "0.5000", "1.1000", "above"),
        ledger.order("bob", "buy", "2.00", "1.2000")._replace(id="bid"),
        ledger.act(
            OPERATOR, "updatePair", {"symbol": "PEK", "quote": "SWAP.HIVE", "takerFeeBps": number("50")}
        ),
    )
    lines = ledger.lines(ledger.order("carol", "sell", "1.00", "1.2000"))
    fired = lines[lines.index("trigger s") :]
    assert fired[2:4] == [
        f"order s 6 alice PEK/SWAP.HIVE sell limit 5000 100000000 {END} 0 50 venue - -",
        "trade 3 s bid bob alice PEK/SWAP.HIVE 12000 100000000 120000000 0 240000",
    ]


def test_a_protective_stop_sells_what_remained() -> None:
    """The mark is 1.5 after Bob's purchase; 12 more at 0.8 make it (3 + 9.6) / 14, which is exactly 0.9."""
    ledger = ledger_with_mark()
    protected = {"stopPrice": "0.9000", "stopLimit": "0.7000"}
    ledger.block(
        ledger.order("alice", "sell", "3.00", "2.0000", **protected)._replace(id="a"),
        ledger.order("bob", "buy", "1.00", "2.0000"),
        ledger.order("bob", "buy", "20.00", "0.8000")._replace(id="bid"),
    )
    assert "trigger a" not in ledger.lines(ledger.order("carol", "sell", "11.99", "0.8000"))
    assert ledger.lines(ledger.order("carol", "sell", "0.01", "0.8000"))[3:] == [
        "trigger a",
        "close a cancelled 200000000",
        "order a~stop 8 alice PEK/SWAP.HIVE sell market 7000 200000000 - - 0 venue - -",
        "trade 5 a~stop bid bob alice PEK/SWAP.HIVE 8000 200000000 160000000 0 0",
        "close a~stop filled 0",
    ]


def test_a_protective_stop_buys_with_what_the_close_released() -> None:
    ledger = ledger_with_mark()
    ledger.block(
        ledger.order("alice", "buy", "2.00", "0.5000", stopPrice="1.5000", stopLimit="3.0000")._replace(
            id="a"
        ),
        ledger.order("carol", "sell", "9.00", "2.0000")._replace(id="ask"),
    )
    assert ledger.lines(ledger.order("bob", "buy", "1.00", "2.0000"))[3:] == [
        "trigger a",
        "close a cancelled 100000000",
        "order a~stop 6 alice PEK/SWAP.HIVE buy market 30000 100000000 - - 0 venue - -",
        "trade 3 a~stop ask alice carol PEK/SWAP.HIVE 20000 50000000 100000000 0 0",
        "close a~stop filled 0",
    ]


def test_an_order_that_closes_takes_its_protective_stop_with_it() -> None:
    ledger = ledger_with_mark()
    protected = {"stopPrice": "0.9000", "stopLimit": "0.7000"}
    ledger.block(ledger.order("alice", "sell", "1.00", "2.0000", **protected)._replace(id="a"))
    ledger.block(ledger.act("alice", "cancel", {"id": "a"}))
    assert trade(ledger, "0.0100") == []


def test_the_rejection_of_a_protective_stop_is_recorded() -> None:
    ledger = ledger_with_mark()
    protected = {"stopPrice": "0.9000", "stopLimit": "0.7000"}
    ledger.block(ledger.order("alice", "sell", "1.00", "2.0000", **protected)._replace(id="a"))
    assert trade(ledger, "0.5000") == [
        "trigger a",
        "close a cancelled 100000000",
        "reject a~stop alice marketSell - E_NO_LIQUIDITY",
    ]


def test_rounds_repeat_until_none_fires() -> None:
    """`late` is first in sequence, but is reached only by the trade of `early`: it fires in the second round."""
    ledger = ledger_with_mark()
    ledger.block(
        stop(ledger, "late", "buy", "0.1000", "2.5000", "above"),
        stop(ledger, "early", "buy", "9.0000", "1.5000", "above", quantity="2.00"),
        ledger.order("carol", "sell", "2.00", "4.0000")._replace(id="ask"),
    )
    fired = [line.split()[1] for line in trade(ledger, "2.0000") if line.startswith("trigger")]
    assert fired == ["early", "late"]  # marks: (1 + 2) / 2, then (1 + 2 + 8) / 4


def test_those_reached_at_the_start_of_a_round_fire_by_sequence_whatever_the_mark_does() -> None:
    """`s1` sells at 0.01 and takes the mark down again; `s2` fires all the same."""
    ledger = ledger_with_mark()
    ledger.block(
        stop(ledger, "s1", "sell", "0.0100", "1.4000", "above", quantity="50.00"),
        stop(ledger, "s2", "buy", "0.0100", "1.5000", "above"),
        ledger.order("bob", "buy", "50.00", "0.0200")._replace(id="bid"),
    )
    lines = trade(ledger, "2.0000")
    assert [line for line in lines if line.startswith(("trigger", "trade"))] == [
        "trigger s1",
        "trade 3 s1 bid bob alice PEK/SWAP.HIVE 200 5000000000 100000000 0 0",
        "trigger s2",
    ]


def test_one_that_has_closed_meanwhile_is_passed_over() -> None:
    """The fired `s` meets Alice's own bid `p` and cancels it; the protective stop of `p` is gone with it."""
    ledger = ledger_with_mark()
    protected = {"stopPrice": "1.5000", "stopLimit": "3.0000"}
    ledger.block(
        stop(ledger, "s", "sell", "0.4000", "1.5000", "above"),
        ledger.order("alice", "buy", "1.00", "0.5000", **protected)._replace(id="p"),
    )
    assert trade(ledger, "2.0000") == [
        "trigger s",
        "close s triggered 100000000",
        f"order s 7 alice PEK/SWAP.HIVE sell limit 4000 100000000 {END} 0 0 venue - -",
        "close p cancelled 50000000",
    ]


def test_a_reached_trigger_is_refused_trades_of_the_block_included() -> None:
    ledger = ledger_with_mark()
    lines = ledger.lines(
        stop(ledger, "before", "sell", "9.0000", "2.0000", "above"),
        ledger.order("bob", "buy", "1.00", "3.0000"),
        ledger.order("carol", "sell", "1.00", "3.0000"),
        stop(ledger, "after", "sell", "9.0000", "2.0000", "above"),
    )
    assert "reject after alice sell - E_TRIGGER" in lines
    assert "trigger before" in lines


def test_stops_sleep_while_the_pair_is_paused() -> None:
    ledger = ledger_with_mark()
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE"}
    ledger.block(stop(ledger, "s", "sell", "9.0000", "1.5000", "above"))
    lines = ledger.lines(
        ledger.order("bob", "buy", "1.00", "3.0000"),
        ledger.order("carol", "sell", "1.00", "3.0000"),
        ledger.act(OPERATOR, "updatePair", {**pair, "status": "paused"}),
    )
    assert "trigger s" not in lines
    assert ledger.lines() == []
    assert "trigger s" in ledger.lines(ledger.act(OPERATOR, "updatePair", {**pair, "status": "active"}))


def test_a_closed_pair_closes_its_stops_by_sequence() -> None:
    ledger = ledger_with_mark()
    pair = {"symbol": "PEK", "quote": "SWAP.HIVE", "status": "closed"}
    ledger.block(
        ledger.order("bob", "buy", "1.00", "0.1000")._replace(id="o1"),
        stop(ledger, "s", "sell", "9.0000", "1.5000", "above"),
        ledger.order("bob", "buy", "1.00", "0.2000", stopPrice="9.0000", stopLimit="9.0000")._replace(
            id="o2"
        ),
    )
    assert ledger.lines(ledger.act(OPERATOR, "updatePair", pair)) == [
        "pair PEK/SWAP.HIVE 4 2 0 0 maker cancel_resting closed",
        "close o1 cancelled 10000000",
        "close s cancelled 100000000",
        "close o2 cancelled 20000000",
    ]


def test_a_thousand_fire_in_a_block_and_pair_and_the_others_in_the_next() -> None:
    """2,100 are reached at once: 1,000 fire, then 1,000 at the start of the next block although it trades too, then
    100 without any operation. `left` says so in the state."""
    ledger = ledger_with_mark()
    ledger.block(
        *(stop(ledger, f"s{n}", "sell", "9.0000", "1.5000", "above", quantity="0.01") for n in range(2100))
    )

    def fired(lines: list[str]) -> list[str]:
        return [line.split()[1] for line in lines if line.startswith("trigger")]

    names = [f"s{n}" for n in range(2100)]
    assert fired(trade(ledger, "3.0000")) == names[:1000]
    assert "left PEK/SWAP.HIVE" in ledger.text().splitlines()
    rules = ledger.machine.state.venue
    ledger.machine = StateMachine(rules, read_state(rules, ledger.text()))
    lines = ledger.lines(
        ledger.order("bob", "buy", "1.00", "3.0000"),
        ledger.order("carol", "sell", "1.00", "3.0000"),
    )
    assert fired(lines[:3000]) == fired(lines) == names[1000:2000]
    assert "left PEK/SWAP.HIVE" in ledger.text().splitlines()
    assert fired(ledger.lines()) == names[2000:]
    assert "left PEK/SWAP.HIVE" not in ledger.text().splitlines()


def test_a_fill_or_kill_counts_a_thousand_orders_own_ones_included() -> None:
    ledger = ledger_with_mark()
    ledger.block(
        ledger.order("alice", "sell", "1.00", "0.5000"),
        *(ledger.order("carol", "sell", "0.01", "1.0000") for _ in range(1200)),
    )
    wish = {"timeInForce": "FOK"}
    assert ledger.code(ledger.order("alice", "buy", "10.00", "1.0000", **wish)) == "E_FOK"
    assert ledger.code(ledger.order("alice", "buy", "9.99", "1.0000", **wish)) is None


@pytest.mark.parametrize(
    ("quantity", "end"), [("2.0099", "filled 990000"), ("2.01", "filled 0"), ("3", "cancelled 99000000")]
)
def test_how_a_market_buy_ends(quantity: str, end: str) -> None:
    """Carol asks 2.01 at 1. A budget that does not buy a lot more is filled; one that finds no order is cancelled."""
    ledger = ledger_with_mark()
    ledger.block(ledger.order("carol", "sell", "2.01", "1.0000"))
    buy = {"symbol": "PEK", "quantity": quantity}
    lines = ledger.lines(ledger.act("bob", "marketBuy", buy)._replace(id="m"))
    assert lines[-1] == f"close m {end}"
