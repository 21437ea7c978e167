"""An announced protocol upgrade in health, warnings and metrics (protocol, section 9)."""

from __future__ import annotations

import pytest

from settlement.core.events import BlockHeader
from settlement.core.state_machine import UpgradeRequired
from settlement.store.indexer_status import IndexerStatus, write_status
from settlement.store.write.loader import load
from settlement.store.write.projector import Batch, totals_of
from tests.system.api.world import START_BLOCK, World, block_id

TEXT = "ab" * 32


def announce(world: World, first_block: int) -> None:
    world.apply(world.action("peakecoin", "upgrade", protocol=3, text=TEXT, block=first_block))


def test_an_upgrade_is_announced_and_taken_back(fresh: World) -> None:
    client = fresh.client()
    fresh.apply()
    assert client.get("/api/health").json["upgrade"] is None
    assert "peakedex_upgrade_block" not in client.get("/metrics").text
    announce(fresh, START_BLOCK + 300_000)
    assert client.get("/api/health").json["upgrade"] == {
        "protocol": 3,
        "text_hash": TEXT,
        "first_block": START_BLOCK + 300_000,
        "blocks_left": 299_998,
    }
    assert f"\npeakedex_upgrade_block {float(START_BLOCK + 300_000)}\n" in client.get("/metrics").text
    announce(fresh, 0)
    assert client.get("/api/health").json["upgrade"] is None


def test_an_indexer_that_has_stopped_before_an_upgrade(fresh: World) -> None:
    """Health and every answer say why no blocks arrive; reads go on."""
    first = START_BLOCK + 200_001
    announce(fresh, first)
    # Blocks without anything of ours: only the cursor moves.
    end = BlockHeader(first - 1, block_id(first - 1), fresh.time + 600_000)
    fresh.projector.project(Batch([], [], end, totals_of(fresh.rules.state)))
    with pytest.raises(UpgradeRequired):
        load(fresh.engine).apply(BlockHeader(first, block_id(first), fresh.time + 600_003), [])
    write_status(fresh.engine, IndexerStatus(fresh.time + 600_000, "stopped", first + 100, None, None))
    client = fresh.client()
    sentence = (
        f"Protocol 3 holds from block {first}, and this version runs protocol 2: "
        "the indexer has stopped until a newer version is installed."
    )
    health = client.get("/api/health").json
    assert (health["warning"], health["upgrade"]["blocks_left"]) == (sentence, 0)
    pairs = client.get("/api/pairs")
    assert (pairs.status_code, pairs.json["warning"]) == (200, sentence)
    ready = client.get("/api/ready")
    assert (ready.status_code, ready.json["code"], ready.json["error"]) == (503, "E_BEHIND", sentence)
