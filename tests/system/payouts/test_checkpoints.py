"""Checkpoints: determined by the chain, correct, and posted once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from settlement.core.journal.state_text import state_hash
from settlement.payouts.chain.nodes import ChainError
from settlement.payouts.checkpoints import WINDOW_SECONDS, CheckpointPoster, due_checkpoint
from settlement.payouts.payout_log import open_payout_log
from settlement.payouts.signing.transactions import MAX_REFERENCE_AGE, Key, SigningError, Transaction
from settlement.store import schema
from settlement.store.database import open_reader
from settlement.store.payout_pause import BY_OPERATOR, RUNNING, set_pause
from tests.system.payouts.world import PUBLIC, SIGNATURE, VENUE, Ledgers, World

EVERY = 10


class StandIn(Key):
    """A key that makes placeholder signatures."""

    def __init__(self, public: str = PUBLIC) -> None:
        self.public = public

    def sign(self, transaction: Transaction, chain_id: str) -> str:
        assert transaction.packed
        return SIGNATURE


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def poster(
    world: World, ledger: Ledgers | None = None, key: StandIn | None = None, reader: Any = None
) -> CheckpointPoster:
    reader = reader or open_reader((ledger or world.ledger).url)
    return CheckpointPoster(reader, world.nodes, VENUE, key or StandIn(), "", EVERY)


def posted(world: World) -> list[tuple[int, str, str]]:
    """Checkpoints in the ledger: block, state hash, journal hash."""
    c = schema.checkpoints.c
    with world.ledger.engine.connect() as connection:
        rows = connection.execute(select(c.claimed_block, c.state_hash, c.journal_hash).order_by(c.n))
        return [tuple(row) for row in rows]


def ours_at_multiples(world: World) -> list[int]:
    """The newest active block up to each multiple of the interval."""
    with world.ledger.engine.connect() as connection:
        ours = list(connection.scalars(select(schema.blocks.c.number).order_by(schema.blocks.c.number)))
        last = connection.scalars(select(schema.cursor.c.block)).one()
    return [max(n for n in ours if n <= multiple) for multiple in range(EVERY, last + 1, EVERY)]


def run(world: World, posters: list[CheckpointPoster], blocks: int) -> None:
    for block in range(blocks):
        if block % 7 == 3:
            world.withdraw("alice", "HBD", "0.001")
        world.tick()
        for each in posters:
            each.round()


def test_each_multiple_has_one_claim_and_its_hashes_are_those_of_a_replay(world: World) -> None:
    run(world, [poster(world)], 6 * EVERY)
    world.tick(3)
    claims = posted(world)
    assert [block for block, *_ in claims] == ours_at_multiples(world)
    assert len({block for block, *_ in claims}) == len(claims) >= 6
    replica = Ledgers(world.node, world.folder / "replica.db")
    for block, state, journal in claims:
        replica.follow(until=block)
        assert (state_hash(replica.rules.state), replica.rules.state.journal_hash) == (state, journal)


def test_a_quiet_venue_continues_to_post(world: World) -> None:
    """Each checkpoint is itself an active block, of which the next one is."""
    post = poster(world)
    for _ in range(4 * EVERY):
        world.tick()
        post.round()
    assert len(posted(world)) >= 3


def test_lost_or_wrong_answers_post_nothing_twice(world: World) -> None:
    world.nodes.faults.extend(["lost", "none", "dropped", "refused", "twice", "lost", "dropped", "lost"])
    run(world, [poster(world)], 15 * EVERY)
    assert not world.nodes.faults
    claimed = [block for block, *_ in posted(world)]
    assert len(set(claimed)) == len(claimed) >= 10
    assert all(len(versions) == 1 for versions in world.nodes.bytes.values())


def test_a_checkpoint_that_no_node_accepts_is_built_anew_in_the_next_window(world: World) -> None:
    post = poster(world)
    world.nodes.faults.extend(["dropped"] * 3)
    before = len(world.nodes.sent)
    while not posted(world):
        world.tick()
        post.round()
    assert len(world.nodes.sent) == before + 1  # resent as it was
    assert max(world.nodes.sent.values()) == 4
    world.nodes.faults.extend(["refused"] * 100)
    count = len(posted(world))
    with world.ledger.engine.connect() as connection:
        first = due_checkpoint(connection, EVERY)
    world.skip(WINDOW_SECONDS)
    world.tick(EVERY)
    post.round()
    with world.ledger.engine.connect() as connection:
        second = due_checkpoint(connection, EVERY)
    assert first is not None
    assert second is not None
    assert second.expires > first.expires
    world.nodes.faults.clear()
    world.wait(40)
    post.round()
    world.tick(3)
    assert len(posted(world)) == count + 1


def test_after_an_outage_only_the_newest_is_posted(world: World) -> None:
    post = poster(world)
    run(world, [post], EVERY)
    before = len(posted(world))
    run(world, [], 7 * EVERY)
    post.round()
    world.tick(3)
    assert [block for block, *_ in posted(world)][before:] == ours_at_multiples(world)[-1:]


def test_restarts_and_an_older_database_post_nothing_twice(world: World) -> None:
    run(world, [poster(world)], EVERY)
    backup = world.ledger.backup()
    for _ in range(3 * EVERY):
        run(world, [poster(world)], 1)  # a new process for each block: none remembers anything
    world.ledger.restore(backup)
    poster(world).round()  # it stands in the past: what it posts has been posted, or is too old
    run(world, [poster(world)], EVERY)
    world.tick(3)
    claimed = [block for block, *_ in posted(world)]
    assert len(set(claimed)) == len(claimed) >= 4


def test_several_operators_post_each_claim_once(world: World) -> None:
    """With databases of their own, one of which lags: the same bytes, which the chain accepts once."""
    others = [Ledgers(world.node, world.folder / f"{number}.db") for number in range(2)]
    posters = [poster(world), *(poster(world, ledger) for ledger in others)]
    others[0].follow()
    others[1].follow()
    for block in range(5 * EVERY):
        if block % 7 == 3:
            world.withdraw("bob", "HBD", "0.001")
        world.tick()
        others[0].follow()
        if block % 4 == 0:
            others[1].follow()
        for each in posters:
            each.round()
    world.tick(3)
    claimed = [block for block, *_ in posted(world)]
    assert len(set(claimed)) == len(claimed) >= 5
    assert max(world.nodes.sent.values()) >= 2


def test_standbys_of_different_age_post_nothing_twice(world: World) -> None:
    """A checkpoint that is due by one standby must not be looked up in an older one."""
    with world.ledger.engine.connect() as connection:
        block = connection.scalars(select(schema.cursor.c.block)).one()
    world.tick(EVERY - block % EVERY)
    lagging = Ledgers(world.node, world.folder / "lagging.db")
    lagging.follow()
    poster(world).round()
    world.tick(3)
    assert len(posted(world)) == 1
    world.skip(WINDOW_SECONDS)
    world.tick(2)
    poster(world).round()  # a new window, but the ledger shows the claim
    readers = [open_reader(lagging.url), open_reader(world.ledger.url)]

    class Hop:
        def connect(self) -> Connection:
            return readers.pop().connect()

    poster(world, reader=Hop()).round()
    assert readers == []
    assert sum(world.nodes.sent.values()) == 1


def test_a_replica_that_differs_posts_its_own_hashes(world: World) -> None:
    """A checkpoint of the same block with other hashes is not a repetition."""
    other = Ledgers(world.node, world.folder / "other.db")
    other.follow()
    b = schema.balance_changes
    with other.engine.begin() as connection:
        connection.execute(update(b).where(b.c.available > 1).values(available=b.c.available - 1))
    run(world, [], EVERY)
    other.follow()
    poster(world).round()
    poster(world, other).round()
    world.tick(3)
    (one, state, journal), (two, another, same) = posted(world)[-2:]
    assert (one, journal) == (two, same)
    assert state != another


def test_a_pause_and_a_block_too_old_post_nothing(world: World) -> None:
    run(world, [], EVERY)
    writer = open_payout_log(world.ledger.url)
    with writer.begin() as connection:
        set_pause(connection, BY_OPERATOR)
        assert due_checkpoint(connection, EVERY) is None
        set_pause(connection, RUNNING)
        assert due_checkpoint(connection, EVERY) is not None
        assert due_checkpoint(connection, 10**6) is None  # before the first multiple
        c = schema.cursor
        far = c.c.block + MAX_REFERENCE_AGE + EVERY
        connection.execute(update(c).values(block=far))
        assert due_checkpoint(connection, EVERY) is None


def test_a_key_that_does_not_suffice_signs_nothing(world: World) -> None:
    run(world, [], EVERY)
    with pytest.raises(SigningError, match=r"our key has weight 0 of 1 for peakecoin\.proof"):
        poster(world, key=StandIn("STM-anothers")).round()
    world.nodes.hidden.add("peakecoin.proof")
    with pytest.raises(SigningError, match=r"there is no account peakecoin\.proof"):
        poster(world).round()
    world.nodes.away = True
    with pytest.raises(ChainError):
        poster(world).round()
    assert not world.nodes.sent
