"""/api/checkpoints: comparison of hashes, and unknown results for blocks that are not recorded yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from settlement.core.journal.state_text import state_hash
from settlement.store.indexer_status import IndexerStatus, write_status
from tests.system.api.world import START_BLOCK, VENUE, World


@pytest.fixture
def proven(tmp_path: Path) -> World:
    """A world with a checkpoint account of its own."""
    account = 'operator = "peakecoin"\ncheckpoint_account = "peakecoin.proof"'
    return World(tmp_path, VENUE.replace('operator = "peakecoin"', account))


def test_claims_are_held_against_the_journal(proven: World) -> None:
    hashes = {START_BLOCK - 1: proven.rules.state.journal_hash}
    for name in ("alice", None, "bob"):  # the second block has nothing of ours
        proven.apply(*([] if name is None else [proven.deposit(name, "PEK", "1")]))
        hashes[proven.block] = proven.rules.state.journal_hash
    claims = [
        (START_BLOCK, "f" * 64),
        (START_BLOCK + 1, hashes[START_BLOCK]),
        (0, hashes[START_BLOCK - 1]),
        (START_BLOCK + 2, hashes[START_BLOCK + 2]),
        (START_BLOCK + 2, hashes[START_BLOCK]),
        (START_BLOCK + 99, hashes[START_BLOCK + 2]),
    ]
    proven.apply(
        *(
            proven.action("peakecoin", "checkpoint", block=block, stateHash="0" * 64, journalHash=hash_)
            for block, hash_ in claims
        )
    )
    rows = proven.client().get("/api/checkpoints").json["checkpoints"]
    shown = [(row["claimed_block"], row["agrees"]) for row in rows]
    assert shown == [
        (START_BLOCK + 99, None),
        (START_BLOCK + 2, False),
        (START_BLOCK + 2, True),
        (0, True),
        (START_BLOCK + 1, True),
        (START_BLOCK, False),
    ]
    assert rows[-1]["journal_hash"] == "f" * 64
    assert {(row["block"], row["account"], row["state_agrees"]) for row in rows} == {
        (START_BLOCK + 3, "peakecoin", None)
    }
    proven.close()


def test_the_checkpoint_account_signs_too(proven: World) -> None:
    """Its claim, and what the indexer says of the state hash, is an alarm where it disagrees."""
    proven.apply(proven.deposit("alice", "PEK", "1"))
    claim: dict[str, Any] = {"block": proven.block, "journalHash": proven.rules.state.journal_hash}
    true_hash = state_hash(proven.rules.state)
    proven.apply(
        proven.action("peakecoin.proof", "checkpoint", stateHash=true_hash, **claim),
        proven.action("peakecoin.proof", "checkpoint", stateHash="e" * 64, **claim),
        proven.action("alice", "checkpoint", stateHash="d" * 64, **claim),  # E_AUTH
    )
    ours = f'{{"1": "{true_hash}", "2": "{true_hash}"}}'
    write_status(
        proven.engine, IndexerStatus(proven.time, "following", proven.block, None, None, claims=ours)
    )
    client = proven.client()
    rows = client.get("/api/checkpoints").json["checkpoints"]
    assert [(row["account"], row["agrees"], row["state_agrees"]) for row in rows] == [
        ("peakecoin.proof", True, False),
        ("peakecoin.proof", True, True),
    ]
    assert client.get("/api/health").json["alarms"] == [
        f"A checkpoint of block {START_BLOCK} by peakecoin.proof has a different state hash than this replica."
    ]
    proven.close()
