"""The state machine against the naive model on random chains.

After every block both must have the same journal, hash and state, all invariants hold, and no book is crossed.
`--hypothesis-profile=long` runs ten times as many examples.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from settlement.core.codes import Code
from settlement.core.events import Action, Event, Movement
from settlement.core.invariants import check_all
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue
from tests.property.model.event_generator import EventGenerator, header_after, make_venue, random_venue
from tests.property.model.naive_model import NaiveModel
from tests.support.examples import examples

PROFILE = settings(examples(300, unhealthy=True), stateful_step_count=40)
SEEDS = range(examples(20).max_examples)
RANDOM = st.randoms(note_method_calls=False, use_true_random=False)


class Comparison:
    """State machine and model over one chain.

    The model applies each event at once, so that the generator can draw the next one from what is open; the state
    machine gets the block as a whole.
    """

    def __init__(self, venue: Venue) -> None:
        self.model = NaiveModel(venue)
        self.machine = StateMachine(venue)
        self.generator = EventGenerator(self.model)
        self.header = header_after(None, 0)
        self.model.begin_block(self.header)
        self.events: list[Event] = []
        self.seen: Counter[str] = Counter()

    def apply(self, event: Event) -> None:
        self.events.append(event)
        self.model.apply_event(event)

    def end_block(self, seconds: int) -> None:
        """End the block, compare what an auditor would compare, begin the next block."""
        expected = self.model.end_block()
        done = self.machine.apply(self.header, self.events)
        assert done.text.splitlines() == expected
        assert done.journal_hash == self.model.journal_hash
        assert state_text(self.machine.state).splitlines() == self.model.state_lines()
        check_all(self.machine.state)
        self.books_are_not_crossed()
        self.seen.update(line.split()[0] for line in expected)
        self.seen.update(line.split()[-1] for line in expected if line.startswith("reject"))
        self.events = []
        self.header = header_after(self.header, seconds)
        self.model.begin_block(self.header)

    def books_are_not_crossed(self) -> None:
        for pair in self.model.pairs:
            bids = [o.price for o in self.model.orders if o.pair is pair and o.buys]
            asks = [o.price for o in self.model.orders if o.pair is pair and not o.buys]
            assert not bids or not asks or max(bids) < min(asks)


class RandomChain(RuleBasedStateMachine):
    """One rule for each kind of event, one for a burst of events, one for the end of a block."""

    @initialize(random=RANDOM)
    def open(self, random: Random) -> None:
        self.comparison = Comparison(random_venue(random))
        for event in self.comparison.generator.funding():
            self.comparison.apply(event)

    @rule(random=RANDOM)
    def deposit(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.deposit(random))

    @rule(random=RANDOM)
    def limit(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.limit(random))

    @rule(random=RANDOM)
    def more_limits(self, random: Random) -> None:
        for _ in range(4):
            self.comparison.apply(self.comparison.generator.limit(random))

    @rule(random=RANDOM)
    def market(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.market(random))

    @rule(random=RANDOM)
    def flat(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.flat(random))

    @rule(random=RANDOM)
    def cancel(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.cancel(random))

    @rule(random=RANDOM)
    def cancel_all(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.cancel_all(random))

    @rule(random=RANDOM)
    def replace(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.replace(random))

    @rule(random=RANDOM)
    def withdraw(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.withdraw(random))

    @rule(random=RANDOM)
    def payout(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.payout(random))

    @rule(random=RANDOM)
    def internal(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.internal(random))

    @rule(random=RANDOM)
    def operator(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.operator(random))

    @rule(random=RANDOM)
    def nonsense(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.nonsense(random))

    @rule(seed=st.integers(0, 2**32 - 1))
    def burst(self, seed: int) -> None:
        """Many events for one draw: hypothesis chooses only the seed."""
        random = Random(seed)
        for _ in range(20):
            self.comparison.apply(self.comparison.generator.any_event(random))

    @rule(seconds=st.sampled_from((0, 3, 3, 3, 30, 60)))
    def next_block(self, seconds: int) -> None:
        self.comparison.end_block(seconds)

    def teardown(self) -> None:
        if hasattr(self, "comparison"):
            self.comparison.end_block(3)
            self.comparison.end_block(60)  # everything expires


def test_machine_and_model_agree_on_random_chains() -> None:
    run_state_machine_as_test(RandomChain, settings=PROFILE)


@cache
def seeded_chain(seed: int) -> Counter[str]:
    """Run a long chain from a seed, compared after every block; returns how often each line kind and code occurs."""
    random = Random(seed)
    comparison = Comparison(random_venue(random))
    for event in comparison.generator.funding():
        comparison.apply(event)
    for _ in range(50):
        for _ in range(random.randrange(30)):
            comparison.apply(comparison.generator.any_event(random))
        comparison.end_block(random.choice((0, 3, 3, 3, 3, 30)))
    return comparison.seen


@pytest.mark.parametrize("seed", SEEDS)
def test_machine_and_model_agree_on_long_chains(seed: int) -> None:
    seen = seeded_chain(seed)
    assert seen["order"] > 50
    assert seen["trade"] > 5


def test_the_chains_cover_everything() -> None:
    """Every kind of journal line and every code occurs."""
    seen: Counter[str] = Counter()
    for seed in range(20):
        seen += seeded_chain(seed)
    kinds = (
        "block expire deposit refund order trade close withdraw paid return outflow internal operator reject"
    )
    assert set(seen) == {*kinds.split(), *(code.value for code in Code)}
    assert min(seen.values()) >= 10


def test_a_chain_calculated_by_hand() -> None:
    """The model alone against a calculation by hand, in case model and rules share a misunderstanding.

    Bob sells 3 PEK at 0.02, Alice buys 1.5 at 0.03 and pays 0.02: 1.5 × 0.02 = 0.03 SWAP.HIVE. She takes,
    so she pays 20 basis points of what she gets, 0.003 PEK, to dan.dex; 1.5 PEK of Bob's stay locked.
    """
    model = NaiveModel(make_venue())
    header = header_after(None, 0)
    lines = model.apply(
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
    assert model.state_lines()[3:] == [
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
