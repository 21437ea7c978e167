"""The assertions that stay on: each breach of the books, made by hand, stops the engine or the recount."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from settlement.core.events import BlockHeader
from settlement.core.invariants import check_all
from settlement.core.model import AVAILABLE, ESCROW, LOCKED, WITHDRAWING, Order, Wallet
from settlement.core.state import InvariantError, State
from settlement.core.state_machine import Engine
from tests.unit.core.story import Market

Breach = Callable[[State], object]


def a_market() -> Market:
    """Alice bids, Bob asks, Carol waits for a withdrawal. All of it adds up."""
    market = Market()
    market.fund(("alice", "bob", "carol"), "1000")
    market.block(
        market.order("alice", "buy", "10.00", "0.5000"),
        market.order("bob", "sell", "4.00", "0.6000"),
        market.order("bob", "sell", "6.00", "0.6000"),
        market.act("carol", "withdraw", {"symbol": "PEK", "quantity": "7"}),
    )
    return market


def wallet(state: State, account: str, symbol: str) -> Wallet:
    return state.accounts[account].wallets[symbol]


def an_order(state: State, account: str) -> Order:
    return next(order for order in state.orders.values() if order.account.name == account)


def shift(account: str, symbol: str, bucket: int, amount: int) -> Breach:
    """Units out of nowhere, in one bucket."""

    def breach(state: State) -> None:
        wallet(state, account, symbol).buckets[bucket] += amount

    return breach


def between(account: str, symbol: str, debit: int, credit: int, amount: int) -> Breach:
    """A transfer that no order or withdrawal explains: the token still conserves."""

    def breach(state: State) -> None:
        buckets = wallet(state, account, symbol).buckets
        buckets[debit] -= amount
        buckets[credit] += amount

    return breach


def overdraw(state: State) -> None:
    """Bob owes what Alice got: the token conserves, but a bucket is negative."""
    bob, alice = wallet(state, "bob", "HBD").buckets, wallet(state, "alice", "HBD").buckets
    bob[AVAILABLE] -= 2_000_000
    alice[AVAILABLE] += 2_000_000


def owing_escrow(state: State) -> None:
    """More paid out than was ever paid in: the escrow's contra is positive."""
    contra = state.tokens["HBD"].contra.buckets
    alice, taken = wallet(state, "alice", "HBD").buckets, contra[ESCROW]
    contra[ESCROW] = 1
    alice[AVAILABLE] += taken - 1


def cross(state: State) -> None:
    order = an_order(state, "alice")
    side = order.pair.bids
    side.remove(order)
    order.price = 7000
    side.add(order)
    extra = order.needed_units - order.locked
    order.locked += extra
    between("alice", "SWAP.HIVE", AVAILABLE, LOCKED, extra)(state)


def level_total(state: State) -> None:
    level = an_order(state, "bob").level
    assert level is not None
    level.remaining += 1


def level_count(state: State) -> None:
    level = an_order(state, "bob").level
    assert level is not None
    level.count -= 1


def lost_claim(state: State) -> None:
    (claim,) = state.withdrawals.by_id.values()
    state.withdrawals.close(claim)


def lock_of_an_order(change: int) -> Breach:
    """An order that locks more or less than it needs, its wallet in agreement."""

    def breach(state: State) -> None:
        an_order(state, "alice").locked += change
        between("alice", "SWAP.HIVE", AVAILABLE, LOCKED, change)(state)

    return breach


def nothing_remains(state: State) -> None:
    order = an_order(state, "bob")
    between("bob", "PEK", LOCKED, AVAILABLE, order.locked)(state)
    assert order.level is not None
    order.level.remaining -= order.remaining
    order.locked = order.remaining = 0


BREACHES: dict[str, tuple[Breach, str]] = {
    "units out of nowhere": (shift("alice", "HBD", AVAILABLE, 1), "HBD does not conserve: 1 "),
    "units into nowhere": (shift("bob", "PEK", AVAILABLE, -5), "PEK does not conserve: -5 "),
    "overdrawn": (overdraw, "a bucket is negative: .*bob"),
    "escrow owes": (owing_escrow, "a bucket is negative: .*dex.hbd"),
    "locked without an order": (between("carol", "PEK", AVAILABLE, LOCKED, 3), "lock"),
    "released under an order": (between("bob", "PEK", LOCKED, AVAILABLE, 3), "lock"),
    "withdrawing without a claim": (between("bob", "HBD", AVAILABLE, WITHDRAWING, 3), "withdraw"),
    "an order locks too much": (lock_of_an_order(1), "order .* locks .*, needs"),
    "an order locks too little": (lock_of_an_order(-1), "order .* locks .*, needs"),
    "an open order without remainder": (nothing_remains, "order .* locks 0, needs 0 for 0"),
    "crossed": (cross, "the book of PEK/SWAP.HIVE is crossed: 7000 >= 6000"),
}
IN_FULL: dict[str, tuple[Breach, str]] = {
    "a claim is lost": (lost_claim, "withdraws 700000000, not 0"),
    "a level's total": (level_total, "a price level's totals are off by 1 units and 0 orders"),
    "a level's count": (level_count, "a price level's totals are off by 0 units and -1 orders"),
}


def test_books_that_add_up_pass() -> None:
    check_all(a_market().state)


@pytest.mark.parametrize("name", [*BREACHES, *IN_FULL])
def test_a_recount_finds_each_breach(name: str) -> None:
    market = a_market()
    breach, message = (BREACHES | IN_FULL)[name]
    breach(market.state)
    with pytest.raises(InvariantError, match=message):
        check_all(market.state)


def touch_everything(market: Market) -> None:
    """A block that touches every wallet and order, without closing any."""
    engine: Engine = market.engine
    events = [market.deposit(a, t, "1") for a in ("alice", "bob", "carol") for t in market.state.tokens]
    header = market.state.header
    assert header is not None
    buy = market.order("carol", "buy", "0.01", "0.6000")  # a lot of Bob's first ask
    sell = market.order("carol", "sell", "0.01", "0.5000")  # and of Alice's bid
    engine.apply(BlockHeader(header.number + 1, "00", header.timestamp + 3), [*events, buy, sell])


def test_a_block_that_touches_everything_passes() -> None:
    market = a_market()
    touch_everything(market)
    check_all(market.state)


@pytest.mark.parametrize("name", [name for name in BREACHES if name != "an open order without remainder"])
def test_the_next_block_finds_each_breach_in_what_it_touches(name: str) -> None:
    """No journal line of a block whose books do not add up is ever given out."""
    market = a_market()
    before = market.engine.state.journal_hash
    BREACHES[name][0](market.state)
    with pytest.raises(InvariantError):
        touch_everything(market)
    assert market.engine.state.journal_hash == before


def test_a_transfer_that_is_not_covered_is_no_transfer() -> None:
    state = a_market().state
    alice, bob = wallet(state, "alice", "HBD"), wallet(state, "bob", "HBD")
    for amount in (1_000_001, 0, -1):
        with pytest.raises(InvariantError, match="is not covered"):
            state.transfer(alice, AVAILABLE, bob, AVAILABLE, amount)
    assert (alice.available, bob.available) == (1_000_000, 1_000_000)


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_a_block_out_of_turn_is_refused(number: int) -> None:
    """After blocks 1 and 2 only block 3 can come: none twice, none left out."""
    market = a_market()
    assert market.engine.next_block() == 3
    with pytest.raises(InvariantError, match=f"block {number} is out of turn, 3 is next"):
        market.engine.apply(BlockHeader(number, "00", 0))
