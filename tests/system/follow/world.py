"""A simulated chain behind several HTTP nodes, each with its own faults, and an indexer that follows it.

Nothing sleeps: when the indexer pauses, the world moves on by a block, and whatever the test has planned
happens. `run` follows as `peakedex follow` does; `calm` is what must come of it: the same blocks and receipts,
replayed from an archive, which no node had a hand in.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Engine as Database

from indexer.devnet.faults import Faults
from indexer.devnet.generator.workload import Workload
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.sidechain.chain import Sidechain as DevSidechain
from indexer.devnet.venue import read_venue
from indexer.follow.loop import Follower
from indexer.sources.hive import HiveSource
from indexer.sources.sidechain import Sidechain
from settlement.core.journal.state_text import state_hash
from settlement.core.state_machine import StateMachine
from settlement.net.backoff import Waiter
from settlement.net.http_client import Limits
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from tests.system.store import chains
from tests.system.store.chains import OFTEN, VENUE_TEXT, demo, dump, journal

logging.getLogger("indexer.devnet").setLevel(logging.WARNING)

MOST_PAUSES: Final = 4000
SHORT_SECONDS: Final = 0.6
"""Patience with nodes that never answer. Good ones may take longer on a busy machine, and are asked again."""
Planned = Callable[[int], object]


class Outcome(NamedTuple):
    """What an indexer made of a chain."""

    journal: str
    state_hash: str
    rows: dict[str, list[Any]]


class World:
    """The chain, its nodes, and time, which moves when the indexer pauses."""

    def __init__(
        self,
        *,
        seed: int = 1,
        servers: int = 3,
        lag: int = 2,
        ops: int = 6,
        blocks: int = 25,
        answer_seconds: float = 60.0,
    ) -> None:
        """`blocks` are there from the beginning; `ops` go into each. `answer_seconds` are given to a node."""
        self.node = DevNode(Chain(seed=seed, lag=lag, check_json=False), DevSidechain(heartbeat=0), buffer=2)
        self.servers = [NodeServer(self.node) for _ in range(servers)]
        self.now = 0.0
        self.pauses = 0
        self.said: set[str] = set()
        self.plans: list[Planned] = []
        self.source: HiveSource | None = None
        self._ops = ops
        self._answer_seconds = answer_seconds
        self._stack = ExitStack()
        self._life = Workload(
            self.node,
            read_venue(VENUE_TEXT),
            seed=seed,
            accounts=5,
            hostile=False,
            operator=True,
            depth=5,
            weights=OFTEN,
        )
        for _ in range(blocks):
            self.step()

    def __enter__(self) -> Self:
        for server in self.servers:
            server.start()
            self._stack.callback(server.stop)
        return self

    def __exit__(self, *_: object) -> None:
        if self.source is not None:
            self.source.close()
        self._stack.close()

    @property
    def head(self) -> int:
        return self.node.chain.head

    def step(self) -> None:
        """A block, with life in it."""
        with self.node.lock:
            self._life.fill(self._ops)
            self.node.tick()

    def sleep(self, seconds: float) -> bool:
        """In place of sleeping. Says stop when the indexer gets nowhere."""
        self.now += seconds
        self.pauses += 1
        if self.source is not None and self.source.waiting is not None:
            self.said.add(self.source.waiting.reason)
        self.step()
        for plan in list(self.plans):
            plan(self.pauses)
        return self.pauses >= MOST_PAUSES

    def heal(self) -> None:
        """Switch all faults of the nodes off."""
        for server in self.servers:
            heal(server)

    def open(self, rules: StateMachine, **options: Any) -> HiveSource:
        """The source that an indexer would have."""
        waiter = Waiter(sleep=self.sleep, now=lambda: self.now)
        limits = Limits(connect_seconds=60.0, read_seconds=self._answer_seconds)
        engines = [server.engine_url for server in self.servers]
        sidechain = Sidechain(engines, waiter, slow_seconds=0.1, limits=limits)
        nodes = [server.url for server in self.servers]
        settings = {"limits": limits, "range_limits": limits, "largest_range": 10, "poll_seconds": 0.1}
        self.source = HiveSource(nodes, sidechain, rules.venue_filter, waiter, **{**settings, **options})
        return self.source

    def run(self, until: int, **options: Any) -> Outcome:
        """Follow to a block, whatever the nodes do; blocks come while the indexer waits."""
        database = open_writer("sqlite://")
        rules, projector = load_or_initialise(database, demo())
        source = self.open(rules, **options)
        Follower(rules, projector, source).run(until)
        assert rules.next_block() == until + 1, f"it got no further than block {rules.next_block() - 1}"
        return outcome(rules, database)

    def calm(self, until: int, folder: Path) -> Outcome:
        """What must come of it."""
        assert until <= self.node.chain.irreversible
        with self.node.lock:
            numbers = range(1, until + 1)
            blocks = tuple(self.node.chain.stored(number) for number in numbers)
            receipts = tuple(
                found
                for number in numbers
                if (found := self.node.sidechain.block_of_hive(number)) is not None
            )
        chains.Chain(blocks, receipts).write(folder)
        return outcome(*chains.replay(folder))

    def states(self) -> dict[tuple[str, str], dict[str, Any]]:
        """How each node is, by url and kind, as health tells it."""
        assert self.source is not None
        return {(node["url"], node["kind"]): node for node in json.loads(self.source.nodes)}


def outcome(rules: StateMachine, database: Database) -> Outcome:
    return Outcome(journal(database), state_hash(rules.state), dump(database))


def heal(server: NodeServer) -> None:
    """Switch all faults of a node off."""
    server.faults.set(asdict(Faults()))


def check(world: World, got: Outcome, until: int, folder: Path) -> None:
    """Journal, state and every row must be those of the calm run."""
    calm = world.calm(until, folder)
    assert got.journal == calm.journal
    assert got.state_hash == calm.state_hash
    assert got.rows == calm.rows
    kinds = chains.kinds(got.journal)
    assert kinds["deposit"] > 5, "a chain without deposits proves nothing"
    assert kinds["trade"]
    assert got.rows["receipts"]
