"""Every scenario again by the rules alone: from the state text of each block they go on to the same journal."""

from __future__ import annotations

import pytest

from indexer.chain.blocks import Block
from indexer.chain.decode import decode
from indexer.chain.receipts import Receipts
from settlement.core.journal.state_text import read_state, state_text
from settlement.core.state_machine import StateMachine
from tests.scenarios.chain import SHAPES, block_texts, receipt_texts
from tests.scenarios.scenario import Scenario
from tests.scenarios.test_scenarios import CASES


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_state_text_is_enough_to_go_on_from(case: Scenario) -> None:
    venue = case.venue()
    machine = StateMachine(venue)
    receipts = {found.hive_number: found for found in map(Receipts, receipt_texts(case.blocks))}
    for text in block_texts(case.blocks, SHAPES[0]):
        block = Block(text)
        events = list(decode(block, machine.venue_filter, receipts.get(block.number)))
        restarted = StateMachine(venue, read_state(venue, state_text(machine.state)))
        assert restarted.apply(block.header, events) == machine.apply(block.header, events)
        assert state_text(restarted.state) == state_text(machine.state)
