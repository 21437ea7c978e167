"""With a local verifier a single node is enough, and its false blocks are detected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.merkle import merkle_root
from indexer.devnet.rpc.block_methods import read_transaction
from tests.system.follow.world import World, check

UNTIL = 40


class OwnPacking:
    """Stands in for the optional library: the devnet's packing knows the two operations of its chain."""

    def __init__(self) -> None:
        self.checked = 0

    def check(self, block: Block) -> None:
        self.checked += 1
        value = json.loads(block.raw)
        transactions = [read_transaction(raw) for raw in value["transactions"]]
        if [transaction.id for transaction in transactions] != value["transaction_ids"]:
            raise BlockError(f"block {block.number}: ids")
        if merkle_root([each.merkle_leaf() for each in transactions]) != block.fields.transaction_merkle_root:
            raise BlockError(f"block {block.number}: merkle root")


@pytest.mark.parametrize("lie", ["amount", "add", "drop", "order"])
@pytest.mark.parametrize("servers", [1, 2])
def test_a_lie_is_found_out_without_a_second_node(lie: Any, servers: int, tmp_path: Path) -> None:
    """With one node nothing goes on while it lies; with two the other one is taken, and no third is needed."""
    with World(servers=servers) as world:
        world.servers[0].faults.lie = lie

        def end(pause: int) -> None:
            if pause == 8:
                assert world.source is not None
                assert servers == 2 or world.source.irreversible > 0
                world.heal()

        world.plans.append(end)
        verifier = OwnPacking()
        check(world, world.run(UNTIL, verifier=verifier), UNTIL, tmp_path)
        assert verifier.checked >= UNTIL
        assert not any("third node" in reason for reason in world.said)
