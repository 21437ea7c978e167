"""Storms of stops: the bound of 1,000 in a block and pair, pairs left over, and cascades (protocol, section 7).

The independent checker follows every block and must derive the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import pytest

from settlement.core.events import HIVE_ENGINE, Action, BlockHeader, Event, Movement
from settlement.core.invariants import check_all
from settlement.core.journal.lines import iso_time
from settlement.core.journal.state_text import read_state, state_text
from settlement.core.state_machine import StateMachine
from tests.scenarios.scenario import START, read_venue
from tests.system.verify.checker import CHECKER

BOUND = 1_000
SETTINGS = [("venue.max_open_orders", "10000"), ("venue.order_lifetime", "100000")]


class Venue:
    """A chain of events, applied to the rules and to the checker."""

    def __init__(self) -> None:
        self.venue = read_venue("basic", SETTINGS)
        self.machine = StateMachine(self.venue)
        self.books = CHECKER.Books(self.venue.canonical())
        self.ids: Iterator[int] = count(1)

    def deposit(self, account: str, quantity: str, symbol: str) -> Movement:
        escrow = "dex.hive" if symbol == "SWAP.HIVE" else "dex.tokens"
        return Movement(self.new_id(), HIVE_ENGINE, account, escrow, symbol, quantity, "")

    def new_id(self) -> str:
        return f"{next(self.ids):040x}"

    def act(self, signer: str, name: str, **payload: object) -> Action:
        return Action(self.new_id(), signer, True, name, {"symbol": "TKN", **payload})

    def stop(
        self, account: str, trigger: str, when: str = "above", name: str = "sell", **payload: object
    ) -> Action:
        wanted = {"quantity": "0.01", "price": "9", "triggerPrice": trigger, "triggerWhen": when, **payload}
        return self.act(account, name, **wanted)

    def block(self, *events: Event) -> list[str]:
        """Apply a block; the ids that fired, in order. At times the machine goes on from its state text."""
        number = self.machine.next_block()
        header = BlockHeader(number, f"{number:08x}" + "0" * 32, START + 3 * number)
        entry = self.machine.apply(header, events)
        check_all(self.machine.state)
        journal = entry.text.splitlines()
        assert not [line for line in journal if line.startswith("reject ")]
        if journal:
            self.books.begin(journal[0])
            for line in journal[1:]:
                self.books.add(line)
            self.books.end()
        else:
            CHECKER.move_on(self.books, [str(number), header.block_id, iso_time(header.timestamp)])
        text = state_text(self.machine.state)
        assert self.books.state(entry.hash) == text
        if number % 3 == 0:
            self.machine = StateMachine(self.venue, read_state(self.venue, text))
        return [line.split(" ")[1] for line in journal if line.startswith("trigger ")]

    def trade(self, price: str) -> tuple[Action, Action]:
        """A trade of 1.00 TKN between carol and dan."""
        sell = self.act("carol", "sell", quantity="1", price=price)
        return sell, self.act("dan", "buy", quantity="1", price=price)

    @property
    def left(self) -> list[str]:
        text = state_text(self.machine.state)
        return [line for line in text.splitlines() if line.startswith("left ")]


@pytest.fixture
def venue() -> Venue:
    chain = Venue()
    deposit: Callable[[str, str, str], Movement] = chain.deposit
    chain.block(
        *(deposit(account, "1000", "TKN") for account in ("alice", "bob", "carol")),
        *(deposit(account, "100000", "SWAP.HIVE") for account in ("alice", "bob", "dan")),
    )
    return chain


def ids_of(stops: list[Action]) -> list[str]:
    return [stop.id for stop in stops]


def test_ten_thousand_stops_at_one_price_fire_in_ten_blocks(venue: Venue) -> None:
    stops = [venue.stop("alice", "1") for _ in range(5_000)] + [venue.stop("bob", "1") for _ in range(5_000)]
    venue.block(*stops)
    fired = venue.block(*venue.trade("1"))
    assert fired == ids_of(stops[:BOUND])
    for block in range(1, 10):
        assert venue.left == ["left TKN/SWAP.HIVE"]
        assert venue.block() == ids_of(stops[BOUND * block : BOUND * (block + 1)])
    assert venue.left == ["left TKN/SWAP.HIVE"]  # the bound was reached, whatever still waits
    assert venue.block() == []
    assert venue.left == []


def test_a_pair_paused_while_it_is_left_over_sleeps_until_it_is_active(venue: Venue) -> None:
    stops = [venue.stop("alice", "1") for _ in range(2_500)]
    update = partial(venue.act, "operator", "updatePair", quote="SWAP.HIVE")
    venue.block(*stops)
    assert venue.block(*venue.trade("1"), update(status="paused")) == []
    assert venue.left == []
    assert venue.block(update(status="active")) == ids_of(stops[:1_000])
    # What is left over fires before the operations, so before the pause.
    assert venue.block(update(status="paused")) == ids_of(stops[1_000:2_000])
    assert venue.left == ["left TKN/SWAP.HIVE"]
    assert venue.block() == []
    assert venue.left == []
    assert venue.block() == []
    assert venue.block(update(status="active")) == ids_of(stops[2_000:])
    assert venue.left == []


def test_the_bound_counts_what_was_left_over_and_what_the_block_reaches_together(venue: Venue) -> None:
    low = [venue.stop("alice", "1") for _ in range(1_500)]
    high = [venue.stop("bob", "1.50") for _ in range(1_200)]
    venue.block(*low, *high)
    assert venue.block(*venue.trade("1")) == ids_of(low[:1_000])
    # The mark becomes 3.00: 500 of the low ones were left over, then 500 of the high ones fire.
    assert venue.block(*venue.trade("5")) == ids_of(low[1_000:]) + ids_of(high[:500])
    assert venue.left == ["left TKN/SWAP.HIVE"]
    assert venue.block() == ids_of(high[500:])
    assert venue.left == []


def test_what_is_reached_waits_behind_what_was_left_over_by_sequence(venue: Venue) -> None:
    """A round is by sequence over all that is reached, whatever its price."""
    high = [venue.stop("bob", "1.50") for _ in range(800)]
    low = [venue.stop("alice", "1") for _ in range(1_100)]
    venue.block(*high, *low)
    assert venue.block(*venue.trade("1")) == ids_of(low[:1_000])
    assert venue.block(*venue.trade("5")) == ids_of(low[1_000:]) + ids_of(high)


def test_each_pair_has_its_own_bound(venue: Venue) -> None:
    swap = [venue.stop("alice", "1") for _ in range(1_001)]
    hbd = [venue.stop("bob", "1", quote="HBD") for _ in range(1_001)]
    coins = Movement(venue.new_id(), "hive", "dan", "dex.coin", "HBD", "100.000", "")
    venue.block(coins, *swap, *hbd)
    sell = venue.act("carol", "sell", quote="HBD", quantity="1", price="1")
    buy = venue.act("dan", "buy", quote="HBD", quantity="1", price="1")
    # By name: TKN/HBD comes before TKN/SWAP.HIVE.
    assert venue.block(*venue.trade("1"), sell, buy) == ids_of(hbd[:1_000]) + ids_of(swap[:1_000])
    assert venue.left == ["left TKN/HBD", "left TKN/SWAP.HIVE"]
    assert venue.block() == [hbd[-1].id, swap[-1].id]
    assert venue.left == []


def test_a_cascade_of_market_stops_is_bounded_over_its_rounds(venue: Venue) -> None:
    """Bids two ticks apart: each sale lowers the mark, their average, by one tick, which is the next stop's price."""
    bids = [venue.act("bob", "buy", quantity="0.50", price=ticks(6_000 - 2 * n)) for n in range(1_101)]
    sale = partial(venue.stop, "alice", when="below", quantity="0.50", price="0.01")
    stops = [sale(ticks(6_000 - n), name="marketSell") for n in range(1_100)]
    venue.block(*bids, *stops)
    sell = venue.act("carol", "sell", quantity="0.50", price="60")
    assert venue.block(sell) == ids_of(stops[:1_000])
    assert venue.left == ["left TKN/SWAP.HIVE"]
    assert venue.block() == ids_of(stops[1_000:])
    assert venue.left == []


