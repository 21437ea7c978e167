"""Runs every scenario of this folder through the indexer, in both JSON formats that Hive nodes use.

Path: archive folder → ArchiveSource (ids and links checked) → decode → StateMachine → Projector → SQLite. The journal
is read back from its table, the state through the loader. The format `block_api` runs in one batch with the prefilter,
`condenser` block by block without it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Engine

from indexer.chain.decode import decode
from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Cursor
from settlement.core.invariants import check_all
from settlement.core.journal.lines import chain_hash
from settlement.core.journal.state_text import state_text
from settlement.store.read.audit.journal import read_journal
from settlement.store.write.loader import load, load_or_initialise
from tests.scenarios.chain import SHAPES, write_archive
from tests.scenarios.database import emptied, memory_database
from tests.scenarios.scenario import (
    HERE,
    Scenario,
    in_short,
    read_scenarios,
    short_reject,
    state_in_short,
    with_aliases,
    without_settings,
)
from tests.support.blocks import iso

CASES = [case for path in sorted(HERE.glob("*.txt")) for case in read_scenarios(path)]


class Outcome(NamedTuple):
    """Journal lines, state lines and block ids from the database."""

    journal: list[str]
    state: list[str]
    block_ids: dict[int, str]


@pytest.fixture(scope="module")
def migrated() -> Iterator[Engine]:
    engine = memory_database()
    yield engine
    engine.dispose()


@pytest.fixture
def database(migrated: Engine) -> Engine:
    return emptied(migrated)


def run(case: Scenario, shape: str, database: Engine, folder: Path) -> Outcome:
    """Run a scenario."""
    venue = case.venue()
    archive = write_archive(folder, case.blocks, shape)
    machine, projector = load_or_initialise(database, venue)
    source = ArchiveSource(archive, machine.venue_filter)
    one_by_one = shape == "condenser"
    read = partial(decode, prefilter=not one_by_one)
    Follower(machine, projector, source, batch_blocks=1 if one_by_one else 1000, read=read).run()
    check_all(machine.state)
    loaded = load(database)
    assert state_text(loaded.state) == state_text(machine.state)
    before = Cursor(case.blocks[0].number - 1)
    block_ids = {block.number: block.block_id for block, _ in source.blocks(before)}
    given = case.given
    journal: list[str] = []
    hash_so_far = venue.hash
    with database.connect() as connection:
        for block in read_journal(connection):
            hash_so_far = chain_hash(hash_so_far, block.lines)
            assert block.journal_hash == hash_so_far
            lines = block.lines.splitlines()
            if block.number in given:
                assert not [line for line in lines if line.startswith("reject ")], "rejected in a given block"
            else:
                journal += lines
    assert loaded.state.journal_hash == machine.state.journal_hash == hash_so_far
    last = case.blocks[-1].number
    head, state = state_text(loaded.state).splitlines()[:4], state_text(loaded.state).splitlines()[4:]
    assert head == [
        "peakedex-state 2",
        f"venue {venue.hash}",
        f"block {last} {block_ids[last]} {iso(case.blocks[-1].timestamp)}",
        f"journal {hash_so_far}",
    ]
    return Outcome(journal, state, block_ids)


def differences(expected: list[str], found: list[str], what: str) -> str:
    return "\n".join(
        difflib.unified_diff(
            with_aliases(expected),
            with_aliases(found),
            f"{what} expected",
            f"{what} found",
            lineterm="",
            n=100,
        )
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_scenario(case: Scenario, shape: str, database: Engine, tmp_path: Path) -> None:
    outcome = run(case, shape, database, tmp_path / "archive")
    journal = in_short(outcome.journal, case.blocks, outcome.block_ids)
    state = state_in_short(outcome.state)
    problems = []
    if case.journal is not None:
        problems.append(differences(case.journal, journal, "journal"))
    if case.rejects or case.journal is None:
        rejects = [short_reject(line) for line in journal if line.startswith("reject ")]
        problems.append(differences(case.rejects, rejects, "rejects"))
    if case.state is not None:
        problems.append(differences(case.state, without_settings(state), "state"))
    if case.whole_state is not None:
        problems.append(differences(case.whole_state, state, "whole state"))
    missing = [line for line in case.state_holds if line not in state]
    if missing:
        problems.append(differences(missing, state, "state holds"))
    found = "\n".join(problem for problem in problems if problem)
    assert not found, f"{case.path.name}, line {case.line}: {case.title}\n{found}"
