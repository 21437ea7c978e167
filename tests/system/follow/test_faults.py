"""Each fault of a node or the chain by itself: journal and rows equal those of a run without faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.follow.world import SHORT_SECONDS, World, check

UNTIL = 48

# Of one node out of three, from beginning to end.
LASTING: dict[str, dict[str, Any]] = {
    "short ranges": {"short_ranges": 1},
    "gaps": {"gaps": 2},
    "stale": {"stale": 7},
    "refuses": {"refuses": True},
    "silent": {"silent": True},
    "lie: amount": {"lie": "amount"},
    "lie: added": {"lie": "add"},
    "lie: dropped": {"lie": "drop"},
    "lie: swapped": {"lie": "order"},
    "lie: irreversible": {"lie": "irreversible"},
    "sidechain refuses": {"engine_refuses": True},
    "sidechain silent": {"engine_silent": True},
    "sidechain disagrees": {"engine_disagrees": True},
}
# Of all nodes, so many calls in a row.
COUNTED = ("lost_replies", "duplicate_replies", "lock_errors", "html_errors", "too_many", "bad_json")


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("which", [0, 2])
def test_of_one_node_for_ever(fault: str, which: int, tmp_path: Path) -> None:
    with World(answer_seconds=SHORT_SECONDS) as world:
        world.servers[which].faults.set(LASTING[fault])
        check(world, world.run(UNTIL), UNTIL, tmp_path)


@pytest.mark.parametrize("fault", COUNTED)
def test_of_all_nodes_now_and_then(fault: str, tmp_path: Path) -> None:
    with World() as world:

        def again(pause: int) -> None:
            if pause % 7 == 0:
                for server in world.servers:
                    server.faults.set({fault: 1 + pause % 3})

        again(0)
        world.plans.append(again)
        check(world, world.run(UNTIL), UNTIL, tmp_path)


@pytest.mark.parametrize("fault", [name for name in LASTING if "lie" not in name and "disag" not in name])
def test_of_all_nodes_until_it_ends(fault: str, tmp_path: Path) -> None:
    """While it lasts nothing is guessed. A lie that all nodes tell alike nobody can find out."""
    with World(servers=2, blocks=12, answer_seconds=SHORT_SECONDS) as world:
        for server in world.servers:
            server.faults.set(LASTING[fault])

        def end(pause: int) -> None:
            if pause == 12:
                world.heal()

        world.plans.append(end)
        check(world, world.run(30), 30, tmp_path)


def stall(world: World, pause: int) -> None:
    world.node.chain.stalled = pause % 20 >= 10
    world.node.advance()


def lag(world: World, pause: int) -> None:
    world.node.chain.lag = 15 if pause < 20 else 1
    world.node.advance()


def miss_slots(world: World, pause: int) -> None:
    world.node.skip_slots = pause % 3


def forks(world: World, pause: int) -> None:
    chain = world.node.chain
    if pause % 3 == 0:
        world.node.fork(min(pause % 4, chain.head - chain.irreversible), forget=pause % 5 == 0)


def falls_behind(world: World, pause: int) -> None:
    world.node.behind = 9 if pause % 20 < 15 else 0
    world.node.advance()


def fetches_ahead(world: World, pause: int) -> None:
    """Large and changing buffers of fetched blocks that are not executed."""
    world.node.buffer = (9, 2, 15, 0)[pause // 10 % 4]
    world.node.advance()


@pytest.mark.parametrize("trouble", [stall, lag, miss_slots, forks, falls_behind, fetches_ahead])
def test_of_the_chain(trouble: Callable[[World, int], None], tmp_path: Path) -> None:
    with World(lag=3, servers=2) as world:
        world.plans.append(lambda pause: trouble(world, pause))
        check(world, world.run(UNTIL), UNTIL, tmp_path)
        if trouble in (falls_behind, fetches_ahead):
            assert any(reason.startswith("receipts of block") for reason in world.said)


def test_with_a_single_node(tmp_path: Path) -> None:
    with World(servers=1) as world:
        check(world, world.run(UNTIL), UNTIL, tmp_path)


def test_catching_up_with_long_ranges_ahead(tmp_path: Path) -> None:
    with World(blocks=120) as world:
        check(world, world.run(115), 115, tmp_path)
        assert world.pauses == 0


@pytest.mark.parametrize("forked", [(0,), (0, 1)], ids=["one of three", "two of three, until replayed"])
def test_sidechain_nodes_that_followed_a_fork(forked: tuple[int, ...], tmp_path: Path) -> None:
    """They keep their blocks of the branch that lost, and are named until they are replayed."""
    with World(lag=8, blocks=12) as world:
        world.node.fork(6, forget=True, sidechain=True)
        for which in forked:
            world.servers[which].faults.engine_forked = True
        told: list[str] = []

        def later(pause: int) -> None:
            told.extend(str(node["error"]) for node in world.states().values())
            if len(forked) > 1 and pause == 60:
                world.heal()

        world.plans.append(later)
        check(world, world.run(UNTIL), UNTIL, tmp_path)
        assert any("this Hive-Engine node followed a fork: it must be replayed" in error for error in told)
