"""Fixture: an indexer with an empty database that follows given chains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine

from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from settlement.core.invariants import check_all
from settlement.core.journal.state_text import state_text
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue
from settlement.store.read.audit.journal import read_journal
from settlement.store.write.loader import load, load_or_initialise
from tests.scenarios.chain import Block, block_texts, receipt_texts, write_lines
from tests.scenarios.database import emptied, memory_database
from tests.scenarios.scenario import read_venue


@dataclass
class Indexer:
    """An empty database and a folder: `follow` records a chain given as JSON lines."""

    database: Engine
    folder: Path
    venue: Venue = field(default_factory=lambda: read_venue("basic", []))

    def follow(self, blocks: list[bytes], receipts: list[bytes], *, batch_blocks: int = 1000) -> StateMachine:
        """Record the chain into an emptied database; raises what the follow loop raises."""
        write_lines(self.folder / "blocks.jsonl", blocks)
        write_lines(self.folder / "receipts.jsonl", receipts)
        machine, projector = load_or_initialise(emptied(self.database), self.venue)
        source = ArchiveSource(self.folder, machine.venue_filter)
        Follower(machine, projector, source, batch_blocks=batch_blocks).run()
        check_all(machine.state)
        assert state_text(self.loaded().state) == state_text(machine.state)
        return machine

    def record(self, blocks: list[Block], shape: str = "block_api") -> list[str]:
        """Record a chain and return its journal lines without the `block` lines."""
        self.follow(block_texts(blocks, shape), receipt_texts(blocks))
        return self.lines()

    def loaded(self) -> StateMachine:
        """The state machine loaded from the database, with invariants checked."""
        return load(self.database)

    def lines(self) -> list[str]:
        with self.database.connect() as connection:
            lines = [line for block in read_journal(connection) for line in block.lines.splitlines()]
        return [line for line in lines if not line.startswith("block ")]

    def last_block(self) -> int:
        return self.loaded().next_block() - 1


@pytest.fixture(scope="session")
def memory() -> Iterator[Engine]:
    engine = memory_database()
    yield engine
    engine.dispose()


@pytest.fixture
def indexer(memory: Engine, tmp_path: Path) -> Indexer:
    return Indexer(memory, tmp_path)