def ticks(price: int) -> str:
    return f"{price // 100}.{price % 100:02d}"


def test_protective_stops_count_like_stops(venue: Venue) -> None:
    protected = [
        venue.act("alice", "sell", quantity="0.01", price="9", stopPrice="1", stopLimit="0.01")
        for _ in range(600)
    ]
    stops = [venue.stop("bob", "1", when="below", price="2") for _ in range(600)]
    both = [each for pair in zip(protected, stops, strict=True) for each in pair]
    bid = venue.act("dan", "buy", quantity="100", price="0.50")
    venue.block(bid, *both)
    assert venue.block(*venue.trade("1")) == ids_of(both[:1_000])
    assert venue.block() == ids_of(both[1_000:])


def test_fill_or_kill_counts_the_first_thousand_orders_of_the_other_side(venue: Venue) -> None:
    asks = [venue.act("alice", "sell", quantity="0.01", price="1") for _ in range(1_001)]
    venue.block(*asks)
    buy = partial(venue.act, "dan", "buy", price="1", timeInForce="FOK")
    too_many = buy(quantity="10.01")
    number = venue.machine.next_block()
    header = BlockHeader(number, f"{number:08x}" + "0" * 32, START + 3 * number)
    done = venue.machine.apply(header, [too_many, buy(quantity="10")])
    assert f"reject {too_many.id} dan buy - E_FOK" in done.text
    assert done.text.count("\ntrade ") == 1_000
