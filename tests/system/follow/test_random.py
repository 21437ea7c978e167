"""Random combinations of faults, over hundreds of blocks: the same hashes as without faults."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest

from indexer.devnet.faults import LIES
from indexer.devnet.server import NodeServer
from tests.support.examples import SEED
from tests.system.follow.world import SHORT_SECONDS, World, check, heal

BLOCKS: Final = 220
HONEST: Final = ("lost_replies", "duplicate_replies", "lock_errors", "html_errors", "too_many", "bad_json")


def some_fault(server: NodeServer, chance: random.Random, *, may_lie: bool) -> None:
    """Break one thing more of a node."""
    kinds = ["counted", "short", "gaps", "stale", "refuses", "silent", "engine refuses", "engine silent"]
    kind = chance.choice(kinds + (["lie", "engine lie"] if may_lie else []))
    faults = server.faults
    match kind:
        case "counted":
            faults.set({chance.choice(HONEST): chance.randint(1, 6)})
        case "short":
            faults.short_ranges = chance.randint(1, 3)
        case "gaps":
            faults.gaps = chance.randint(1, 3)
        case "stale":
            faults.stale = chance.randint(1, 12)
        case "silent":
            faults.silent = chance.random() < 0.3
        case "engine silent":
            faults.engine_silent = chance.random() < 0.3
        case "lie":
            faults.lie = chance.choice(LIES)
        case "engine lie":
            faults.engine_disagrees = True
        case _:
            faults.set({kind.replace(" ", "_"): True})


def trouble(world: World, chance: random.Random) -> None:
    """What may happen at any moment. Only the first node lies: two that tell the same lie are believed."""
    for at, server in enumerate(world.servers):
        if chance.random() < 0.25:
            some_fault(server, chance, may_lie=at == 0)
        elif chance.random() < 0.3:
            heal(server)
    node = world.node
    match chance.randrange(12):
        case 0:
            node.fork(
                chance.randint(0, node.chain.head - node.chain.irreversible), forget=chance.random() < 0.3
            )
        case 1:
            node.chain.lag = chance.randint(0, 6)
        case 2:
            node.chain.stalled = chance.random() < 0.5
        case 3:
            node.skip_slots = chance.randint(0, 3)
        case 4:
            node.behind = chance.choice((0, 0, chance.randint(1, 8)))
    node.advance()


@pytest.mark.parametrize("servers", [3, 4])
def test_whatever_comes_together(servers: int, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with World(seed=SEED % 1000, servers=servers, lag=3, answer_seconds=SHORT_SECONDS) as world:
        seen: set[str] = set()

        def plan(_: int) -> None:
            trouble(world, chance)
            for server in world.servers:
                seen.update(name for name, value in asdict(server.faults).items() if value)

        world.plans.append(plan)
        got = world.run(BLOCKS)
        world.plans.clear()
        world.node.chain.stalled, world.node.behind, world.node.chain.lag = False, 0, 0
        world.node.advance()
        check(world, got, BLOCKS, tmp_path)
        assert len(seen) >= 10


@pytest.mark.parametrize("forget", [False, True])
def test_forks_above_the_irreversible_block_are_never_seen(forget: bool, tmp_path: Path) -> None:
    """One node in three calls its head irreversible all the time: nobody believes it."""
    chance = random.Random(SEED)
    with World(seed=SEED % 1000, lag=5, ops=4) as world:
        chain = world.node.chain
        world.servers[0].faults.lie = "irreversible"
        dropped: set[str] = set()

        def fork(_: int) -> None:
            if chance.random() < 0.4:
                depth = chance.randint(0, chain.head - chain.irreversible)
                gone = world.node.fork(depth, forget=forget)
                dropped.update(block.id.hex() for block in gone)

        world.plans.append(fork)
        got = world.run(120)
        check(world, got, 120, tmp_path)
        assert len(dropped) > 10
        assert not dropped & {row[1] for row in got.rows["blocks"]}
