"""Journal and state are the same bytes however blocks are read, packed, batched or interrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from indexer.chain.blocks import Block
from indexer.chain.decode import decode
from indexer.chain.receipts import Receipts
from indexer.follow.loop import Follower
from indexer.sources.archive import ArchiveSource
from indexer.sources.source import Cursor
from settlement.core.journal.lines import JournalEntry, chain_hash
from settlement.core.journal.state_text import read_state, state_text
from settlement.core.state_machine import StateMachine
from settlement.store.database import open_reader, open_writer
from settlement.store.write.initialise import initialise_from_state
from settlement.store.write.loader import load, load_or_initialise
from settlement.store.write.projector import Batch, totals_of
from tests.system.store.chains import VENUE_TEXT, Chain, demo, dump, journal, lively, picture, replay

SEEDS = (1, 2)


@dataclass(frozen=True)
class Outcome:
    """Journal and state text, and the rest of the state."""

    journal: str
    journal_hash: str
    state: str
    memory: dict[str, Any]

    @classmethod
    def of(cls, rules: StateMachine, text: str) -> Outcome:
        return cls(text, rules.state.journal_hash, state_text(rules.state), picture(rules.state))


@cache
def plain(seed: int) -> Outcome:
    """The rules alone, without database, follow loop, prefilter or archive file."""
    chain = lively(seed)
    receipts = {each.hive_number: each for each in map(Receipts, chain.receipts)}
    rules = StateMachine(demo())
    texts = []
    for block in map(Block, chain.blocks):
        events = decode(block, rules.venue_filter, receipts.get(block.number), prefilter=False)
        texts.append(rules.apply(block.header, events).text)
    return Outcome.of(rules, "".join(texts))


@pytest.fixture
def archive(tmp_path: Path) -> Callable[[int], Path]:
    return lambda seed: lively(seed).write(tmp_path / f"chain-{seed}")


@pytest.mark.parametrize("seed", SEEDS)
def test_the_journal_hash_is_that_of_the_text(seed: int) -> None:
    """The blocks' texts, cut where a line says `block`, chain up to the hash."""
    found, text = plain(seed), ""
    journal_hash = demo().hash
    for line in found.journal.splitlines(keepends=True):
        if line.startswith("block ") and text:
            journal_hash, text = chain_hash(journal_hash, text), ""
        text += line
    assert chain_hash(journal_hash, text) == found.journal_hash
    assert found.journal.count("\n") > 1000


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("batch", [1, 2, 7, 64, 1000])
def test_batches_of_any_size(archive: Callable[[int], Path], seed: int, batch: int) -> None:
    rules, database = replay(archive(seed), batch=batch)
    assert Outcome.of(rules, journal(database)) == plain(seed)
    assert Outcome.of(load(database), journal(database)) == plain(seed)


@pytest.mark.parametrize("characters", [1, 10_000, 50_000])
def test_batches_cut_by_the_length_of_their_journal(archive: Callable[[int], Path], characters: int) -> None:
    rules, database = replay(archive(1), batch=1000, batch_characters=characters)
    assert Outcome.of(rules, journal(database)) == plain(1)


def test_tables_are_the_same_for_batches_of_one_and_of_a_thousand(archive: Callable[[int], Path]) -> None:
    _, one = replay(archive(1), batch=1)
    _, thousand = replay(archive(1), batch=1000)
    alone, together = dump(one), dump(thousand)
    accounts = [sorted(name for _, name in tables["accounts"]) for tables in (alone, together)]
    assert accounts[0] == accounts[1]
    for name in alone.keys() - {"accounts"}:
        assert alone[name] == together[name], name


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restart_after_every_block(archive: Callable[[int], Path], seed: int) -> None:
    """All of the state is loaded from the rows after each block."""
    database = open_writer("sqlite://")
    rules, projector = load_or_initialise(database, demo())
    for block, receipts in ArchiveSource(archive(seed), demo().filter).blocks(Cursor(0)):
        entry = rules.apply(block.header, decode(block, rules.venue_filter, receipts))
        projector.project(batch_of(rules, entry))
        rules, projector = load_or_initialise(database, demo())
    assert Outcome.of(rules, journal(database)) == plain(seed)


def batch_of(rules: StateMachine, entry: JournalEntry) -> Batch:
    return Batch([entry] if entry.text else [], [], entry.header, totals_of(rules.state))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replica_from_the_state_text_of_every_block(archive: Callable[[int], Path], seed: int) -> None:
    """The rules go on from each block's state text alone."""
    rules, texts = StateMachine(demo()), []
    for block, receipts in ArchiveSource(archive(seed), demo().filter).blocks(Cursor(0)):
        texts.append(rules.apply(block.header, decode(block, rules.venue_filter, receipts)).text)
        rules = StateMachine(demo(), read_state(demo(), state_text(rules.state)))
    assert Outcome.of(rules, "".join(texts)) == plain(seed)


