"""A devnet with trades over HTTP, for tests of commands that use nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.cli.support.nodes import open_nodes
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import NodeServer
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.traders.bots import Bots
from indexer.devnet.traders.payloads import custom_json, intent, token_transfer
from indexer.devnet.venue import VenueView, read_venue
from indexer.follow.loop import Follower
from settlement.core.venue import parse_venue
from settlement.net.backoff import Waiter
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from tests.support.waiting import TIMEOUT_SECONDS, wait_until
from tests.system.cli.command import clean_environment
from tests.system.store.chains import VENUE_TEXT

LATE_TOKEN, LATE_ESCROW = "LATE", "peakedex.pek"


@dataclass
class World:
    """A chain, its node over HTTP, and the bots on it."""

    node: DevNode
    server: NodeServer
    bots: Bots
    venue: VenueView
    others: list[NodeServer] = field(default_factory=list)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Command-line options with this world's nodes."""
        urls = ("--node", self.server.url, "--engine-node", self.server.engine_url)
        return (*urls, "--trust-single-node", "--chain-id", "devnet")

    @property
    def irreversible(self) -> int:
        return self.node.chain.irreversible

    def trade(self, blocks: int) -> None:
        """Let the bots act for some blocks."""
        for _ in range(blocks):
            self.bots.step()
            self.node.tick()

    def idle(self, blocks: int) -> None:
        """Blocks in which nobody acts."""
        for _ in range(blocks):
            self.node.tick()

    def list_late(self) -> None:
        """List a token that is not in the venue file, with an escrow account that is; alice deposits it."""
        venue, node = self.venue, self.node
        node.sidechain.create_token(LATE_TOKEN, 4)
        node.faucet("alice")
        node.faucet("alice", LATE_TOKEN, "100")
        listing = {"symbol": LATE_TOKEN, "precision": 4, "escrow": LATE_ESCROW, "minWithdrawal": "0.5"}
        node.broadcast([custom_json(venue, venue.operator, intent(venue, "listToken", listing))])
        node.broadcast([custom_json(venue, "alice", token_transfer(LATE_TOKEN, LATE_ESCROW, "12.5"))])
        node.tick()
        node.broadcast([custom_json(venue, "alice", token_transfer(LATE_TOKEN, LATE_ESCROW, "30"))])
        node.tick()

    def follow(self, database: Path, venue_text: str = VENUE_TEXT) -> None:
        """Index up to the last irreversible block, in this process."""
        engine = open_writer(str(database))
        rules, projector = load_or_initialise(engine, parse_venue(venue_text))
        urls, engine_urls = (self.server.url,), (self.server.engine_url,)
        source = open_nodes(urls, engine_urls, rules.venue_filter, Waiter(), None)
        Follower(rules, projector, source).run(self.irreversible)
        engine.dispose()

    def another_node(self) -> NodeServer:
        """Another server over the same chain, with its own faults."""
        server = NodeServer(self.node)
        server.start()
        self.others.append(server)
        return server


@contextmanager
def world(*, genesis: int | None = None, blocks: int = 0) -> Iterator[World]:
    """A world with the demo's venue in which bots have traded for `blocks` blocks."""
    venue = read_venue(VENUE_TEXT)
    chain = Chain(seed=7) if genesis is None else Chain(seed=7, genesis=genesis)
    node = DevNode(chain, Sidechain())
    node.prepare(venue)
    bots = Bots(node, venue, seed=7, traders=4, acts=4)
    bots.start()
    server = NodeServer(node)
    server.start()
    here = World(node, server, bots, venue)
    try:
        here.trade(blocks)
        yield here
    finally:
        for each in (server, *here.others):
            each.stop()


class Process:
    """A command in its own process, which the test stops."""

    def __init__(self, folder: Path, *words: object, **environment: str) -> None:
        self.words = tuple(map(str, words))
        self._log = (folder / f"{self.words[0]}-{time.monotonic_ns()}.log").open("w+b")
        self.run = subprocess.Popen(
            [sys.executable, "-m", "indexer.cli", *self.words],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**clean_environment(), "PYTHONFAULTHANDLER": "1", **environment},
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        """Its output so far, standard output and standard error."""
        return Path(self._log.name).read_text("utf-8")

    def wait_until(self, happened: Callable[[], bool], seconds: float = TIMEOUT_SECONDS) -> None:
        """Wait for a condition while the process runs."""

        def goes_on() -> bool:
            if happened():
                return True
            assert self.run.poll() is None, f"it ended with {self.run.returncode}: {self.said}"
            return False

        wait_until(goes_on, timeout=seconds, what=lambda: f"`peakedex {self.words[0]}`: {self.said}")

    def end(self, sent: signal.Signals = signal.SIGTERM, seconds: float = TIMEOUT_SECONDS) -> float:
        """Send a signal and wait for the end; the duration in seconds."""
        started = time.monotonic()
        self.run.send_signal(sent)
        try:
            self.run.wait(seconds)
        except subprocess.TimeoutExpired:
            self.run.send_signal(signal.SIGABRT)  # it tells where its threads are
            self.run.wait(seconds)
            raise AssertionError(f"it does not end: {self.said}") from None
        return time.monotonic() - started

    def close(self) -> None:
        """Kill it. Its children have their own process groups, and end only when it stops them."""
        if self.run.poll() is None:
            self.run.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.run.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(self.run.pid, signal.SIGKILL)
        self.run.wait(20)
        self._log.close()


@contextmanager
def running(folder: Path, *words: object, **environment: str) -> Iterator[Process]:
    """Run a command during a test."""
    process = Process(folder, *words, **environment)
    try:
        yield process
    finally:
        process.close()


def last_json(text: str) -> Any:
    """The JSON object on the last line."""
    return json.loads(text.splitlines()[-1])
