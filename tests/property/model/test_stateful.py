"""The engine against the naive model, on chains that hypothesis invents: after every block the same
journal, hash and state, books that add up and are not crossed.

`PEAKEDEX_TESTS=long` runs a profile that is some forty times as long.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from settlement.core.codes import Code
from settlement.core.events import Action, Event, Movement
from settlement.core.invariants import check_all
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import Engine
from settlement.core.venue import Venue
from tests.property.model.chains import Chain, header_after, make_venue, random_venue
from tests.property.model.naive import Naive

LONG = os.environ.get("PEAKEDEX_TESTS") == "long"
PROFILE = settings(
    max_examples=3000 if LONG else 300,
    stateful_step_count=100 if LONG else 40,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)
RANDOM = st.randoms(note_method_calls=False, use_true_random=False)


class Pair:
    """The engine and the model over one chain. The model takes events as they come, so that the next one
    can be drawn from what is open now; the engine gets the block as a whole."""

    def __init__(self, venue: Venue) -> None:
        self.naive = Naive(venue)
        self.engine = Engine(venue)
        self.chain = Chain(self.naive)
        self.header = header_after(None, 0)
        self.naive.begin(self.header)
        self.events: list[Event] = []
        self.seen: Counter[str] = Counter()

    def take(self, event: Event) -> None:
        self.events.append(event)
        self.naive.take(event)

    def seal(self, seconds: int) -> None:
        """End the block, compare all that an auditor would, begin the next one."""
        expected = self.naive.end()
        done = self.engine.apply(self.header, self.events)
        assert done.text.splitlines() == expected
        assert done.journal_hash == self.naive.journal_hash
        assert state_text(self.engine.state).splitlines() == self.naive.state_lines()
        check_all(self.engine.state)
        self.books_are_not_crossed()
        self.seen.update(line.split()[0] for line in expected)
        self.seen.update(line.split()[-1] for line in expected if line.startswith("reject"))
        self.events = []
        self.header = header_after(self.header, seconds)
        self.naive.begin(self.header)

    def books_are_not_crossed(self) -> None:
        for pair in self.naive.pairs:
            bids = [o.price for o in self.naive.orders if o.pair is pair and o.buys]
            asks = [o.price for o in self.naive.orders if o.pair is pair and not o.buys]
            assert not bids or not asks or max(bids) < min(asks)


class Exchange(RuleBasedStateMachine):
    """One rule for each kind of event, one for a burst of them, one for the end of a block."""

    @initialize(random=RANDOM)
    def open(self, random: Random) -> None:
        self.pair = Pair(random_venue(random))
        for event in self.pair.chain.funding():
            self.pair.take(event)

    @rule(random=RANDOM)
    def deposit(self, random: Random) -> None:
        self.pair.take(self.pair.chain.deposit(random))

    @rule(random=RANDOM)
    def limit(self, random: Random) -> None:
        self.pair.take(self.pair.chain.limit(random))

    @rule(random=RANDOM)
    def more_limits(self, random: Random) -> None:
        for _ in range(4):
            self.pair.take(self.pair.chain.limit(random))

    @rule(random=RANDOM)
    def market(self, random: Random) -> None:
        self.pair.take(self.pair.chain.market(random))

    @rule(random=RANDOM)
    def flat(self, random: Random) -> None:
        self.pair.take(self.pair.chain.flat(random))

    @rule(random=RANDOM)
    def cancel(self, random: Random) -> None:
        self.pair.take(self.pair.chain.cancel(random))

    @rule(random=RANDOM)
    def cancel_all(self, random: Random) -> None:
        self.pair.take(self.pair.chain.cancel_all(random))

    @rule(random=RANDOM)
    def replace(self, random: Random) -> None:
        self.pair.take(self.pair.chain.replace(random))

    @rule(random=RANDOM)
    def withdraw(self, random: Random) -> None:
        self.pair.take(self.pair.chain.withdraw(random))

    @rule(random=RANDOM)
    def payout(self, random: Random) -> None:
        self.pair.take(self.pair.chain.payout(random))

    @rule(random=RANDOM)
    def internal(self, random: Random) -> None:
        self.pair.take(self.pair.chain.internal(random))

    @rule(random=RANDOM)
    def operator(self, random: Random) -> None:
        self.pair.take(self.pair.chain.operator(random))

    @rule(random=RANDOM)
    def nonsense(self, random: Random) -> None:
        self.pair.take(self.pair.chain.nonsense(random))

    @rule(seed=st.integers(0, 2**32 - 1))
    def burst(self, seed: int) -> None:
        """Many events at little cost: only the seed is hypothesis's."""
        random = Random(seed)
        for _ in range(20):
            self.pair.take(self.pair.chain.any_event(random))

    @rule(seconds=st.sampled_from((0, 3, 3, 3, 30, 60)))
    def next_block(self, seconds: int) -> None:
        self.pair.seal(seconds)

    def teardown(self) -> None:
        if hasattr(self, "pair"):
            self.pair.seal(3)
            self.pair.seal(60)  # everything expires