@pytest.mark.parametrize("block", [1, 41, 78, 119])
def test_a_database_from_a_state_text(archive: Callable[[int], Path], block: int) -> None:
    """It has no history before that block; all that follows is the same."""
    rules, early = replay(archive(1), until=block)
    text = state_text(rules.state)
    database = open_writer("sqlite://")
    initialise_from_state(database, demo(), text, sha256(text.encode()).hexdigest())
    assert journal(database) == ""
    rules, projector = load_or_initialise(database, demo())
    Follower(rules, projector, ArchiveSource(archive(1), rules.venue_filter), batch_blocks=7).run()
    assert Outcome.of(rules, journal(early) + journal(database)) == plain(1)
    assert Outcome.of(load(database), journal(early) + journal(database)) == plain(1)


def test_a_restart_of_everything_now_and_then(archive: Callable[[int], Path], tmp_path: Path) -> None:
    """With a new process, source and database connection, as `replay --until` does."""
    url = f"sqlite:///{tmp_path / 'dex.db'}"
    for until in (1, 3, 4, 30, 77, 119):
        replay(archive(1), url, until=until)
    rules, database = replay(archive(1), url)
    assert Outcome.of(rules, journal(database)) == plain(1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("prefilter", [True, False])
def test_with_and_without_the_prefilter(archive: Callable[[int], Path], seed: int, prefilter: bool) -> None:
    rules, database = replay(archive(seed), read=partial(decode, prefilter=prefilter))
    assert Outcome.of(rules, journal(database)) == plain(seed)


@pytest.mark.parametrize("packing", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_archives_of_any_packing(tmp_path: Path, packing: str) -> None:
    rules, database = replay(lively(1).write(tmp_path / "chain", packing))
    assert Outcome.of(rules, journal(database)) == plain(1)


def test_archives_of_several_files_with_their_own_packing(tmp_path: Path) -> None:
    chain = lively(1)
    for number, packing in enumerate((".jsonl.zst", ".jsonl", ".jsonl.gz")):
        part = Chain(chain.blocks[number * 40 : (number + 1) * 40], ()).write(tmp_path / "part", packing)
        (part / f"blocks{packing}").rename(tmp_path / f"blocks-{number}{packing}")
    half = len(chain.receipts) // 2
    for number, lines in enumerate((chain.receipts[:half], chain.receipts[half:])):
        (tmp_path / f"receipts-{number}.jsonl").write_bytes(b"\n".join(lines))
    rules, database = replay(tmp_path)
    assert Outcome.of(rules, journal(database)) == plain(1)


@pytest.mark.parametrize("seed", SEEDS)
def test_both_block_formats_of_nodes(tmp_path: Path, seed: int) -> None:
    condenser = lively(seed, shape="condenser")
    assert condenser.blocks != lively(seed).blocks
    rules, database = replay(condenser.write(tmp_path))
    assert Outcome.of(rules, journal(database)) == plain(seed)


def test_block_formats_that_change_from_block_to_block(tmp_path: Path) -> None:
    both = zip(lively(1).blocks, lively(1, shape="condenser").blocks, strict=True)
    mixed = Chain(tuple(pair[number % 2] for number, pair in enumerate(both)), lively(1).receipts)
    rules, database = replay(mixed.write(tmp_path))
    assert Outcome.of(rules, journal(database)) == plain(1)


def test_json_written_with_spaces_and_escapes(tmp_path: Path) -> None:
    """The same blocks as another program writes them: keys sorted, spaces, every character escaped."""
    rewritten = Chain(
        tuple(json.dumps(json.loads(line), sort_keys=True).encode() for line in lively(1).blocks),
        tuple(json.dumps(json.loads(line), sort_keys=True).encode() for line in lively(1).receipts),
    )
    rules, database = replay(rewritten.write(tmp_path))
    assert Outcome.of(rules, journal(database)) == plain(1)


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_order_of_sets_and_dictionaries_does_not_matter(
    archive: Callable[[int], Path], tmp_path: Path, hash_seed: str
) -> None:
    """Processes with another hash seed, with and without a database file, in small batches and in one."""
    venue = tmp_path / "venue.toml"
    venue.write_text(VENUE_TEXT, "utf-8")
    database = tmp_path / "dex.db"
    for options in ((), ("--db", str(database), "--batch", "13")):
        command = [
            *(sys.executable, "-m", "indexer.cli", "replay", "--json", "--venue", str(venue)),
            *("--archive", str(archive(1)), *options),
        ]
        run = subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            timeout=240,
        )
        said = json.loads(run.stdout)
        assert said["journal_hash"] == plain(1).journal_hash
        assert said["state_hash"] == sha256(plain(1).state.encode()).hexdigest()
    reader = open_reader(str(database))
    assert Outcome.of(load(reader), journal(reader)) == plain(1)
