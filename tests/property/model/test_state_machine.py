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
from settlement.core.journal import lines
from settlement.core.journal.lines import JournalEntry
from settlement.core.journal.state_text import read_state, state_text
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue
from settlement.store.write.ledger.apply import apply_entry, pass_block
from settlement.store.write.ledger.ledger import Ledger
from settlement.store.write.ledger.state_text import state_text as ledger_state_text
from tests.property.model.account_totals import AccountTotals
from tests.property.model.event_generator import EventGenerator
from tests.property.model.naive_model import NaiveModel
from tests.property.model.random_venues import header_after, make_venue, random_venue
from tests.support.examples import examples

PROFILE = settings(examples(300, unhealthy=True), stateful_step_count=40)
SEEDS = range(examples(20).max_examples)
RANDOM = st.randoms(note_method_calls=False, use_true_random=False)


class Comparison:
    """State machine, the projector's ledger and the model over one chain.

    The model applies each event at once, so that the generator can draw the next one from what is open; the state
    machine gets the block as a whole. The ledger gets the journal alone.
    """

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.model = NaiveModel(venue)
        self.machine = StateMachine(venue)
        self.ledger = new_ledger(venue)
        self.totals = AccountTotals(venue)
        self.generator = EventGenerator(self.model)
        self.header = header_after(None, 0)
        self.model.begin_block(self.header)
        self.events: list[Event] = []
        self.seen: Counter[str] = Counter()
        self.last_text = ""  # the journal text of the last block

    def apply(self, event: Event) -> None:
        self.events.append(event)
        self.model.apply_event(event)

    def end_block(self, seconds: int, *, restart: bool = False) -> None:
        """End the block, compare what an auditor would compare, begin the next block; `restart` goes on from the state
        text alone."""
        expected = self.model.end_block()
        done = self.machine.apply(self.header, self.events)
        self.last_text = done.text
        assert done.text.splitlines() == expected
        assert done.hash == self.model.journal_hash
        text = state_text(self.machine.state)
        assert text.splitlines() == self.model.state_lines()
        check_all(self.machine.state)
        self.books_are_not_crossed()
        self.totals.follow(done.lines())
        assert self.totals.of_state(text) == +self.totals.totals
        self.follow_in_ledger(done)
        assert ledger_state_text(self.ledger) == text
        self.seen.update(line.split()[0] for line in expected)
        self.seen.update(line.split()[-1] for line in expected if line.startswith("reject"))
        self.events = []
        if restart:
            self.machine = StateMachine(self.venue, read_state(self.venue, text))
        self.header = header_after(self.header, seconds)
        self.model.begin_block(self.header)

    def follow_in_ledger(self, entry: JournalEntry) -> None:
        if entry.text:
            apply_entry(self.ledger, entry)
        else:
            pass_block(self.ledger, entry.header)

    def books_are_not_crossed(self) -> None:
        for pair in self.model.pairs:
            orders = [(o.buys, o.price) for o in self.model.orders if o.pair is pair and o.price is not None]
            bids = [price for buys, price in orders if buys]
            asks = [price for buys, price in orders if not buys]
            assert not bids or not asks or max(bids) < min(asks)


def new_ledger(venue: Venue) -> Ledger:
    ledger = Ledger(venue.hash)
    ledger.rules = lines.Rules(venue.max_open_orders, venue.fee_account)
    for token in venue.tokens:
        ledger.add_token(lines.Token(token.symbol, token.precision, token.escrow, token.min_withdrawal))
    for pair in venue.pairs:
        line = lines.parse(pair.line().rstrip("\n"))
        assert isinstance(line, lines.Pair)
        ledger.add_pair(line)
    return ledger


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
    def timer(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.timer(random))

    @rule(random=RANDOM)
    def cancel_withdrawal(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.cancel_withdrawal(random))

    @rule(random=RANDOM)
    def grant(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.grant(random))

    @rule(random=RANDOM)
    def revoke(self, random: Random) -> None:
        self.comparison.apply(self.comparison.generator.revoke(random))

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

    @rule(seconds=st.sampled_from((0, 3, 3, 3, 15, 60, 3600, 86_400)), restart=st.booleans())
    def next_block(self, seconds: int, restart: bool) -> None:
        self.comparison.end_block(seconds, restart=restart)

    def teardown(self) -> None:
        if hasattr(self, "comparison"):
            self.comparison.end_block(3)
            self.comparison.end_block(3600)  # everything expires
            self.comparison.end_block(3)


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
        seconds = random.choice((0, *[3] * 12, 15, 30, 3600, 86_400))
        comparison.end_block(seconds, restart=random.randrange(4) == 0)
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
    assert set(seen) == {"block", *lines.KINDS, *(code.value for code in Code)}
    assert min(seen.values()) >= 3


