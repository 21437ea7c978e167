"""Lying nodes: detected, named, and not used for that range; a conflict with recorded blocks stops the indexer."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from indexer.chain.blocks import Block
from indexer.chain.decode import decode
from indexer.chain.receipts import Receipts
from indexer.devnet.faults import LIES
from indexer.follow.heartbeat import StatusPublisher
from indexer.follow.loop import Follower
from indexer.sources.source import Cursor, SourceError
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.indexer_status import read_status
from settlement.store.write.loader import load_or_initialise
from tests.system.follow.world import World, check
from tests.system.store.chains import demo

UNTIL = 45
ALTERING = ("amount", "add", "drop")


@pytest.mark.parametrize("lie", ALTERING)
def test_it_is_named_in_the_log_and_in_health(
    lie: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with World() as world:
        liar = world.servers[0]
        liar.faults.lie = lie
        check(world, world.run(UNTIL), UNTIL, tmp_path)
        state = world.states()[liar.url, "Hive"]
        assert state["state"] == "disagrees"
        assert " confirms " in state["error"]
        assert state["rested_until"] is not None
        others = [node for (url, _), node in world.states().items() if url != liar.url]
        assert all(node["state"] == "ok" for node in others)
        named = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert named
        assert all(liar.url in record.getMessage() for record in named)


@pytest.mark.parametrize("lie", ALTERING)
@pytest.mark.parametrize("which", [0, 1])
def test_of_two_nodes_neither_is_believed(lie: Any, which: int, tmp_path: Path) -> None:
    """Nothing counts while they disagree, however long; when the lie ends, all goes on."""
    with World(servers=2) as world:
        liar = world.servers[which]
        liar.faults.lie = lie
        reached: list[int] = []

        def later(pause: int) -> None:
            if any("a third node to decide" in reason for reason in world.said):
                reached.append(pause)
            if len(reached) == 12:
                assert all(
                    node["state"] == "disagrees"
                    for (_, kind), node in world.states().items()
                    if kind == "Hive"
                )
                world.heal()

        world.plans.append(later)
        check(world, world.run(UNTIL), UNTIL, tmp_path)
        assert len(reached) >= 12
        assert all(node["state"] == "ok" for node in world.states().values())


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie])
def test_a_liar_among_three_delays_nothing(lie: Any, tmp_path: Path) -> None:
    """No pause but for blocks that are not irreversible yet."""
    with World(blocks=40) as world:
        world.servers[1].faults.lie = lie
        got = world.run(35)
        assert world.pauses == 0
        check(world, got, 35, tmp_path)


def test_a_forged_irreversible_number_pushes_nobody(tmp_path: Path) -> None:
    with World(lag=10) as world:
        world.servers[0].faults.lie = "irreversible"
        world.plans.append(lambda _: check_not_ahead(world))
        check(world, world.run(UNTIL), UNTIL, tmp_path)


def check_not_ahead(world: World) -> None:
    assert world.source is not None
    assert world.source.irreversible <= world.node.chain.irreversible


def test_with_one_vote_enough_any_node_can_lie_about_it() -> None:
    """That is what the quorum is for."""
    with World(lag=10) as world:
        world.servers[0].faults.lie = "irreversible"
        world.run(20, quorum=1)
        assert world.source is not None
        assert world.source.irreversible > world.node.chain.irreversible


def test_a_conflict_below_the_irreversible_block_stops_with_a_report() -> None:
    """The database holds another chain: both ids, the block and the nodes are named, and nothing changes."""
    with World(seed=1) as other:
        database = open_writer("sqlite://")
        rules, projector = load_or_initialise(database, demo())
        Follower(rules, projector, other.open(rules)).run(20)
    header = rules.state.header
    assert header is not None
    with World(seed=2) as world, pytest.raises(SourceError) as stopped:
        Follower(rules, projector, world.open(rules)).run(30)
    theirs = Block(world.node.chain.stored(21))
    report = str(stopped.value)
    assert all(str(ident) in report for ident in (header.block_id, theirs.previous, theirs.block_id))
    assert sum(server.url in report for server in world.servers) >= 2, "a quorum is named"
    assert "block 21" in str(stopped.value)
    assert rules.next_block() == 21


def test_health_names_what_is_waited_for_and_each_node() -> None:
    with World(servers=2) as world:
        database = open_writer("sqlite://")
        rules, projector = load_or_initialise(database, demo())
        source = world.open(rules)
        world.servers[1].faults.engine_disagrees = True
        publisher = StatusPublisher(database, source)
        told: list[Any] = []

        def look(pause: int) -> None:
            assert source.waiting is not None
            if source.waiting.reason.startswith("receipts of block"):
                publisher.run_once()
                with database.connect() as connection:
                    told.append(read_status(connection))
                world.heal()

        world.plans.append(look)
        Follower(rules, projector, source).run(15)
        (status, *_) = told
        assert {node["state"] for node in json.loads(status.nodes) if node["kind"] == "Hive-Engine"} == {
            "disagrees"
        }


def test_the_receipts_that_were_used_are_enough_to_judge_again(tmp_path: Path) -> None:
    """Every block once more, from the chain's blocks and the database's own receipts."""
    with World() as world:
        database = open_writer("sqlite://")
        rules, projector = load_or_initialise(database, demo())
        Follower(rules, projector, world.open(rules)).run(UNTIL)
        with database.connect() as connection:
            r = schema.receipts.c
            stored: dict[int, str] = dict(map(tuple, connection.execute(select(r.block, r.text))))
        assert stored
        again, _ = load_or_initialise(open_writer("sqlite://"), demo())
        last = Cursor(0)
        for number in range(last.number + 1, UNTIL + 1):
            block = Block(world.node.chain.stored(number))
            text = stored.get(number)
            receipts = None if text is None else Receipts(text.encode())
            again.apply(block.header, decode(block, again.venue_filter, receipts))
            if receipts is not None:
                assert receipts.used() == stored[number].encode(), "what is stored is all used, and canonical"
        assert again.state.journal_hash == rules.state.journal_hash
