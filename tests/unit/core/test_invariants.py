"""Invariants: each violation, made by hand in the state, is found by the next block or the full recount."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from settlement.core.accounts import AVAILABLE, ESCROW, LOCKED, WITHDRAWING, Balance
from settlement.core.events import BlockHeader
from settlement.core.invariants import check_all
from settlement.core.state import InvariantError, State
from settlement.core.state_machine import StateMachine
from settlement.core.trading.order_book import Order
from tests.unit.core.ledger import Ledger

Breach = Callable[[State], object]


def sample_ledger() -> Ledger:
    """Alice has a bid, Bob two asks, Carol a pending withdrawal."""
    ledger = Ledger()
    ledger.fund(("alice", "bob", "carol"), "1000")
    ledger.block(
        ledger.order("alice", "buy", "10.00", "0.5000"),
        ledger.order("bob", "sell", "4.00", "0.6000"),
        ledger.order("bob", "sell", "6.00", "0.6000"),
        ledger.act("carol", "withdraw", {"symbol": "PEK", "quantity": "7"}),
    )
    return ledger


def balance(state: State, account: str, symbol: str) -> Balance:
    return state.accounts[account].balances[symbol]


def an_order(state: State, account: str) -> Order:
    return next(order for order in state.orders.values() if order.account.name == account)


def shift(account: str, symbol: str, bucket: int, amount: int) -> Breach:
    """Units appear in one bucket."""

    def breach(state: State) -> None:
        balance(state, account, symbol).buckets[bucket] += amount

    return breach


def between(account: str, symbol: str, debit: int, credit: int, amount: int) -> Breach:
    """Units move between buckets without an order or withdrawal; the token is still conserved."""

    def breach(state: State) -> None:
        buckets = balance(state, account, symbol).buckets
        buckets[debit] -= amount
        buckets[credit] += amount

    return breach


def overdraw(state: State) -> None:
    """Alice receives more than Bob has: the token is conserved, but Bob's bucket is negative."""
    bob, alice = balance(state, "bob", "HBD").buckets, balance(state, "alice", "HBD").buckets
    bob[AVAILABLE] -= 2_000_000
    alice[AVAILABLE] += 2_000_000


def positive_escrow(state: State) -> None:
    """More paid out than paid in: the escrow bucket is positive."""
    contra = state.tokens["HBD"].contra.buckets
    alice, taken = balance(state, "alice", "HBD").buckets, contra[ESCROW]
    contra[ESCROW] = 1
    alice[AVAILABLE] += taken - 1


def cross(state: State) -> None:
    order = an_order(state, "alice")
    side = order.pair.bids
    side.remove(order)
    order.price = 7000
    side.add(order)
    extra = order.required_lock - order.locked
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


def lost_withdrawal(state: State) -> None:
    (withdrawal,) = state.withdrawals.by_id.values()
    state.withdrawals.close(withdrawal)


def lock_of_an_order(change: int) -> Breach:
    """An order locks more or less than it requires; the balance agrees with the order."""

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
    "too many units": (shift("alice", "HBD", AVAILABLE, 1), "HBD is not conserved: .* by 1 "),
    "missing units": (shift("bob", "PEK", AVAILABLE, -5), "PEK is not conserved: .* by -5 "),
    "overdrawn": (overdraw, "a bucket is negative: .*bob"),
    "positive escrow bucket": (positive_escrow, "a bucket is negative: .*dex.hbd"),
    "locked without an order": (between("carol", "PEK", AVAILABLE, LOCKED, 3), "lock"),
    "released under an order": (between("bob", "PEK", LOCKED, AVAILABLE, 3), "lock"),
    "withdrawing without a withdrawal": (between("bob", "HBD", AVAILABLE, WITHDRAWING, 3), "withdraw"),
    "an order locks too much": (lock_of_an_order(1), "order .* locks .*, needs"),
    "an order locks too little": (lock_of_an_order(-1), "order .* locks .*, needs"),
    "an open order without remainder": (nothing_remains, "order .* locks 0, needs 0 for 0"),
    "crossed": (cross, "the book of PEK/SWAP.HIVE is crossed: 7000 >= 6000"),
}
IN_FULL: dict[str, tuple[Breach, str]] = {
    "a withdrawal is lost": (lost_withdrawal, "withdraws 700000000, its withdrawals are 0"),
    "a level's total": (level_total, "price level's totals are off by 1 units and 0 orders"),
    "a level's count": (level_count, "price level's totals are off by 0 units and -1 orders"),
}


def test_balanced_books_pass() -> None:
    check_all(sample_ledger().state)


@pytest.mark.parametrize("name", [*BREACHES, *IN_FULL])
def test_the_full_recount_finds_each_violation(name: str) -> None:
    ledger = sample_ledger()
    breach, message = (BREACHES | IN_FULL)[name]
    breach(ledger.state)
    with pytest.raises(InvariantError, match=message):
        check_all(ledger.state)


def touch_everything(ledger: Ledger) -> None:
    """A block that touches every balance and order, without closing any order."""
    machine: StateMachine = ledger.machine
    events = [ledger.deposit(a, t, "1") for a in ("alice", "bob", "carol") for t in ledger.state.tokens]
    header = ledger.state.header
    assert header is not None
    buy = ledger.order("carol", "buy", "0.01", "0.6000")  # a lot of Bob's first ask
    sell = ledger.order("carol", "sell", "0.01", "0.5000")  # and of Alice's bid
    machine.apply(BlockHeader(header.number + 1, "00", header.timestamp + 3), [*events, buy, sell])


def test_a_block_that_touches_everything_passes() -> None:
    ledger = sample_ledger()
    touch_everything(ledger)
    check_all(ledger.state)


@pytest.mark.parametrize("name", [name for name in BREACHES if name != "an open order without remainder"])
def test_the_next_block_finds_each_violation_in_what_it_touches(name: str) -> None:
    """The journal hash does not advance over a block that violates an invariant."""
    ledger = sample_ledger()
    before = ledger.machine.state.journal_hash
    BREACHES[name][0](ledger.state)
    with pytest.raises(InvariantError):
        touch_everything(ledger)
    assert ledger.machine.state.journal_hash == before


def test_an_uncovered_transfer_changes_nothing() -> None:
    state = sample_ledger().state
    alice, bob = balance(state, "alice", "HBD"), balance(state, "bob", "HBD")
    for amount in (1_000_001, 0, -1):
        with pytest.raises(InvariantError, match="is not covered"):
            state.transfer(alice, AVAILABLE, bob, AVAILABLE, amount)
    assert (alice.available, bob.available) == (1_000_000, 1_000_000)


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_a_block_out_of_sequence_is_rejected(number: int) -> None:
    """After blocks 1 and 2 only block 3 is accepted."""
    ledger = sample_ledger()
    assert ledger.machine.next_block() == 3
    with pytest.raises(InvariantError, match=f"block {number} is out of turn, 3 is next"):
        ledger.machine.apply(BlockHeader(number, "00", 0))