def order(id_: str, signer: str, name: str, quantity: str, price: str, **more: object) -> Action:
    payload = {"symbol": "PEK", "quote": "SWAP.HIVE", "quantity": quantity, "price": price, **more}
    return Action(id_, signer, True, name, payload)


def test_a_chain_calculated_by_hand() -> None:
    """The model alone against a calculation by hand, in case model and rules share a misunderstanding.

    Bob sells 3 PEK at 0.02, with a protective stop at 0.01. Alice buys 1.5 at 0.03 and pays 0.02: 1.5 × 0.02 = 0.03
    SWAP.HIVE. She takes, so she pays 20 basis points of what she gets, 0.003 PEK, to dan.dex; 1.5 PEK of Bob's stay
    locked. The mark is 0.02. Alice opens a stop that sells 1 PEK at the market once the mark is 0.01 or less.
    """
    model = NaiveModel(make_venue())
    header = header_after(None, 0)
    lines = model.apply(
        header,
        [
            Movement("d1", "hive-engine", "bob", "dex.pek", "PEK", "3", None),
            Movement("d2", "hive-engine", "alice", "dex.hive", "SWAP.HIVE", "1.0", None),
            order("s", "bob", "sell", "3", "0.02", stopPrice="0.01", stopLimit="0.01"),
            order("b", "alice", "buy", "1.5", "0.03", ref="mine"),
            Action("w", "bob", True, "withdraw", {"symbol": "SWAP.HIVE", "quantity": "all"}),
            order("t", "alice", "marketSell", "1", "0.01", triggerPrice="0.01", triggerWhen="below"),
        ],
    )
    assert lines == [
        f"block 1000 {header.block_id} 2023-11-14T22:13:20",
        "deposit d1 bob PEK 300000000 dex.pek",
        "deposit d2 alice SWAP.HIVE 100000000 dex.hive",
        "accept s bob active sell -",
        "order s 1 bob PEK/SWAP.HIVE sell limit 2 300000000 1700000120 0 20 venue 1 1",
        "accept b alice active buy mine",
        "order b 2 alice PEK/SWAP.HIVE buy limit 3 150000000 1700000120 0 20 venue - -",
        "trade 1 b s alice bob PEK/SWAP.HIVE 2 150000000 3000000 300000 0",
        "close b filled 0",
        "accept w bob active withdraw -",
        "withdraw w bob SWAP.HIVE 3000000 bob -",
        "accept t alice active marketSell -",
        "stop t 3 alice PEK/SWAP.HIVE sell market 1 100000000 1700000120 20 below 1 IOC -",
    ]
    assert model.state_lines()[4:] == [
        "last 3 1",
        "rules 6 dan.dex",
        "token HBD 3 dex.hive 1000",
        "token PEK 8 dex.pek 100000",
        "token PIMP 3 dex.pek 500",
        "token SWAP.BTC 8 dex.btc 1000",
        "token SWAP.HIVE 8 dex.hive 1",
        "pair PEK/HBD 3 0 333 1000 maker cancel_resting active",
        "pair PEK/SWAP.BTC 11 -3 10 0 maker cancel_resting active",
        "pair PEK/SWAP.HIVE 2 2 0 20 maker cancel_resting active",
        "pair PIMP/SWAP.HIVE 5 3 0 0 maker cancel_resting active",
        "balance alice PEK 49700000 100000000 0",
        "balance alice SWAP.HIVE 97000000 0 0",
        "balance bob PEK 0 150000000 0",
        "balance bob SWAP.HIVE 0 0 3000000",
        "balance dan.dex PEK 300000 0 0",
        "order 1 s bob PEK/SWAP.HIVE sell 2 300000000 150000000 150000000 3000000 0 1700000120 0 20 venue 1 1",
        "stop 3 t alice PEK/SWAP.HIVE sell market 1 100000000 100000000 1700000120 20 below 1 IOC -",
        "withdrawal w bob SWAP.HIVE 3000000 bob - -",
        "mark PEK/SWAP.HIVE 1000 150000000 3000000",
        "escrow PEK 300000000",
        "escrow SWAP.HIVE 100000000",
    ]