def test_engine_and_model_agree_on_chains_of_hypothesis() -> None:
    run_state_machine_as_test(Exchange, settings=PROFILE)


@cache
def seeded_chain(seed: int) -> Counter[str]:
    """A long chain from a seed, compared after every block; counts its journal's words and codes."""
    random = Random(seed)
    pair = Pair(random_venue(random))
    for event in pair.chain.funding():
        pair.take(event)
    for _ in range(50):
        for _ in range(random.randrange(30)):
            pair.take(pair.chain.any_event(random))
        pair.seal(random.choice((0, 3, 3, 3, 3, 30)))
    return pair.seen


@pytest.mark.parametrize("seed", range(1000 if LONG else 20))
def test_engine_and_model_agree_on_long_chains(seed: int) -> None:
    seen = seeded_chain(seed)
    assert seen["order"] > 50
    assert seen["trade"] > 5


def test_the_chains_do_everything() -> None:
    """Every kind of journal line and every code occurs, so the comparison is not about nothing."""
    seen: Counter[str] = Counter()
    for seed in range(20):
        seen += seeded_chain(seed)
    kinds = (
        "block expire deposit refund order trade close withdraw paid return outflow internal operator reject"
    )
    assert set(seen) == {*kinds.split(), *(code.value for code in Code)}
    assert min(seen.values()) >= 10


def test_a_chain_worked_out_by_hand() -> None:
    """The model alone against pencil and paper, so that two wrongs cannot agree about the basics.

    Bob sells 3 PEK at 0.02, Alice buys 1.5 at 0.03 and pays 0.02: 1.5 × 0.02 = 0.03 SWAP.HIVE. She takes,
    so she pays 20 basis points of what she gets, 0.003 PEK, to dan.dex; 1.5 PEK of Bob's stay locked.
    """
    naive = Naive(make_venue())
    header = header_after(None, 0)
    lines = naive.apply(
        header,
        [
            Movement("d1", "hive-engine", "bob", "dex.pek", "PEK", "3", None),
            Movement("d2", "hive-engine", "alice", "dex.hive", "SWAP.HIVE", "1.0", None),
            Action(
                "s",
                "bob",
                True,
                "sell",
                {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "3", "price": "0.02"},
            ),
            Action(
                "b",
                "alice",
                True,
                "buy",
                {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": "1.5", "price": "0.03"},
            ),
            Action("w", "bob", True, "withdraw", {"symbol": "SWAP.HIVE", "quantity": "all"}),
        ],
    )
    assert lines == [
        f"block 1000 {header.block_id} 2023-11-14T22:13:20",
        "deposit d1 bob PEK 300000000 dex.pek",
        "deposit d2 alice SWAP.HIVE 100000000 dex.hive",
        "order s 1 bob PEK/SWAP.HIVE sell limit 2 300000000 1700000060",
        "order b 2 alice PEK/SWAP.HIVE buy limit 3 150000000 1700000060",
        "trade 1 b s alice bob PEK/SWAP.HIVE 2 150000000 3000000 300000 0",
        "close b filled 0",
        "withdraw w bob SWAP.HIVE 3000000 bob -",
    ]
    assert naive.state_lines()[3:] == [
        "balance alice PEK 149700000 0 0",
        "balance alice SWAP.HIVE 97000000 0 0",
        "balance bob PEK 0 150000000 0",
        "balance bob SWAP.HIVE 0 0 3000000",
        "balance dan.dex PEK 300000 0 0",
        "order 1 s bob PEK/SWAP.HIVE sell 2 150000000 150000000 1700000060",
        "withdrawal w bob SWAP.HIVE 3000000 bob -",
        "escrow PEK 300000000",
        "escrow SWAP.HIVE 100000000",
    ]
