"""Generated chains with every kind of hostile input: recorded whole, conserved, and the same whatever path is taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine

from indexer.chain.blocks import Block
from indexer.chain.decode import decode, has_candidate
from indexer.chain.receipts import Receipts
from indexer.devnet.generator.generate import GeneratedChain, Shape, generate
from indexer.devnet.venue import EXAMPLE, demo_venue
from settlement.core.events import Event
from settlement.core.invariants import check_all
from settlement.core.journal.state_text import read_state, state_text
from settlement.core.state_machine import StateMachine
from settlement.core.venue import parse_venue
from tests.property.hostile.conftest import Indexer
from tests.property.model.naive_model import NaiveModel
from tests.system.verify.checker import check

VENUE = parse_venue(demo_venue(EXAMPLE.read_text("utf-8")))
SEEDS = (11, 12, 13)
BLOCKS, OPERATIONS = 100, 15
# Mostly what only an attacker or a careless sender does.
HOSTILE = {
    "flow": 300,
    "bomb": 200,
    "odd": 100,
    "escaped": 60,
    "memo": 60,
    "split": 30,
    "locked": 30,
    "ignore": 40,
}


SHAPES: tuple[Shape, ...] = ("block_api", "condenser")


def chain_of(seed: int, shape: Shape = "block_api") -> GeneratedChain:
    return generate(
        seed, BLOCKS, OPERATIONS, accounts=6, depth=6, weights=HOSTILE, halt_every=45, shape=shape
    )


@pytest.fixture
def exchange(memory: Engine, tmp_path: Path) -> Indexer:
    return Indexer(memory, tmp_path, venue=VENUE)


@pytest.mark.parametrize("seed", SEEDS)
def test_hostile_chains_are_recorded_whole_in_any_batches(seed: int, exchange: Indexer) -> None:
    made = chain_of(seed)
    blocks = [msgspec.json.encode(block) for block in made.blocks]
    receipts = [msgspec.json.encode(receipt) for receipt in made.receipts]
    at_once = exchange.follow(blocks, receipts)
    assert exchange.last_block() == BLOCKS
    in_parts = exchange.follow(blocks, receipts, batch_blocks=7)
    assert state_text(in_parts.state) == state_text(at_once.state)


def events_of(
    made: GeneratedChain, machine: StateMachine, *, prefilter: bool
) -> Iterator[tuple[Block, list[Event]]]:
    """Each block with its events, decoded on one of both paths."""
    receipts = {row["refHiveBlockNumber"]: msgspec.json.encode(row) for row in made.receipts}
    for row in made.blocks:
        block = Block(msgspec.json.encode(row))
        raw = receipts.get(block.number)
        is_needed = raw is not None and has_candidate(block, machine.venue_filter, prefilter=prefilter)
        found = Receipts(raw) if raw is not None and is_needed else None
        yield block, list(decode(block, machine.venue_filter, found, prefilter=prefilter))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_prefilter_changes_nothing(seed: int, shape: Shape) -> None:
    """Decoding every operation gives the same journal as decoding those whose bytes match."""
    made = chain_of(seed, shape)
    machines = StateMachine(VENUE), StateMachine(VENUE)
    with_it, without_it = (
        events_of(made, machine, prefilter=prefilter)
        for machine, prefilter in zip(machines, (True, False), strict=True)
    )
    for (block, some), (_, every) in zip(with_it, without_it, strict=True):
        assert some == every, f"block {block.number}"
        assert machines[0].apply(block.header, some).hash == machines[1].apply(block.header, every).hash
    check_all(machines[0].state)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_naive_model_and_the_auditors_file_agree(seed: int, tmp_path: Path) -> None:
    machine, naive = StateMachine(VENUE), NaiveModel(VENUE)
    journal = ""
    for block, events in events_of(chain_of(seed), machine, prefilter=True):
        text = machine.apply(block.header, events).text
        assert text.splitlines() == naive.apply(block.header, events)
        journal += text
    state = state_text(machine.state)
    assert state.splitlines() == naive.state_lines()
    check(tmp_path, journal, VENUE, state=state, journal_hash=machine.state.journal_hash)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_state_is_enough_to_go_on_from(seed: int, exchange: Indexer) -> None:
    """The state text of the end, read again, is the same state."""
    made = chain_of(seed)
    blocks = [msgspec.json.encode(block) for block in made.blocks]
    machine = exchange.follow(blocks, [msgspec.json.encode(receipt) for receipt in made.receipts])
    text = state_text(machine.state)
    again = read_state(VENUE, text)
    check_all(again)
    assert state_text(again) == text
